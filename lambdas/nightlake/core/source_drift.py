"""What a delivery has beside its contract, or has not, as findings of its source."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from nightlake.core.drift import MAX_DRIFT_COLUMNS, drift_faults, drift_names
from nightlake.core.header import extra_names, source_names
from nightlake.core.history import published_table
from nightlake.core.pipeline import Dataset
from nightlake.core.shard import Finding, Receipt
from nightlake.core.source import Source
from nightlake.core.store import Store
from nightlake.core.table import tables

_MAX_NAMED = 20


@dataclass(frozen=True)
class SourceDrift:
    """The drift of one source; `delivered` says where its objects can be seen."""

    dataset: Dataset
    source: Source
    receipts: Collection[Receipt]
    delivered: str

    def problems(self, lake: Store, pipeline: str) -> Iterator[Finding]:
        """What rejects the source: undeclared columns, where none may come or where they cannot become columns."""
        reasons: list[str] = []
        if self._extra and self.source.on_drift == "strict":
            advice = "add them to the contract, or take them with `on_drift: ignore` or `evolve`"
            reasons = [f"the delivery has columns that the contract has not: {_named(self._extra)}; {advice}"]
        if self._extra and self.source.on_drift == "evolve":
            reasons = drift_faults(self._extra, self.dataset) or [*self._too_many(lake, pipeline)]
        for reason in reasons:
            yield Finding(rule=f"{self.dataset.name}.extra_columns", where=self.delivered, reason=reason)

    def warnings(self) -> Iterator[Finding]:
        """What a person should know of a good source: columns that came beside the contract, or did not come."""
        told = "the delivery has columns that the contract has not"
        if self._extra and self.source.on_drift == "ignore":
            reason = f"{told}, which are left out: {_named(self._extra)}"
            yield Finding(rule=f"{self.dataset.name}.extra_columns", where=self.delivered, reason=reason)
        if self._extra and self.source.on_drift == "evolve":
            becoming = [f"{name!r} as {column}" for name, column in drift_names(self._extra).items()]
            reason = f"{told}; {self._table} has them as text now: {_listed(becoming)}"
            yield Finding(rule=f"{self.dataset.name}.extra_columns", where=self.delivered, reason=reason)
        if self._missing:
            told = "the delivery, or a part of it, has not all declared columns"
            reason = f"{told}; there they are NULL: {_named(self._missing)}"
            yield Finding(rule=f"{self.dataset.name}.missing_columns", where=self.delivered, reason=reason)

    @property
    def _table(self) -> str:
        """Where undeclared columns go."""
        return tables(self.dataset)[-1].name

    @cached_property
    def _extra(self) -> list[str]:
        """All undeclared names, in the order of their appearance: a header tells them also where no record came."""
        named = [
            name
            for receipt in self.receipts
            for name in (
                *extra_names(receipt.shard.header or (), self.source, self.dataset),
                *receipt.extra_columns,
            )
        ]
        return list(dict.fromkeys(named))

    @cached_property
    def _missing(self) -> list[str]:
        headers = {receipt.shard.header for receipt in self.receipts if receipt.shard.header is not None}
        declared = source_names(self.source, self.dataset).values()
        return [name for name in declared if any(name not in header for header in headers)]

    def _too_many(self, lake: Store, pipeline: str) -> Iterator[str]:
        """That the table would have too many undeclared columns, with those that came on other days."""
        published = published_table(lake, pipeline, self._table)
        earlier = {column.name for column in (published.columns if published else ()) if column.drift}
        new = [name for name, column in drift_names(self._extra).items() if column not in earlier]
        if new and len(earlier) + len(new) > MAX_DRIFT_COLUMNS:
            yield (
                f"{self._table} has {len(earlier)} columns that the contract does not declare, and at most "
                f"{MAX_DRIFT_COLUMNS} may come to one table; the delivery has more: {_named(new)}; declare "
                "`on_drift: ignore`, or the columns"
            )


def _named(names: Sequence[str]) -> str:
    return _listed([repr(name) for name in names])


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _MAX_NAMED:,} more" if len(words) > _MAX_NAMED else ""
    return ", ".join(words[:_MAX_NAMED]) + more

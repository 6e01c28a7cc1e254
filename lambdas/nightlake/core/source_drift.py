"""What a delivery has beside its contract, or has not, as findings of its source."""

from collections.abc import Collection, Iterator, Sequence

from nightlake.core.drift import drift_faults, drift_name
from nightlake.core.header import extra_names, source_names
from nightlake.core.pipeline import Dataset
from nightlake.core.shard import Finding, Receipt
from nightlake.core.source import Source
from nightlake.core.table import tables

_MAX_NAMED = 20


def drift_problems(dataset: Dataset, source: Source, receipts: Collection[Receipt], where: str) -> Iterator[Finding]:
    """What rejects the source: undeclared columns, where none may come or where they cannot become columns."""
    extra = _extra(dataset, source, receipts)
    reasons = drift_faults(extra, dataset) if source.on_drift == "evolve" else []
    if extra and source.on_drift == "strict":
        advice = "add them to the contract, or take them with `on_drift: ignore` or `evolve`"
        reasons = [f"the delivery has columns that the contract has not: {_named(extra)}; {advice}"]
    for reason in reasons:
        yield Finding(rule=f"{dataset.name}.extra_columns", where=where, reason=reason)


def drift_warnings(dataset: Dataset, source: Source, receipts: Collection[Receipt], where: str) -> Iterator[Finding]:
    """What a person should know of a good source: columns that came beside the contract, and that did not come."""
    extra = _extra(dataset, source, receipts)
    if extra and source.on_drift == "ignore":
        reason = f"the delivery has columns that the contract has not, which are left out: {_named(extra)}"
        yield Finding(rule=f"{dataset.name}.extra_columns", where=where, reason=reason)
    if extra and source.on_drift == "evolve":
        table = tables(dataset)[-1].name
        becoming = [f"{name!r} as {drift_name(name)}" for name in extra]
        reason = f"the delivery has columns that the contract has not; {table} has them as text now: "
        yield Finding(rule=f"{dataset.name}.extra_columns", where=where, reason=reason + _listed(becoming))
    missing = _missing(dataset, source, receipts)
    if missing:
        reason = f"the delivery, or a part of it, has not all declared columns; there they are NULL: {_named(missing)}"
        yield Finding(rule=f"{dataset.name}.missing_columns", where=where, reason=reason)


def _extra(dataset: Dataset, source: Source, receipts: Collection[Receipt]) -> list[str]:
    """All undeclared names, in the order of their appearance: a header tells them also where no record came."""
    named = [
        name
        for receipt in receipts
        for name in (*extra_names(receipt.shard.header or (), source, dataset), *receipt.extra_columns)
    ]
    return list(dict.fromkeys(named))


def _missing(dataset: Dataset, source: Source, receipts: Collection[Receipt]) -> list[str]:
    headers = {receipt.shard.header for receipt in receipts} - {None}
    return [
        name
        for name in source_names(source, dataset).values()
        if any(header is not None and name not in header for header in headers)
    ]


def _named(names: Sequence[str]) -> str:
    return _listed([repr(name) for name in names])


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _MAX_NAMED:,} more" if len(words) > _MAX_NAMED else ""
    return ", ".join(words[:_MAX_NAMED]) + more

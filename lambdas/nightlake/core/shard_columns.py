"""Which columns one shard has: those of the contract that its object has, and those that came beside them."""

import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, Final

from nightlake.core.drift import drift_columns
from nightlake.core.header import extra_names, source_names
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.readers.batch import Batch
from nightlake.core.readers.json_fields import written_fields
from nightlake.core.source import ColumnMapping
from nightlake.core.sources import AnySource

_MAX_TOLD: Final = 100


class ShardColumns:
    """The columns of one shard as its batches tell them.

    `source` and `dataset` are what a reader is to look for, `whole` is the dataset with all columns that the shard's
    files have, and `extra` names, in the order of their appearance, what the contract does not declare.
    """

    def __init__(self, header: tuple[str, ...] | None, source: AnySource, dataset: Dataset) -> None:
        """`header` are the names that the object has, None where its format has none."""
        self.source, self.dataset, self.whole = source, dataset, dataset
        self.extra: tuple[str, ...] = ()
        self._header = header
        self._declared = dataset
        self._evolves = source.on_drift == "evolve"
        self._becoming: dict[str, Column] = {}
        if header is not None:
            self._see(extra_names(header, source, dataset))
            self._narrow(header)

    def complete(self, batch: Batch) -> Batch:
        """The batch with every column of `whole`, NULL where it has none.

        Raises HeaderMismatchError when what came beside the contract cannot become columns.
        """
        self._see(sorted(batch.extra_columns))
        if len(batch.columns) == len(self._declared.columns) == len(self.whole.columns):
            return batch
        import pyarrow as pa

        found = {**batch.columns, **self._from_text(batch)}
        absent = pa.nulls(len(batch.positions), pa.string())
        columns = {column.name: found.get(column.name, absent) for column in self.whole.columns}
        columns |= {column.name: _as_text(columns[column.name]) for column in self._becoming.values()}
        return replace(batch, columns=columns)

    def _see(self, names: Iterable[str]) -> None:
        new = [name for name in names if name not in self.extra]
        if new and self._evolves:
            self._becoming = drift_columns((*self.extra, *new), self._declared)
            columns = (*self._declared.columns, *self._becoming.values())
            self.whole = self._declared.model_copy(update={"columns": columns})
        self.extra = (*self.extra, *new)[:_MAX_TOLD]

    def _narrow(self, header: Collection[str]) -> None:
        """Let the reader look for what is there, and only that."""
        names = source_names(self.source, self._declared)
        here = tuple(column for column in self._declared.columns if names[column.name] in header)
        if len(here) == len(self.whole.columns):
            return
        names |= {column.name: name for name, column in self._becoming.items()}
        self.dataset = self._declared.model_copy(update={"columns": (*here, *self._becoming.values())})
        wanted = tuple(ColumnMapping(column=column.name, source=names[column.name]) for column in self.dataset.columns)
        self.source = self.source.model_copy(update={"columns": wanted})

    def _from_text(self, batch: Batch) -> dict[str, list[str | None]]:
        """The undeclared columns of a JSON batch, whose reader gives declared ones only."""
        names = batch.extra_columns & self._becoming.keys()
        if not names or self._header is not None:
            return {}
        rows = [written_fields(raw, names) for raw in batch.raw]
        return {self._becoming[name].name: [row.get(name) for row in rows] for name in names}


def _as_text(values: Any) -> Any:
    """Texts as they are, other values of a typed file as text, nested ones as JSON."""
    import pyarrow as pa

    if not isinstance(values, pa.Array):
        return values
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else _json(value) for value in values.to_pylist()], pa.string())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)

"""What is kept of a refused row: where it stood, which rule it broke and why, and what it said.

Nobody who may not see private columns sees them here: their values are masked before anything is written.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING, Final

from nightlake.core.header import source_names
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.readers.batch import Refused
from nightlake.core.source import AnySource, CsvSource
from nightlake.core.table import Table, arrow_schema

if TYPE_CHECKING:
    import pyarrow.parquet as pq

MASK: Final = "***"
WITHHELD: Final = "(withheld: what could not be read may hold private values)"

_COLUMNS = (
    Column(
        name="position",
        type="bigint",
        description="The line, or the record where there are no lines, in its object, from 1.",
    ),
    Column(name="object", type="string", description="The object that the row came in, as s3://bucket/key."),
    Column(name="rule", type="string", description="The first rule that the row broke."),
    Column(name="reason", type="string", description="Why the row was refused, private values masked."),
    Column(name="raw", type="string", description="What the row said, private values masked."),
    Column(name="dataset", type="string", description="The dataset that refused the row."),
    Column(name="run_id", type="string", description="The run that converted the object."),
    Column(name="quarantined_at", type="timestamp", description="When the row was refused, UTC."),
)


def quarantine_table(dataset: Dataset) -> Table:
    """The table of the dataset's refused rows, in the quarantine database under the dataset's own name."""
    return Table(name=dataset.name, description=f"Refused rows of {dataset.name}.", columns=_COLUMNS)


@dataclass(frozen=True)
class Mask:
    """Hides the private values in the raw text of a record; `header` are the fields of delimited text."""

    dataset: Dataset
    source: AnySource
    header: tuple[str, ...]

    def whole(self, raw: str) -> str:
        """The text of a record that could not be read, which is withheld where it may hold private values."""
        return WITHHELD if self._private else raw

    def fields(self, raw: str) -> str:
        """The text of a record that could be read, its private values masked."""
        if not self._private:
            return raw
        return self._delimited(raw, self.source) if isinstance(self.source, CsvSource) else self._object(raw)

    @property
    def _private(self) -> list[str]:
        names = source_names(self.source, self.dataset)
        return [names[column.name] for column in self.dataset.columns if column.private]

    def _delimited(self, raw: str, source: CsvSource) -> str:
        (fields,) = csv.reader(io.StringIO(raw, newline=""), delimiter=source.delimiter, strict=True)
        for name in self._private:
            fields[self.header.index(name)] = MASK
        text = io.StringIO(newline="")
        line_end = "\r\n"  # csv quotes the fields that have one of these
        csv.writer(text, delimiter=source.delimiter, lineterminator=line_end).writerow(fields)
        return text.getvalue().removesuffix(line_end)

    def _object(self, raw: str) -> str:
        record = json.loads(raw, parse_float=str, parse_int=str)  # as texts they keep all their digits
        for name in self._private:
            *path, last = name.split(".")
            part = record
            for step in path:
                part = part.get(step) if isinstance(part, dict) else None
            for place, key in ((record, name), (part, last)):  # a name may have dots of its own
                if isinstance(place, dict) and key in place:
                    place[key] = MASK
        return json.dumps(record, ensure_ascii=False)


class RefusedRows:
    """Writes the refused rows of one shard as one Parquet file; not begun before the first row."""

    def __init__(
        self, file: IO[bytes], dataset: Dataset, *, origin: str, run_id: str, quarantined_at: datetime
    ) -> None:
        """`origin` is the object as s3://bucket/key, `quarantined_at` a time in UTC, naive."""
        self._file = file
        self._dataset = dataset
        self._same = {"object": origin, "dataset": dataset.name, "run_id": run_id, "quarantined_at": quarantined_at}
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0

    def add(self, refused: Sequence[Refused]) -> None:
        """Write rows, already masked, as a row group."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not refused:
            return
        schema = arrow_schema(quarantine_table(self._dataset))
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, schema, version="2.6", compression="snappy")
        rows = [
            {"position": row.position, "rule": row.rules[0], "reason": row.reasons[0], "raw": row.raw} | self._same
            for row in refused
        ]
        self._writer.write_table(pa.Table.from_pylist(rows, schema))
        self.rows += len(rows)

    def close(self) -> IO[bytes]:
        """The finished file, from its beginning."""
        if self._writer is not None:
            self._writer.close()
        self._file.seek(0)
        return self._file

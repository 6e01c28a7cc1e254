"""What is kept of the refused rows: where each stood, every rule that it broke and why, and what it said.

A pipeline has one table of them. Nobody who may not see private columns sees them here: their values are masked before
anything is written.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final

from nightlake.core.check_batch import Checked
from nightlake.core.mask import Mask
from nightlake.core.pipeline import Column
from nightlake.core.readers.batch import Batch
from nightlake.core.shard import Shard
from nightlake.core.table import Table, arrow_schema

if TYPE_CHECKING:
    import pyarrow.parquet as pq

RAW_BYTES: Final = 64 << 10

_ROW_GROUP: Final = 10_000
_ROW_GROUP_CHARACTERS: Final = 8 << 20
_COLUMNS = (
    Column(name="dataset", type="string", description="The dataset that refused the row."),
    Column(name="object", type="string", description="The object that the row came in, as s3://bucket/key."),
    Column(name="version", type="string", description="The version of that object."),
    Column(
        name="offset",
        type="bigint",
        description="The byte that the row begins with, in the object or in the text packed in it, where known.",
    ),
    Column(
        name="line",
        type="bigint",
        description="The row's first line in its object, from 1; where there are no lines, its record.",
    ),
    Column(name="rules", type="array<string>", description="Every rule that the row broke."),
    Column(name="reasons", type="array<string>", description="Why, one a rule, private values masked."),
    Column(name="raw", type="string", description="What the row said, private values masked; a long text is cut."),
    Column(name="run_id", type="string", description="The run that converted the object."),
    Column(name="quarantined_at", type="timestamp", description="When the row was refused, UTC."),
)


def quarantine_table(pipeline: str) -> Table:
    """The table of a pipeline's refused rows, in the quarantine database under the pipeline's own name."""
    return Table(name=pipeline, description=f"Refused rows of {pipeline}.", columns=_COLUMNS)


class RefusedRows:
    """Writes the refused rows of one shard as one Parquet file; not begun before the first row."""

    def __init__(
        self, file: IO[bytes], shard: Shard, mask: Mask, *, origin: str, run_id: str, quarantined_at: datetime
    ) -> None:
        """`origin` is the object as s3://bucket/key, `quarantined_at` a time in UTC, naive."""
        self._file = file
        self._mask = mask
        self._schema = arrow_schema(quarantine_table(shard.pipeline))
        self._same: dict[str, Any] = {
            "dataset": shard.dataset,
            "object": origin,
            "version": shard.object.version_id,
            "run_id": run_id,
            "quarantined_at": quarantined_at,
        }
        self._pending: list[tuple[int | None, int, Sequence[str], Sequence[str], str]] = []
        self._characters = 0
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0

    def add(self, batch: Batch, checked: Checked) -> None:
        """Take the records that a reader refused, and the rows that broke rules."""
        for record in batch.refused:
            self._keep(record.offset, record.position, record.rules, record.reasons, self._mask.whole(record.raw))
        for row in sorted(checked.refused):
            rules, reasons = zip(*checked.reasons(batch, row), strict=True)
            offset = batch.offsets[row] if len(batch.offsets) else None
            self._keep(offset, int(batch.positions[row]), rules, reasons, self._mask.fields(batch.raw[row]))

    def _keep(self, offset: int | None, line: int, rules: Sequence[str], reasons: Sequence[str], raw: str) -> None:
        kept = _cut(raw)
        self._pending.append((offset, line, rules, reasons, kept))
        self._characters += len(kept) + sum(map(len, reasons))
        self.rows += 1
        if len(self._pending) >= _ROW_GROUP or self._characters >= _ROW_GROUP_CHARACTERS:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, self._schema, version="2.6", compression="snappy")
        offset, line, rules, reasons, raw = zip(*self._pending, strict=True)
        own = {"offset": offset, "line": line, "rules": rules, "reasons": reasons, "raw": raw}
        count = len(self._pending)
        arrays = [
            pa.array(own[field.name], field.type)
            if field.name in own
            else pa.repeat(pa.scalar(self._same[field.name], field.type), count)
            for field in self._schema
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._pending, self._characters = [], 0

    def close(self) -> IO[bytes]:
        """The finished file, from its beginning."""
        if self._pending:
            self._write()
        if self._writer is not None:
            self._writer.close()
        self._file.seek(0)
        return self._file


def _cut(raw: str) -> str:
    """The text, of which at most RAW_BYTES are kept; one that is cut says so at its end."""
    encoded = raw.encode(errors="backslashreplace")
    if len(encoded) <= RAW_BYTES:
        return encoded.decode()
    return f"{encoded[:RAW_BYTES].decode(errors='ignore')} (cut: it has {len(encoded):,} bytes)"


def move_lines(file: IO[bytes], lines: int, into: IO[bytes]) -> None:
    """Write the refused rows of one shard again, `lines` further down: those that its object has before the shard."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    source = pq.ParquetFile(file)
    with pq.ParquetWriter(into, source.schema_arrow, version="2.6", compression="snappy") as writer:
        for number in range(source.num_row_groups):
            rows = source.read_row_group(number)
            column = rows.schema.get_field_index("line")
            writer.write_table(rows.set_column(column, rows.schema.field(column), pc.add(rows["line"], lines)))

"""One block of delimited text to a batch: what is clean by Arrow, the rest record by record as the reference reads it.

The proof that both agree: Arrow finds as many records as were counted clean, and those that it finds wrong are wrong
for the reference. Else the reference reads all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from nightlake.core.header import source_names
from nightlake.core.pipeline import Dataset
from nightlake.core.readers.batch import Batch, Lazy, Refused
from nightlake.core.readers.csv_arrow import RowParser, unfit_places
from nightlake.core.readers.csv_record import Record, dialect_of, raw_text, read_record
from nightlake.core.readers.csv_structure import Marks, Structure
from nightlake.core.readers.text import end_of_line
from nightlake.core.source import CsvSource

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

_LF: Final = 0x0A
_CR: Final = 0x0D


@dataclass(frozen=True)
class Block:
    """Text that begins with a record, in line `line` and at byte `start` of its object, if that is known.

    The object ends with it when it is `final`.
    """

    text: bytes
    start: int | None
    line: int
    final: bool

    def offset(self, place: int) -> int | None:
        """The byte of the object at this place of the text."""
        return None if self.start is None else self.start + place


@dataclass
class _Records:
    """The records of a block up to its byte `stop`.

    Clean are those of `starts` and `ends` (exclusive, with line ends), which lie in `spans` together with `blank`
    lines; `others` are what the reference made of the rest, and the last `goes_on` at `stop`.
    """

    starts: "Places"
    ends: "Places"
    spans: list[slice]
    blank: int
    others: list[Record]
    stop: int
    goes_on: bool


class Found(NamedTuple):
    """The records of the first `length` bytes of a block; the last `goes_on` there if it is longer than any may be."""

    batch: Batch
    length: int
    goes_on: bool


class BlockReader:
    """Reads blocks of one source whose records have the fields of `header`."""

    def __init__(self, source: CsvSource, dataset: Dataset, header: Sequence[str]) -> None:
        self._dialect = dialect = dialect_of(source)
        self._fields = len(header)
        self._columns = {column: header.index(name) for column, name in source_names(source, dataset).items()}
        self._nulls = frozenset(source.nulls)
        self._written = len(header) + dialect.trailing  # behind a trailing delimiter stands one more, which is empty
        self._parser = RowParser(dialect, source.nulls, fields=self._written, wanted=[*self._columns.values()])
        self._marks = Marks(
            delimiter=dialect.delimiter[0],
            quote=dialect.quote[0] if dialect.quote else None,
            comment=dialect.comment[0] if dialect.comment else None,
            backslash=dialect.escaped_in_plain,
            multiline=source.multiline,
            trailing=source.trailing_delimiter,
            max_record_bytes=dialect.limit,
        )

    def read(self, block: Block, last: int) -> Found:
        """The records that begin at byte `last` of the block or before, as far as it tells them: perhaps none."""
        unfit = unfit_places(block.text, self._dialect.encoding)
        everything = range(len(block.text))
        attempts = iter(((unfit, None), (unfit, self._written), (everything, None)))
        columns = None
        while columns is None:
            hard, fields = next(attempts)
            structure = Structure(block.text, self._marks, final=block.final, hard=hard, fields=fields)
            records = self._divide(block, structure, last)
            columns = self._parse(block.text, records)
        return Found(self._batch(block, structure, records, columns), records.stop, records.goes_on)

    def _divide(self, block: Block, structure: Structure, last: int) -> _Records:
        """The records of a block that begin at its byte `last` or before."""
        import numpy as np

        text, at, goes_on = block.text, 0, False
        clean: list[tuple[Places, Places]] = []
        spans: list[slice] = []
        others: list[Record] = []
        while at <= last and at < len(text):
            ends, is_hard = structure.clean(at)
            ends = ends[: ends.searchsorted(last, side="right") + 1]
            if len(ends):
                clean.append((np.concatenate(([at], ends[:-1])), ends))
                spans.append(slice(at, int(ends[-1])))
                at = spans[-1].stop
            if at > last or not (is_hard or len(text) - at >= self._dialect.enough):
                break
            record = read_record(text, at, self._dialect, self._fields, final=block.final)
            if record is None:
                break
            others.append(record)
            at = record.end
            if record.unended:
                line = end_of_line(text, at, len(text), final=block.final)
                goes_on = line is None
                at = line[1] if line else len(text) - text.endswith(b"\r")
        none = np.empty(0, np.int64)
        starts, ends = (np.concatenate(places) for places in zip((none, none), *clean, strict=True))
        first = np.frombuffer(text, np.uint8)[starts]
        is_blank = (first == _LF) | (first == _CR)
        blank = int(np.count_nonzero(is_blank))
        if blank:
            starts, ends = starts[~is_blank], ends[~is_blank]
        return _Records(starts, ends, spans, blank, others, at, goes_on)

    def _parse(self, text: bytes, records: _Records) -> "dict[str, pa.Array] | None":
        """The columns of the clean records, from which those are taken out that have wrong fields.

        None when Arrow does not prove what was found, or when one of these has several lines.
        """
        import numpy as np
        import pyarrow as pa

        try:
            table, wrong = self._parser.parse(text, records.spans if len(records.starts) else [])
        except pa.ArrowInvalid:
            return None
        if table.num_rows + len(wrong) != len(records.starts):
            return None
        if wrong:
            spans = [(int(records.starts[row]), int(records.ends[row])) for row in wrong]
            others = [record for span in spans if (record := self._reread(text, *span))]
            if len(others) < len(wrong):
                return None
            records.starts, records.ends = np.delete(records.starts, wrong), np.delete(records.ends, wrong)
            records.others = sorted([*records.others, *others], key=lambda record: record.start)
        return {column: _array(table.column(str(field))) for column, field in self._columns.items()}

    def _reread(self, text: bytes, start: int, end: int) -> Record | None:
        """The record as the reference refuses it; None when it does not, or when it has several lines."""
        record = read_record(text[start:end], 0, self._dialect, self._fields, final=True)
        if record is None or record.kind != "refused" or record.end != end - start or record.lines > 1:
            return None
        return replace(record, start=start, end=end)

    def _batch(self, block: Block, structure: Structure, records: _Records, columns: "dict[str, pa.Array]") -> Batch:
        import numpy as np
        import pyarrow as pa

        rows = [record for record in records.others if record.kind == "row"]
        starts, ends = records.starts, records.ends
        if rows:
            starts = np.concatenate((starts, [record.start for record in rows]))
            order = np.argsort(starts, kind="stable")
            starts, ends = starts[order], np.concatenate((ends, [record.end for record in rows]))[order]
            columns = {
                column: pa.concat_arrays([values, self._values(rows, self._columns[column])]).take(order)
                for column, values in columns.items()
            }

        def raw(row: int) -> str:
            return raw_text(block.text, Record("row", int(starts[row]), int(ends[row])), self._dialect)

        skipped = sum(record.kind == "skipped" for record in records.others)
        return Batch(
            columns=columns,
            positions=pa.array(block.line + structure.lines_before(starts)),
            raw=Lazy(len(starts), raw),
            offsets=Lazy(len(starts), lambda row: block.offset(int(starts[row]))),
            refused=[*self._refused(block, structure, records.others)],
            skipped=records.blank + skipped,
            lines=int(structure.line_ends.searchsorted(records.stop, side="right")) + records.goes_on,
        )

    def _values(self, rows: Sequence[Record], field: int) -> "pa.Array":
        import pyarrow as pa

        values = (record.fields[field] for record in rows)
        return pa.array([None if value in self._nulls else value for value in values], pa.string())

    def _refused(self, block: Block, structure: Structure, others: Sequence[Record]) -> Iterator[Refused]:
        refused = [record for record in others if record.kind == "refused"]
        lines = block.line + structure.line_ends.searchsorted([record.start for record in refused], side="right")
        for record, line in zip(refused, lines.tolist(), strict=True):
            rules, reasons = zip(*record.defects, strict=True)
            raw = raw_text(block.text, record, self._dialect)
            yield Refused(line, rules, reasons, raw, block.offset(record.start))


def _array(column: "pa.ChunkedArray") -> "pa.Array":
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()

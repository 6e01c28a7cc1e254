"""Reads JSON Lines many objects at once: the same records as `jsonl`, which reads every line that is not plain."""

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nightlake.core.pipeline import Dataset
from nightlake.core.readers import json_record
from nightlake.core.readers.batch import Batch, Collector, Lazy, Refused
from nightlake.core.readers.json_arrow import JsonArrow, NotParsedError
from nightlake.core.readers.json_record import Object
from nightlake.core.readers.jsonl import read_jsonl, read_line
from nightlake.core.readers.lines import Block, LineBlocks
from nightlake.core.readers.text import UTF_16, WRONG_BYTES, is_utf_8
from nightlake.core.shard import Shard
from nightlake.core.source import JsonLinesSource

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

BLOCK_BYTES: Final = 4 << 20  # a tenth faster than 1 MiB
_CHUNK: Final = 128  # objects among which a bad one is looked for
_TRIES: Final = 4  # to take a chunk without its bad ones
_GIVEN_UP: Final = 8  # chunks of a block, before the rest of it is read line by line
_SAMPLE: Final = 100
_LEARN_PERCENT: Final = 2
_LEARN_TIMES: Final = 20


def read_jsonl_fast(
    shard: Shard,
    source: JsonLinesSource,
    dataset: Dataset,
    stream: Callable[[int, int], Iterator[bytes]],
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Batch]:
    """The records of the shard, as `read_jsonl` says them; rows that it must read itself come in batches of their own.

    Raises EncodingError for UTF-16 that is not.
    """
    arrow = JsonArrow(source, dataset)
    if source.encoding == UTF_16 or not arrow.possible:
        yield from read_jsonl(shard, source, dataset, stream)
        return
    blocks = LineBlocks(shard, source, stream, block_bytes=block_bytes)
    reader = _Reader(source, dataset, arrow, blocks.encoding)
    start = 0 if shard.start == 0 else blocks.at
    for block in blocks:
        yield reader.read(block, start, blocks.at)
        start = blocks.at
        if reader.slow.full:
            yield reader.slow_batch(start)
    yield Batch(columns=reader.to_columns([]), positions=[], raw=[], start=start, stop=blocks.at)
    yield reader.slow_batch(blocks.at)


class _Lines:
    """The lines of a block: where each begins and ends (without its line end), in bytes."""

    def __init__(self, data: bytes) -> None:
        import numpy as np

        self.data = data
        self._bytes = np.frombuffer(data, np.uint8)
        newline = self._bytes == ord("\n")
        if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
            newline[:-1] |= (self._bytes[:-1] == ord("\r")) & ~newline[1:]
            newline[-1] |= self._bytes[-1] == ord("\r")
        ends = np.flatnonzero(newline)
        if not newline[-1]:
            ends = np.append(ends, len(data))
        self.starts = np.concatenate(([0], ends[:-1] + 1))
        self.after = np.minimum(ends + 1, len(data))
        ends -= (ends > self.starts) & (self._bytes[ends - 1] == ord("\r"))
        self.ends = ends

    def __len__(self) -> int:
        return len(self.starts)

    def are_objects(self, limit: int) -> "np.ndarray[Any, Any]":
        """Which lines begin and end like one object."""
        lengths = self.ends - self.starts
        found = (lengths > 1) & (lengths <= limit)
        found &= self._bytes[self.starts.clip(max=len(self.data) - 1)] == ord("{")
        found &= self._bytes[self.ends - 1] == ord("}")
        return found


@dataclass
class _Taken:
    """What Arrow took of a block: the numbers of the lines, and their columns, part by part."""

    rows: "list[np.ndarray[Any, Any]]" = field(default_factory=list)
    columns: "list[dict[str, pa.Array]]" = field(default_factory=list)
    left: list[int] = field(default_factory=list)


class _Reader:
    def __init__(self, source: JsonLinesSource, dataset: Dataset, arrow: JsonArrow, encoding: str) -> None:
        self.to_columns = json_record.columns_of(source, dataset)
        self._declared = json_record.declared_names(source, dataset)
        self._arrow = arrow
        self._encoding = encoding
        self._limit = source.max_record_bytes
        self._line = 0
        self._learned = 0
        self.slow: Collector[Object] = Collector(self.to_columns)

    def slow_batch(self, at: int) -> Batch:
        """The rows that were read one by one."""
        slow, self.slow = self.slow, Collector(self.to_columns)
        return slow.batch(start=at, stop=at)

    def read(self, block: Block, start: int, stop: int) -> Batch:
        """The rows of a block that can be taken at once; the others are gathered in `slow`."""
        import numpy as np

        lines = _Lines(block.data)
        good = lines.are_objects(self._limit) & (not block.unended)
        blank = lines.starts == lines.ends
        text = self._as_utf_8(lines, good)
        if not self._learned:
            self._learn([self._object(block, lines, row) for row in np.flatnonzero(good)[:_SAMPLE]])
        taken = _Taken()
        self._take(text, np.flatnonzero(good), taken)
        refused: list[Refused] = []
        skipped = int(blank.sum())
        others = [*np.flatnonzero(~good & ~blank).tolist(), *taken.left]
        for row in sorted(others):
            skipped += self._read_alone(block, lines, row, refused)
        if taken.left and 100 * len(taken.left) > _LEARN_PERCENT * len(lines) and self._learned < _LEARN_TIMES:
            self._learn([self._object(block, lines, row) for row in taken.left[:_SAMPLE]])
        rows = np.sort(np.concatenate(taken.rows)) if taken.rows else np.zeros(0, np.int64)
        first, self._line = self._line + 1, self._line + len(lines)

        def raw(number: int) -> str:
            row = rows[number]
            text = lines.data[lines.starts[row] : lines.ends[row]]
            return text.decode(self._encoding).strip(json_record.WHITESPACE)

        return Batch(
            columns=_joined(taken) if taken.rows else self.to_columns([]),
            positions=_positions(rows, first),
            raw=Lazy(len(rows), raw),
            offsets=Lazy(len(rows), lambda number: block.start + int(lines.starts[rows[number]])),
            refused=refused,
            skipped=skipped,
            lines=len(lines),
            start=start,
            stop=stop,
            extra_columns=self._arrow.extra_columns if taken.rows else frozenset(),
        )

    def _learn(self, found: Sequence[Object | None]) -> None:
        self._learned += 1
        self._arrow.learn([row for row in found if row is not None])

    def _object(self, block: Block, lines: _Lines, row: int) -> Object | None:
        begin, end = int(lines.starts[row]), int(lines.ends[row])
        return read_line(block, begin, end, encoding=self._encoding, limit=self._limit).row

    def _read_alone(self, block: Block, lines: _Lines, row: int, refused: list[Refused]) -> bool:
        """Read one line as the definition says; whether it is skipped."""
        begin, end = int(lines.starts[row]), int(lines.ends[row])
        line = read_line(block, begin, end, encoding=self._encoding, limit=self._limit)
        position, offset = self._line + 1 + row, block.start + begin
        if line.defect is not None:
            refused.append(Refused(position, (line.defect.rule,), (line.defect.reason,), line.raw, offset))
        elif line.row is None:
            return True
        else:
            self.slow.add(line.row, position, line.raw, offset)
            self.slow.extra_columns.update(line.row.keys() - self._declared)
        return False

    def _as_utf_8(self, lines: _Lines, good: "np.ndarray[Any, Any]") -> _Lines:
        """The same lines in UTF-8; those with bytes that are no text are `good` no more."""
        import numpy as np

        data = lines.data
        if data.isascii() or (self._encoding == "utf-8" and is_utf_8(data)):
            return lines
        decode = codecs.getdecoder(self._encoding)
        view, at = memoryview(data), 0
        while at < len(data):
            try:
                decode(view[at:])
                break
            except UnicodeDecodeError as error:
                row = int(np.searchsorted(lines.after, at + error.start, side="right"))
                good[row] = False
                at = int(lines.after[row])
        if self._encoding == "utf-8":
            return lines
        return _Lines(data.decode(self._encoding, WRONG_BYTES).encode("utf-8", WRONG_BYTES))

    def _take(self, text: _Lines, rows: "np.ndarray[Any, Any]", taken: _Taken) -> None:
        """Take these lines, but those that Arrow cannot."""
        if not len(rows):
            return
        if self._parse(text, rows, taken) is None:
            return
        given_up = 0
        for at in range(0, len(rows), _CHUNK):
            chunk = rows[at : at + _CHUNK]
            for _ in range(_TRIES if given_up < _GIVEN_UP else 0):
                bad = self._parse(text, chunk, taken)
                if bad is None:
                    break
                taken.left.append(int(chunk[bad]))
                chunk = _without(chunk, bad)
            else:
                given_up += 1
                taken.left += chunk.tolist()

    def _parse(self, text: _Lines, rows: "np.ndarray[Any, Any]", taken: _Taken) -> int | None:
        """Take lines; None, or the index of the one that is probably the reason that they cannot be taken."""
        if not len(rows):
            return None
        part = _text(text, rows)
        try:
            columns = self._arrow.parse(part, len(rows))
        except NotParsedError as error:
            if error.row is not None:
                return min(error.row, len(rows) - 1)
            text_part = bytes(part)
            at = text_part.find(error.token) if error.token else 0
            return text_part.count(b"\n", 0, max(at, 0)) if b"\r" not in text_part else 0
        taken.rows.append(rows)
        taken.columns.append(columns)
        return None


def _text(lines: _Lines, rows: "np.ndarray[Any, Any]") -> bytes | memoryview:
    """These lines with their line ends, one after the other."""
    import numpy as np

    if rows[-1] - rows[0] + 1 == len(rows):
        return memoryview(lines.data)[lines.starts[rows[0]] : lines.after[rows[-1]]]
    breaks = np.flatnonzero(np.diff(rows) > 1) + 1
    firsts, lasts = rows[np.concatenate(([0], breaks))], rows[np.concatenate((breaks, [len(rows)])) - 1]
    spans = zip(lines.starts[firsts].tolist(), lines.after[lasts].tolist(), strict=True)
    return b"".join([lines.data[start:end] for start, end in spans])


def _without(rows: "np.ndarray[Any, Any]", index: int) -> "np.ndarray[Any, Any]":
    import numpy as np

    return np.delete(rows, index)


def _joined(taken: _Taken) -> "dict[str, pa.Array]":
    """The columns of all parts, which are in the order of their rows."""
    import pyarrow as pa

    if len(taken.columns) == 1:
        return taken.columns[0]
    return {name: pa.concat_arrays([part[name] for part in taken.columns]) for name in taken.columns[0]}


def _positions(rows: "np.ndarray[Any, Any]", first: int) -> "pa.Array":
    import pyarrow as pa

    return pa.array(rows + first, pa.int64())

"""Reads a JSON array many objects at once: the same records as `json`, which reads every element that is not plain.

The text is cut where an object seems to end and the next one to begin, by putting a line end in place of the comma
between them. No JSON text has a line end inside a string, or two values side by side without a comma inside an array or
an object; so when Arrow takes the text, and finds as many objects as there were cuts, every cut was between two
elements.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from nightlake.core.pipeline import Dataset
from nightlake.core.readers import json_record
from nightlake.core.readers.batch import Batch, Collector
from nightlake.core.readers.json import Array, Window, collect
from nightlake.core.readers.json_arrow import JsonArrow, NotParsedError
from nightlake.core.readers.json_record import DefectError, Object
from nightlake.core.readers.text import texts
from nightlake.core.shard import Shard
from nightlake.core.source import JsonSource, TextValues

WINDOW: Final = 1 << 20  # characters
_SMALLEST: Final = 1 << 14
_SHRINK: Final = 8
_SAMPLE: Final = 50
_LEARN_TIMES: Final = 20
_BETWEEN: Final = re.compile(r'[ \t\n\r]*,[ \t\n\r]*(\{[ \t\n\r]*"(?:[^"\\]|\\.)*")')


def read_json_fast(
    shard: Shard,
    source: JsonSource,
    dataset: Dataset,
    stream: Callable[[int, int], Iterator[bytes]],
    *,
    window: int = WINDOW,
) -> Iterator[Batch]:
    """The records of the array, as `read_json` says them; those that it must read itself come in batches of their own.

    Raises JsonSyntaxError, JsonTruncatedError, or EncodingError for UTF-16 that is not.
    """
    where = shard.object.key
    pieces = texts(stream(shard.start, shard.end), source.encoding, where=where)
    return read_array(pieces, source, dataset, encoding=source.encoding, where=where, window=window)


def read_array(
    pieces: Iterator[str],
    source: TextValues,
    dataset: Dataset,
    *,
    encoding: str = "utf-8",
    where: str,
    window: int = WINDOW,
) -> Iterator[Batch]:
    """The records of an array that comes in pieces of text; wrong bytes of its `encoding` are lone surrogates.

    Raises JsonSyntaxError or JsonTruncatedError.
    """
    to_columns = json_record.columns_of(source, dataset)
    declared = json_record.declared_names(source, dataset)
    array = Array(Window(pieces), where)
    slow: Collector[Object] = Collector(to_columns)
    fast = _Fast(array, JsonArrow(source, dataset), window)
    while array.more():
        batch = fast.batch()
        if batch is not None:
            yield batch
            continue
        if slow.full:
            yield slow.batch()
            slow = Collector(to_columns)
        collect(array, slow, encoding, declared)
    yield slow.batch()


class _Fast:
    """Takes windows of elements of an array; smaller ones, and none for a while, where that fails."""

    def __init__(self, array: Array, arrow: JsonArrow, largest: int) -> None:
        self._array = array
        self._arrow = arrow
        self._largest = self._size = largest
        self._smallest = min(largest, _SMALLEST)
        self._between = ""  # what stands between elements: from } to the first name of the next one, if all have it
        self._learned = 0
        self._next = 0
        self._failures = 0

    def batch(self) -> Batch | None:
        """The elements that follow, if they can be taken at once."""
        window = self._array.window
        while self._arrow.possible and window.passed >= self._next:
            window.fill(self._size)
            if not self._learned:
                self._learn()
            taken = self._take()
            if taken is not None:
                self._size = min(2 * self._size, self._largest)
                self._failures = 0
                return taken
            if self._size == self._smallest:
                if self._learned < _LEARN_TIMES:
                    self._learn()
                self._next = window.passed + (self._size << min(self._failures, 6))
                self._failures += 1
            self._size = max(self._size // _SHRINK, self._smallest)
        return None

    def _learn(self) -> None:
        """See in the elements at hand what they have, and what stands between them."""
        text, at = self._array.window.text, self._array.window.at
        self._learned += 1
        rows: list[Object] = []
        between = set[str]()
        while len(rows) < _SAMPLE:
            try:
                value, end = json_record.decode(text, at)
                row = json_record.check(value, text[at:end])
            except (DefectError, ValueError):
                break
            following = _BETWEEN.match(text, end)
            if following is None:
                break
            rows.append(row)
            between.add(text[end - 1 : following.end()])
            at = following.start(1)
        self._arrow.learn(rows)
        first = min(between, default="")
        same = len(between) == 1
        self._between = first if same else first[: first.find("{") + 1]

    def _take(self) -> Batch | None:
        window = self._array.window
        last = window.text.rfind(self._between, window.at, window.at + self._size) if self._between else -1
        if last < 0:
            return None
        text = window.text[window.at : last + 1]
        count = text.count(self._between) + 1
        try:
            cut = text.replace(self._between, self._between.replace(",", "\n", 1)).encode()
            columns = self._arrow.parse(cut, count)
        except (NotParsedError, UnicodeEncodeError):
            return None
        first = self._array.index + 1
        window.at = last + 1
        self._array.index += count
        return Batch(
            columns=columns,
            positions=range(first, first + count),
            raw=_Raw(text, self._between, count),
            offsets=[None] * count,
            extra_columns=self._arrow.extra_columns,
        )


@dataclass(frozen=True)
class _Raw(Sequence[str]):
    """The texts of the elements, made when they are asked for."""

    text: str
    between: str
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: Any) -> Any:
        return self._parts[index]

    @cached_property
    def _parts(self) -> list[str]:
        after = self.between[self.between.index("{") :]
        first, *others = self.text.split(self.between)
        texts = [first, *(after + text for text in others)]
        return [*(text + "}" for text in texts[:-1]), texts[-1]]

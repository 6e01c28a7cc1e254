"""Reads one JSON array of objects as a stream: what is kept of the text is one record and what came with it."""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Final

from nightlake.core.errors import JsonSyntaxError, JsonTruncatedError
from nightlake.core.pipeline import Dataset
from nightlake.core.readers import json_record
from nightlake.core.readers.batch import Batch, Collector, Refused
from nightlake.core.readers.json_record import DefectError, Object
from nightlake.core.readers.text import texts, visible
from nightlake.core.shard import Shard
from nightlake.core.source import JsonSource

RECORD_LIMIT: Final = 1 << 24  # characters
_NO_BLANK: Final = re.compile(f"[^{json_record.WHITESPACE}]")
_NO_ARRAY: Final = "{} does not begin with [; deliver one array, or declare jsonl for one object a line"
_ANY: Final = json.JSONDecoder(parse_int=str, parse_float=str)


class Window:
    """The part of the text that is not yet read; it grows on demand and forgets what was read."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self.text = ""
        self.at = 0
        self.ended = False
        self._before = 0

    @property
    def passed(self) -> int:
        """So many characters were read."""
        return self._before + self.at

    def grow(self) -> None:
        """Get at least as much again as there is: then what is decoded anew with every growth stays linear."""
        self.fill(2 * (len(self.text) - self.at) + 1)

    def fill(self, wanted: int) -> None:
        """Have so many characters at hand, or all that there are."""
        if len(self.text) - self.at >= wanted:
            return
        gained = [self.text[self.at :]]
        length = len(gained[0])
        while length < wanted and not self.ended:
            piece = next(self._pieces, None)
            self.ended = piece is None
            gained.append(piece or "")
            length += len(gained[-1])
        self._before += self.at
        self.text, self.at = "".join(gained), 0

    def at_end(self) -> bool:
        """Whether nothing but whitespace is left, which is skipped."""
        while True:
            found = _NO_BLANK.search(self.text, self.at)
            self.at = found.start() if found else len(self.text)
            if self.at < len(self.text):
                return False
            if self.ended:
                return True
            self.grow()

    def skip(self, character: str) -> bool:
        """Whether this character comes next, after whitespace; it is skipped, too."""
        found = not self.at_end() and self.text[self.at] == character
        self.at += found
        return found


def read_json(
    shard: Shard, source: JsonSource, dataset: Dataset, stream: Callable[[int, int], Iterator[bytes]]
) -> Iterator[Batch]:
    """The records of the array; refused is what is no object, has a name twice, or wrong bytes.

    Raises JsonSyntaxError, JsonTruncatedError, or EncodingError for UTF-16 that is not.
    """
    to_columns = json_record.columns_of(source, dataset)
    declared = json_record.declared_names(source, dataset)
    array = Array(
        Window(texts(stream(shard.start, shard.end), source.encoding, where=shard.object.key)), shard.object.key
    )
    collector = Collector(to_columns)
    while array.more():
        if collector.full:
            yield collector.batch()
            collector = Collector(to_columns)
        collect(array, collector, source.encoding, declared)
    yield collector.batch()


def collect(array: "Array", into: Collector[Object], encoding: str, declared: frozenset[str]) -> None:
    """Read the next element of the array and say what it is."""
    value, raw = array.take()
    try:
        if isinstance(value, DefectError):
            raise value
        row = json_record.check(value, raw)
    except DefectError as error:
        refused = Refused(array.index, (error.rule,), (error.reason,), visible(raw, encoding))
        into.refused.append(refused)
    else:
        into.add(row, array.index, raw)
        into.extra_columns.update(row.keys() - declared)


class Array:
    """The elements of one array, one after the other; `index` is the number of the last one."""

    def __init__(self, window: Window, where: str) -> None:
        self.window = window
        self.index = 0
        self._where = where
        self._begun = False

    def more(self) -> bool:
        """Whether there is another element, and the window is at its first character."""
        window = self.window
        if not self._begun:
            self._begun = True
            self._begin()
            ended = window.skip("]")
        else:
            ended = window.skip("]")
            if not ended and not window.skip(","):
                raise self._broken(f"after record {self.index} comes no comma and no ]", window.at)
        if ended and not window.at_end():
            raise JsonSyntaxError(f"{self._where} goes on after its array ended; deliver one array and nothing else")
        if not ended:
            window.at_end()
        return not ended

    def _begin(self) -> None:
        if not self.window.skip("["):
            if not self.window.text:
                raise JsonTruncatedError(f"{self._where} is empty; deliver a JSON array, [] when there is nothing")
            raise JsonSyntaxError(_NO_ARRAY.format(self._where))

    def take(self) -> tuple[object, str]:
        """The element with its text; a DefectError in place of one that cannot be taken."""
        self.index += 1
        window = self.window
        while True:
            try:
                value, end = _decode(window.text, window.at)
            except (ValueError, RecursionError) as error:
                if window.ended or len(window.text) - window.at > RECORD_LIMIT:
                    said = f"record {self.index} is not JSON ({_said(error, window.at)})"
                    raise self._broken(said, _wrong_at(error)) from None
            else:
                # a number may go on in the next piece
                if end < len(window.text) or window.ended:
                    raw = window.text[window.at : end]
                    window.at = end
                    return value, raw
            window.grow()

    def _broken(self, reason: str, at: int) -> JsonSyntaxError | JsonTruncatedError:
        """The error for a text that does not go on as it should at `at`; at or beyond its end, it is cut off."""
        at -= self.window.at
        self.window.fill(RECORD_LIMIT)  # what the error is called depends on no piece
        at += self.window.at
        text = self.window.text.rstrip(json_record.WHITESPACE)
        if self.window.ended and (at >= len(text) or not text.endswith("]")):
            return JsonTruncatedError(f"{self._where} ends in the middle of its array; deliver the whole object")
        return JsonSyntaxError(f"{self._where} is not one JSON array of objects: {reason}")


def _decode(text: str, start: int) -> tuple[object, int]:
    try:
        return json_record.decode(text, start)
    except DefectError as defect:
        return defect, _ANY.raw_decode(text, start)[1]


def _said(error: ValueError | RecursionError, begin: int) -> str:
    """The error of the record that begins there; the place that Python names is one of a window."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    return f"{error.msg}: character {error.pos - begin + 1:,} of the record"


def _wrong_at(error: ValueError | RecursionError) -> int:
    """Where in the text the error is: at its end for a string that never ends; its start where nobody knows."""
    if not isinstance(error, json.JSONDecodeError):
        return 0
    return len(error.doc) if error.msg.startswith("Unterminated") else error.pos


def check_ends(head: bytes, tail: bytes, *, where: str) -> None:
    """Look at the first and last bytes of an object that is not UTF-16, as far as they tell anything.

    Raises JsonSyntaxError or JsonTruncatedError as the reader would.
    """
    first = head.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if first not in {b"[", b""}:
        raise JsonSyntaxError(_NO_ARRAY.format(where))
    last = tail.rstrip()[-1:]
    if last not in {b"]", b""}:
        raise JsonTruncatedError(f"{where} does not end with ]; deliver the whole array and nothing else")

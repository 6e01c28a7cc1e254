"""Reads one JSON array of objects as a stream: what is kept of the text is one record and what came with it."""

import codecs
import json
from collections.abc import Callable, Iterator
from typing import Final

from nightlake.core.errors import JsonSyntaxError, JsonTruncatedError
from nightlake.core.pipeline import Dataset
from nightlake.core.readers import json_record
from nightlake.core.readers.batch import Batch, Collector, Refused
from nightlake.core.readers.text import texts, visible
from nightlake.core.shard import Shard
from nightlake.core.source import JsonSource

RECORD_LIMIT: Final = 1 << 26
_NO_ARRAY: Final = "{} does not begin with [; deliver one array, or declare jsonl for one object a line"
_ANY: Final = json.JSONDecoder(parse_int=str, parse_float=str)


class _Window:
    """The part of the text that is not yet read; it grows on demand and forgets what was read."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self.text = ""
        self.at = 0
        self.ended = False

    def grow(self) -> None:
        """Get at least as much again as there is: then what is decoded anew with every growth stays linear."""
        rest = self.text[self.at :]
        gained = [rest]
        while sum(map(len, gained[1:])) <= len(rest):
            piece = next(self._pieces, None)
            if piece is None:
                self.ended = True
                break
            gained.append(piece)
        self.text, self.at = "".join(gained), 0

    def at_end(self) -> bool:
        """Whether nothing but whitespace is left, which is skipped."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in json_record.WHITESPACE:
                self.at += 1
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
    where = shard.object.key
    window = _Window(texts(stream(shard.start, shard.end), source.encoding, where=where))
    collector = Collector(to_columns)
    for position, (value, raw) in enumerate(_elements(window, where), start=1):
        if collector.full:
            yield collector.batch()
            collector = Collector(to_columns)
        try:
            if isinstance(value, json_record.DefectError):
                raise value
            row = json_record.check(value, raw)
        except json_record.DefectError as error:
            text = visible(raw, source.encoding)
            collector.refused.append(Refused(position, (error.rule,), (error.reason,), text))
        else:
            collector.add(row, position, raw)
            collector.extra_columns.update(row.keys() - declared)
    yield collector.batch()


def _elements(window: _Window, where: str) -> Iterator[tuple[object, str]]:
    """Every element of the array with its text; a DefectError in place of one that cannot be taken."""
    if not window.skip("["):
        if not window.text:
            raise JsonTruncatedError(f"{where} is empty; deliver a JSON array, [] when there is nothing")
        raise JsonSyntaxError(_NO_ARRAY.format(where))
    index = 0
    ended = window.skip("]")
    while not ended:
        index += 1
        yield _element(window, where, index)
        ended = window.skip("]")
        if not ended and not window.skip(","):
            raise _broken(window, where, f"after record {index} comes no comma and no ]", window.at)
    if not window.at_end():
        raise JsonSyntaxError(f"{where} goes on after its array ended; deliver one array and nothing else")


def _element(window: _Window, where: str, index: int) -> tuple[object, str]:
    window.at_end()
    while True:
        try:
            value, end = _decode(window.text, window.at)
        except (ValueError, RecursionError) as error:
            if window.ended or len(window.text) - window.at > RECORD_LIMIT:
                raise _broken(window, where, f"record {index} is not JSON ({error})", _wrong_at(error)) from None
        else:
            # a number may go on in the next piece
            if end < len(window.text) or window.ended:
                raw = window.text[window.at : end]
                window.at = end
                return value, raw
        window.grow()


def _decode(text: str, start: int) -> tuple[object, int]:
    try:
        return json_record.EXACT.raw_decode(text, start)
    except json_record.DefectError as defect:
        return defect, _ANY.raw_decode(text, start)[1]


def _wrong_at(error: ValueError | RecursionError) -> int:
    """Where in the text the error is: at its end for a string that never ends; its start where nobody knows."""
    if not isinstance(error, json.JSONDecodeError):
        return 0
    return len(error.doc) if error.msg.startswith("Unterminated") else error.pos


def _broken(window: _Window, where: str, reason: str, at: int) -> JsonSyntaxError | JsonTruncatedError:
    """The error for a text that does not go on as it should at `at`; at or beyond its end, it is cut off."""
    text = window.text.rstrip(json_record.WHITESPACE)
    if window.ended and (at >= len(text) or not text.endswith("]")):
        return JsonTruncatedError(f"{where} ends in the middle of its array; deliver the whole object")
    return JsonSyntaxError(f"{where} is not one JSON array of objects: {reason}")


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

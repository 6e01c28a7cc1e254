"""An answer of JSON as text: where its records stand in it and how many they are, without building them."""

import codecs
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from nightlake.core.errors import AnswerNotJsonError, AnswerShapeError, AnswerTruncatedError
from nightlake.core.readers.text import WRONG_BYTES

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_CHARSET: Final = re.compile(r'charset\s*=\s*"?([A-Za-z0-9._:-]+)', re.IGNORECASE)
_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins with the mark of UTF-16
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
Steps = tuple[str, ...]

_CLOSING: Final = {"{": "}", "[": "]"}
_SHOWN: Final = 200
_NAMED: Final = 10


def _nothing(_pairs: object) -> None:
    return None


# Objects are checked and forgotten: what is counted need not be kept.
_SKIP: Final = json.JSONDecoder(object_pairs_hook=_nothing)
_SKIP_LONG_NUMBERS: Final = json.JSONDecoder(object_pairs_hook=_nothing, parse_int=float)
_STRING: Final = json.JSONDecoder()


@dataclass(frozen=True)
class Span:
    """The characters `start` to `end` (exclusive) of an answer: a list or lists of so many items, or one object."""

    start: int
    end: int
    count: int
    kind: Literal["list", "object", "null"]


@dataclass(frozen=True)
class Answer:
    """What was found in one answer: its records, each column where it has columns, and other values by their paths.

    A path that leads to nothing is not in `values`.
    """

    records: Span
    columns: Mapping[str, Span]
    values: Mapping[str, Any]

    @property
    def count(self) -> int:
        """So many records."""
        return self.records.count


def decode(body: bytes, content_type: str, *, where: str) -> str:
    """The body as text, wrong bytes of UTF-8 as lone surrogates; its mark is left out.

    Raises AnswerNotJsonError for a charset that is none, or bytes that are not in it.
    """
    try:
        name = _encoding(body, content_type)
        return body.decode(name, WRONG_BYTES if name.startswith("utf-8") else "strict")
    except (LookupError, UnicodeDecodeError):
        raise AnswerNotJsonError(
            f"{where} is not in the charset that it names ({content_type!r}); let the API answer UTF-8"
        ) from None


def _encoding(body: bytes, content_type: str) -> str:
    for mark, encoding in _MARKS.items():
        if body.startswith(mark):
            return encoding
    found = _CHARSET.search(content_type)
    name = codecs.lookup(found[1]).name if found else "utf-8"
    return "utf-8" if name == "ascii" else name


def find(
    text: str, *, records: str, layout: Literal["rows", "columns"], values: Iterable[str] = (), where: str
) -> Answer:
    """What stands at these paths of the answer.

    Raises AnswerNotJsonError or AnswerTruncatedError for what is not one JSON text, AnswerShapeError where `records`
    leads to nothing, or to what has not that layout, and for a name on the way that stands twice in one object.
    """
    scan = _Scan(text, records, layout, frozenset(values), where)
    try:
        return scan.answer()
    except RecursionError:
        raise AnswerNotJsonError(f"{where} is nested too deep; ask the API's owner") from None
    except json.JSONDecodeError as error:
        raise _no_json(text, error, where) from None


def _no_json(text: str, error: json.JSONDecodeError, where: str) -> AnswerNotJsonError | AnswerTruncatedError:
    begun, ended = text.lstrip(), text.rstrip()
    if not begun:
        return AnswerTruncatedError(f"{where} is empty; ask again, or ask the API's owner")
    if (
        error.msg != "Extra data"
        and begun[0] in _CLOSING
        and (error.pos >= len(ended) or ended[-1] != _CLOSING[begun[0]])
    ):
        return AnswerTruncatedError(
            f"{where} ends in the middle of its JSON, after {len(text):,} characters; ask again"
        )
    # Of a page its beginning says what it is; anything else may hold what is private.
    begins = f", it begins {excerpt(text)!r}" if begun[0] == "<" else ""
    return AnswerNotJsonError(
        f"{where} is no JSON ({error.msg}, character {error.pos + 1:,}){begins}; ask the API's owner"
    )


def excerpt(text: str) -> str:
    """The beginning of a text, as one line that can be shown."""
    shown = " ".join(text[: 4 * _SHOWN].split())[:_SHOWN]
    return shown.encode("ascii", "backslashreplace").decode()


def _steps(path: str) -> Steps:
    return tuple(path.split(".")) if path else ()


class _Scan:
    """Walks the objects on the way to the paths, and steps over everything else."""

    def __init__(self, text: str, records: str, layout: str, values: frozenset[str], where: str) -> None:
        self._text = text
        self._told = records
        self._place = repr(records) if records else "its top"
        self._records = _steps(records)
        self._layout = layout
        self._wanted = {_steps(path): path for path in values}
        self._where = where
        self._span: Span | None = None
        self._columns: dict[str, Span] = {}
        self._names: list[str] = []
        self._values: dict[str, Any] = {}
        self._ends = {self._records, *self._wanted}
        self._ways = {path[:depth] for path in self._ends for depth in range(len(path))}

    def answer(self) -> Answer:
        at = self._blank(0)
        end = self._value(at, ())
        after = self._blank(end)
        if after < len(self._text):
            raise json.JSONDecodeError("Extra data", self._text, after)
        if self._span is None:
            has = ", ".join(map(repr, self._names)) or "nothing that has a name"
            raise self._shapeless(f"has no {self._told!r}, where its records should be: it has {has}")
        return Answer(self._span, self._columns, self._values)

    def _walk(self, at: int, path: Steps) -> int:
        """Go through the object that begins there; where it ends."""
        seen = set[str]()
        at = self._blank(at + 1)
        if self._text[at : at + 1] == "}":
            return at + 1
        while True:
            name, at = self._name(at)
            if not path and len(self._names) < _NAMED:
                self._names.append(name)
            here = (*path, name)
            if here in self._ways or here in self._ends:
                if name in seen:
                    raise self._shapeless(f"has {'.'.join(here)!r} twice")
                seen.add(name)
            at = self._value(at, here)
            at = self._blank(at)
            if self._text[at : at + 1] == "}":
                return at + 1
            at = self._comma(at)

    def _name(self, at: int) -> tuple[str, int]:
        """The name of a member, and where its value begins."""
        if self._text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", self._text, at)
        name, at = _STRING.raw_decode(self._text, at)
        at = self._blank(at)
        if self._text[at : at + 1] != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", self._text, at)
        return name, self._blank(at + 1)

    def _comma(self, at: int) -> int:
        if self._text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", self._text, at)
        return self._blank(at + 1)

    def _value(self, at: int, path: Steps) -> int:
        """Take, walk or step over the value; where it ends."""
        is_object = self._text[at : at + 1] == "{"
        if path == self._records:
            end = self._take(at, path)
        elif is_object and path in self._ways:
            end = self._walk(at, path)
        else:
            end = self._skip(at)[1]
        if path in self._wanted:
            self._values[self._wanted[path]] = exact(self._text[at:end])
        return end

    def _take(self, at: int, path: Steps) -> int:
        """Note where the records are."""
        first = self._text[at : at + 1]
        if first == "{" and (self._layout == "columns" or path in self._ways):
            return self._object(at, path)
        value, end = self._skip(at)
        if first == "[" and self._layout == "rows":
            self._span = Span(at, end, len(value), "list")
        elif first == "{":
            self._span = Span(at, end, 1, "object")
        elif first == "n":
            self._span = Span(at, end, 0, "null")
        else:
            wanted = "list of objects" if self._layout == "rows" else "object of lists"
            raise self._shapeless(f"has no {wanted} at {self._place}")
        return end

    def _object(self, at: int, path: Steps) -> int:
        if self._layout == "rows":
            end = self._walk(at, path)
            self._span = Span(at, end, 1, "object")
            return end
        end = self._lists(at)
        counts = {span.count for span in self._columns.values()}
        if len(counts) > 1:
            told = ", ".join(f"{name!r} {span.count:,}" for name, span in self._columns.items())
            raise self._shapeless(f"has columns of unequal length at {self._place}: {told}")
        self._span = Span(at, end, counts.pop() if counts else 0, "object")
        return end

    def _lists(self, at: int) -> int:
        """Note where each column is; where the object of them ends."""
        at = self._blank(at + 1)
        if self._text[at : at + 1] == "}":
            return at + 1
        while True:
            name, at = self._name(at)
            value, end = self._skip(at)
            if self._text[at] != "[":
                raise self._shapeless(f"has no list, which is a column, at {f'{self._told}.{name}'!r}")
            if name in self._columns:
                raise self._shapeless(f"has the column {name!r} twice")
            self._columns[name] = Span(at, end, len(value), "list")
            del value
            at = self._blank(end)
            if self._text[at : at + 1] == "}":
                return at + 1
            at = self._comma(at)

    def _skip(self, at: int) -> tuple[Any, int]:
        """Check the value that begins there; a list of as many things, and where it ends."""
        try:
            return _SKIP.raw_decode(self._text, at)
        except json.JSONDecodeError:
            raise
        except ValueError:  # a whole number of more digits than Python takes
            return _SKIP_LONG_NUMBERS.raw_decode(self._text, at)

    def _blank(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return at if found is None else found.end()

    def _shapeless(self, what: str) -> AnswerShapeError:
        return AnswerShapeError(f"{self._where} {what}; mend `records` or `layout`, or ask the API's owner")


def exact(text: str) -> Any:
    """A value of JSON, its numbers as Decimal; None for what is none."""
    from nightlake.core.readers.json_record import DefectError, decode

    try:
        return decode(text)[0]
    except (DefectError, ValueError):
        return None

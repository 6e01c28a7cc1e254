"""An answer of JSON as text: where its records stand in it and how many they are, without building them."""

import codecs
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final, Literal

from nightlake.core.errors import AnswerNotJsonError, AnswerShapeError, AnswerTruncatedError, ApiRefusedError
from nightlake.core.http_records import Layout, items, lines, members, skip
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
_CLOSING: Final = {"{": "}", "[": "]"}
_SHOWN: Final = 200
_NAMED: Final = 10
_WANTED: Final = {
    "rows": "list of objects",
    "columns": "object of lists",
    "keyed": "object of records",
    "arrays": "list of lists",
    "table": "list of lists",
    "values": "list of values",
}
_PLACE: Final = re.compile(r"\.[0-9]+(?=\.|$)")
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

    A path that leads to nothing is not in `values`; `last` is what the last record has at the path that was asked for,
    `names` are those of the columns where they are told apart from the records.
    """

    records: Span
    columns: Mapping[str, Span]
    values: Mapping[str, Any]
    last: Any = None
    names: tuple[str, ...] = ()

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
    text: str,
    *,
    records: str,
    layout: Layout,
    values: Iterable[str] = (),
    last: str | None = None,
    optional: bool = False,
    error: str | None = None,
    where: str,
) -> Answer:
    """What stands at these paths of the answer, and at the path `last` of its last record.

    A step of a path is the name of a member, which may have dots, or the place of an element, from 0. Where records
    are `optional`, an answer without any has none. Raises AnswerNotJsonError or AnswerTruncatedError for what is not
    one JSON text (or one a line), AnswerShapeError where `records` leads to nothing, or to what has not that layout,
    and for a name on the way that stands twice; ApiRefusedError for something at the path `error`.
    """
    try:
        if layout == "lines":
            answer = _lines(text)
        else:
            wanted = frozenset(values) | ({error} if error else frozenset())
            answer = _Scan(text, records, layout, wanted, where).answer(optional=optional, error=error)
    except RecursionError:
        raise AnswerNotJsonError(f"{where} is nested too deep; ask the API's owner") from None
    except json.JSONDecodeError as fault:
        raise _no_json(text, fault, where) from None
    return answer if last is None else replace(answer, last=_of_last(text, answer.records, layout, last))


def _lines(text: str) -> Answer:
    count = 0
    for start, end in lines(text):
        after = skip(text, _blank(text, start))[1]
        if after > end or text[after:end].strip():
            raise json.JSONDecodeError("Extra data", text, min(after, end))
        count += 1
    return Answer(Span(0, len(text), count, "list"), {}, {})


def _of_last(text: str, span: Span, layout: Layout, path: str) -> Any:
    """What the last record has at the path."""
    from nightlake.core.readers import json_record

    if not span.count:
        return None
    start, end = span.start, span.end
    if span.kind == "list":
        for start, end in lines(text) if layout == "lines" else items(text, span.start):  # noqa: B007
            pass
    record = exact(text[start:end].strip())
    return json_record.find(record, path) if isinstance(record, dict) else None


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


def _blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()


def _way(path: str) -> str:
    """A path as a walk spells it: a dot before each step, so that a name with dots is as many steps."""
    return f".{path}" if path else ""


class _Scan:
    """Walks the objects on the way to the paths, and steps over everything else."""

    def __init__(self, text: str, records: str, layout: Layout, values: frozenset[str], where: str) -> None:
        self._text = text
        self._told = records
        self._place = repr(records) if records else "its top"
        self._records = _way(records)
        self._layout = layout
        self._wanted = {_way(path): path for path in values}
        self._where = where
        self._span: Span | None = None
        self._columns: dict[str, Span] = {}
        self._names: list[str] = []
        self._header: tuple[str, ...] = ()
        self._values: dict[str, Any] = {}
        self._seen = set[str]()
        self._ends = {self._records, *self._wanted}
        self._ways = {end[:at] for end in self._ends for at, letter in enumerate(end) if letter == "."}
        self._lists = {end[: place.start()] for end in self._ends for place in _PLACE.finditer(end)}

    def answer(self, *, optional: bool, error: str | None) -> Answer:
        at = self._blank(0)
        end = self._value(at, "")
        after = self._blank(end)
        if after < len(self._text):
            raise json.JSONDecodeError("Extra data", self._text, after)
        if error and (said := self._values.get(error)):
            told = json.dumps(said, default=str) if isinstance(said, dict | list | bool) else str(said)
            raise ApiRefusedError(f"{self._where} says at {error!r}: {excerpt(told)}; mend what the source asks")
        if self._span is None and optional:
            self._span = Span(0, 0, 0, "null")
        if self._span is None:
            has = ", ".join(map(repr, self._names)) or "nothing that has a name"
            if self._text[at] == "[":
                has = f"a list at its top, of answers (see `split`) or with records in one place, as '0.{self._told}'"
            raise self._shapeless(f"has no {self._told!r}, where its records should be: it has {has}")
        return Answer(self._span, self._columns, self._values, names=self._header or tuple(self._columns))

    def _walk(self, at: int, path: str) -> int:
        """Go through the object that begins there; where it ends."""
        at = self._blank(at + 1)
        if self._text[at : at + 1] == "}":
            return at + 1
        while True:
            name, at = self._name(at)
            if not path and len(self._names) < _NAMED:
                self._names.append(name)
            at = self._value(at, f"{path}.{name}")
            at = self._blank(at)
            if self._text[at : at + 1] == "}":
                return at + 1
            at = self._comma(at)

    def _elements(self, at: int, path: str) -> int:
        """Go through the list that begins there; where it ends."""
        at = self._blank(at + 1)
        if self._text[at : at + 1] == "]":
            return at + 1
        for place in count():
            at = self._value(at, f"{path}.{place}")
            at = self._blank(at)
            if self._text[at : at + 1] == "]":
                break
            at = self._comma(at)
        return at + 1

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

    def _value(self, at: int, path: str) -> int:
        """Take, walk or step over the value; where it ends."""
        first = self._text[at : at + 1]
        if path in self._ways or path in self._ends:
            if path in self._seen:
                raise self._shapeless(f"has {path[1:]!r} twice")
            self._seen.add(path)
        if path == self._records:
            end = self._take(at, path)
        elif first == "{" and path in self._ways:
            end = self._walk(at, path)
        elif first == "[" and path in self._lists:
            end = self._elements(at, path)
        else:
            end = skip(self._text, at)[1]
        if path in self._wanted:
            self._values[self._wanted[path]] = exact(self._text[at:end])
        return end

    def _take(self, at: int, path: str) -> int:
        """Note where the records are."""
        first = self._text[at : at + 1]
        if first == "{" and self._layout == "columns":
            return self._object_of_lists(at)
        value: Any = None
        if first == "{" and path in self._ways:
            end = self._walk(at, path)
        else:
            value, end = skip(self._text, at)
        if first == "[" and (self._layout in ("rows", "arrays", "values") or not value):  # some write {} as []
            self._span = Span(at, end, len(value), "list")
        elif first == "[" and self._layout == "table":
            self._header = self._header_of(at)
            self._span = Span(at, end, len(value) - 1, "list")
        elif first == "{" and self._layout in ("rows", "keyed"):
            number = 1 if self._layout == "rows" else sum(1 for _ in members(self._text, at))
            self._span = Span(at, end, number, "object")
        elif first == "n":
            self._span = Span(at, end, 0, "null")
        else:
            raise self._shapeless(f"has no {_WANTED[self._layout]} at {self._place}")
        return end

    def _header_of(self, at: int) -> tuple[str, ...]:
        """The first list of a table: names."""
        start, end = next(items(self._text, at))
        names = exact(self._text[start:end])
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise self._shapeless(f"has no names in the first list at {self._place}")
        return tuple(names)

    def _object_of_lists(self, at: int) -> int:
        end = self._lists_of(at)
        counts = {span.count for span in self._columns.values()}
        if len(counts) > 1:
            told = ", ".join(f"{name!r} {span.count:,}" for name, span in self._columns.items())
            raise self._shapeless(f"has columns of unequal length at {self._place}: {told}")
        self._span = Span(at, end, counts.pop() if counts else 0, "object")
        return end

    def _lists_of(self, at: int) -> int:
        """Note where each column is; where the object of them ends."""
        at = self._blank(at + 1)
        if self._text[at : at + 1] == "}":
            return at + 1
        while True:
            name, at = self._name(at)
            value, end = skip(self._text, at)
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

    def _blank(self, at: int) -> int:
        return _blank(self._text, at)

    def _shapeless(self, what: str) -> AnswerShapeError:
        return AnswerShapeError(f"{self._where} {what}; mend `records` or `layout`, or ask the API's owner")


def exact(text: str) -> Any:
    """A value of JSON, its numbers as Decimal; None for what is none."""
    from nightlake.core.readers.json_record import DefectError, decode

    try:
        return decode(text)[0]
    except (DefectError, ValueError):
        return None

"""The rows of an excerpt, by the names that the file has for its columns."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from nightlake.core.infer.dialect import as_bytes, decoded, records
from nightlake.core.infer.excerpt import Excerpt
from nightlake.core.source import CsvSource

_MOST: Final = 0.9
_LINE_END: Final = re.compile("\r\n|\n|\r")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


@dataclass(frozen=True)
class Sample:
    """Some rows of a file: the values of each column by its name, texts or what JSON has; None where one is missing.

    `whole` says that they are all rows of the file; `odd` counts what could not be read, `quoted` rows with quotes.
    """

    columns: Mapping[str, list[Any]]
    rows: int
    whole: bool
    odd: int = 0
    quoted: int = 0


def csv_sample(excerpt: Excerpt, source: CsvSource) -> Sample:
    """The rows that have as many fields as most; without a header, columns are called `column_1` and so on."""
    rows: list[tuple[str, ...]] = []
    names: tuple[str, ...] = ()
    odd = quoted = 0
    mark = (source.quote or "").encode()
    for number, part in enumerate(excerpt.parts):
        data = as_bytes(part, source.encoding)
        data = _after_lines(data, source.skip_lines if number == 0 else 1)
        final = excerpt.ended and number == len(excerpt.parts) - 1
        found = [each for each in records(data, source, final=final) if each.kind != "skipped"]
        if number == 0 and found:
            names = found[0].fields if source.header else _numbered(found)
            found = found[1:] if source.header else found
        good = [record for record in found if record.kind == "row" and len(record.fields) == len(names)]
        if number == 0 or len(good) >= _MOST * len(found):  # a later part may begin inside quotes
            rows += [record.fields for record in good]
            odd += len(found) - len(good)
            quoted += sum(mark in data[record.start : record.end] for record in good) if mark else 0
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    by_name = {name: list(values) for name, values in zip(names, columns, strict=True)}
    return Sample(by_name, len(rows), excerpt.whole, odd, quoted)


def _numbered(found: Iterable[Any]) -> tuple[str, ...]:
    widths = [len(record.fields) for record in found if record.kind == "row"]
    width = max(set(widths), key=widths.count, default=0)
    return tuple(f"column_{number}" for number in range(1, width + 1))


def _after_lines(data: bytes, lines: int) -> bytes:
    for _ in range(lines):
        data = data[data.find(b"\n") + 1 :] if b"\n" in data else data[data.find(b"\r") + 1 :]
    return data


def json_sample(excerpt: Excerpt, encoding: str, *, lines: bool) -> Sample:
    """The objects of JSON Lines or of an array."""
    texts = [decoded(part, encoding) for part in excerpt.parts]
    found = [*(_lines(texts, ended=excerpt.ended) if lines else _elements(texts[0]))]
    objects = [value for value in found if isinstance(value, dict)]
    names = dict.fromkeys(name for value in objects for name in value)
    columns = {name: [value.get(name) for value in objects] for name in names}
    return Sample(columns, len(objects), excerpt.whole and len(objects) == len(found), len(found) - len(objects))


def _lines(texts: list[str], *, ended: bool) -> Iterator[object]:
    for number, text in enumerate(texts):
        lines = _LINE_END.split(text)
        last = len(lines) if ended and number == len(texts) - 1 else -1
        for line in lines[number > 0 : last]:
            if line.strip():
                try:
                    yield _DECODER.decode(line)
                except (ValueError, ArithmeticError, RecursionError):
                    yield None


def _elements(text: str) -> Iterator[object]:
    """The elements of an array as far as they are there whole."""
    at = text.find("[") + 1
    while True:
        while at < len(text) and text[at] in ", \t\r\n":
            at += 1
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, ArithmeticError, RecursionError):
            return
        yield value

"""How a text is written: its format, its encoding, and the dialect of delimited text."""

import codecs
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Literal

from nightlake.core.infer.excerpt import Excerpt
from nightlake.core.infer.names import column_name
from nightlake.core.readers.csv_record import Record, dialect_of, read_record
from nightlake.core.readers.text import UTF_16
from nightlake.core.source import CsvSource, Ready

Format = Literal["csv", "json", "jsonl", "parquet"]

PARQUET_MAGIC: Final = b"PAR1"
# Those of the first group that fits; times and prose are full of the last ones.
_DELIMITERS: Final = ((",", "\t", ";", "|"), ("\x01", "^", "~"), (":", " "))
_QUOTING: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"escape": "backslash"},
    {"quote": "'"},
    {"quote": None},
)
_LOOKED_AT_BYTES: Final = 64 << 10
_LOOKED_AT_RECORDS: Final = 200
_MOST: Final = 0.7
_PREAMBLE_RECORDS: Final = 20
_UNDEFINED_IN_CP1252: Final = re.compile(b"[\x81\x8d\x8f\x90\x9d]")
_VALUE: Final = re.compile(
    r"[-+]?\.?[0-9][-+0-9.,:/ TZ%]*(?:[eE][-+]?[0-9]+)?|(?i:true|false|null|na|n/a|nan|[-+]?inf|)"
)
_YEAR: Final = re.compile("(?:19|20)[0-9]{2}")
_FEWEST_YEARS: Final = 3


def format_of(excerpt: Excerpt, encoding: str) -> Format:
    """The format, by content."""
    if excerpt.head.startswith(PARQUET_MAGIC):
        return "parquet"
    text = decoded(excerpt.head[:_LOOKED_AT_BYTES], encoding).lstrip()
    if re.match(r"\[\s*(?:[{\]]|$)", text):
        return "json"
    return "jsonl" if re.match(r'\{\s*["}]', text) else "csv"


def encoding_of(excerpt: Excerpt) -> str:
    """The encoding: by its mark, else UTF-8 where that is what most bytes are, else a Western one of single bytes."""
    if excerpt.head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return UTF_16
    content = b"\n".join(excerpt.parts)
    text = content.decode("utf-8", "surrogateescape")
    wrong = len(re.findall("[\udc80-\udcff]", text))
    edges = 0 if excerpt.whole else 6 * len(excerpt.parts)  # a part may begin and end inside a character
    right = len(re.findall("[^\x00-\x7f\udc80-\udcff]", text))
    if wrong <= max(edges, right):
        return "utf-8"
    return "latin-1" if _UNDEFINED_IN_CP1252.search(content) else "cp1252"


def decoded(content: bytes, encoding: str) -> str:
    """The text without its mark; what is no text in the encoding is replaced."""
    return content.decode("utf-8-sig" if encoding == "utf-8" else encoding, "replace")


def as_bytes(part: bytes, encoding: str) -> bytes:
    """A part as the reader of records takes it: UTF-16 in UTF-8, and without a mark."""
    if encoding == UTF_16:
        return decoded(part, encoding).encode()
    return part.removeprefix(codecs.BOM_UTF8) if encoding == "utf-8" else part


def csv_source(dataset: str, **said: Any) -> CsvSource:
    """A source of delimited text that says this."""
    path = f"{dataset}/{{date:%Y/%m/%d}}/*"
    known = {"from": "s3", "dataset": dataset, "format": "csv", "path": path, "ready": Ready(files=1)}
    return CsvSource.model_validate(known | said)


def records(data: bytes, source: CsvSource, *, final: bool) -> Iterator[Record]:
    """The records of a text, as the reader reads them; without `final`, not the last ones."""
    dialect, at = dialect_of(source), 0
    while at < len(data):
        record = read_record(data, at, dialect, None, final=final)
        if record is None:
            return
        yield record
        at = record.end


def csv_dialect(head: bytes, encoding: str, dataset: str, names: Collection[str], *, whole: bool) -> CsvSource:
    """The source of delimited text that begins with `head`; `names` are what its columns may be called, if known."""
    data = head[:_LOOKED_AT_BYTES]
    final = whole and len(data) == len(head)
    for group in _DELIMITERS:
        found = [_tried(data, final, dataset, names, delimiter=one, encoding=encoding) for one in group]
        share, _, source = max(found, key=lambda each: each[:2])
        if share >= _MOST:
            return source
    return _tried(data, final, dataset, names, delimiter=",", encoding=encoding)[2]


def _tried(data: bytes, final: bool, dataset: str, names: Collection[str], **said: Any) -> tuple[float, int, CsvSource]:
    """How good a delimiter is with the quotes that suit it best: the share of records that are alike, their fields."""
    tries = []
    for quoting in _QUOTING:
        if quoting.get("quote") == "'" and not re.search(
            rb"(?:^|[\r\n]|%b)'" % re.escape(said["delimiter"]).encode(), data
        ):
            continue
        source = csv_source(dataset, **said, **quoting)
        found, width, alike = _alike(data, source, final=final)
        if width > 1 and all(not row.fields[-1] for row in found if len(row.fields) == width):
            source = source.model_copy(update={"trailing_delimiter": True})
            found, width, alike = _alike(data, source, final=final)
        counted = sum(record.kind != "skipped" for record in found)
        share = alike / counted if width > 1 else 0.0
        tries.append((share, width, _with_header(source, found, width, names)))
    return max(tries, key=lambda each: each[0])  # the first of the best


def _alike(data: bytes, source: CsvSource, *, final: bool) -> tuple[list[Record], int, int]:
    """The first records of a text, the number of fields that most of them have, and how many those are."""
    found = [*islice(records(data, source, final=final), _LOOKED_AT_RECORDS)]
    widths = Counter(len(record.fields) for record in found if record.kind == "row")
    width, alike = widths.most_common(1)[0] if widths else (0, 0)
    return found, width, alike


def _with_header(source: CsvSource, found: Sequence[Record], width: int, names: Collection[str]) -> CsvSource:
    rows = [record for record in found if record.kind == "row" and len(record.fields) == width]
    if not rows:
        return source
    first = rows[0]
    before = [record for record in found if record.start < first.start]
    skip = sum(record.lines for record in before) if len(before) <= _PREAMBLE_RECORDS else 0
    if not _is_header(first.fields, [row.fields for row in rows[1:]], names):
        return source.model_copy(update={"header": False, "skip_lines": skip})
    if len(set(first.fields)) < width:  # names that cannot be read by
        return source.model_copy(update={"header": False, "skip_lines": skip + first.lines})
    return source.model_copy(update={"skip_lines": skip})


def _is_header(first: Sequence[str], others: Sequence[Sequence[str]], names: Collection[str]) -> bool:
    """Whether the first record names the columns: it has known names, or no values (but years in a row) of its own."""
    if any(name in names or column_name(name) in names for name in first):
        return True
    values = [field for field in first if field and _VALUE.fullmatch(field)]
    if values and not _are_years(values):
        return False
    return not any(field in {row[place] for row in others} for place, field in enumerate(first) if field)


def _are_years(fields: Sequence[str]) -> bool:
    """Whether these are columns by years: 2019, 2020, 2021."""
    if len(fields) < _FEWEST_YEARS or not all(map(_YEAR.fullmatch, fields)):
        return False
    years = [*map(int, fields)]
    return years == [*range(years[0], years[0] + len(years))]

"""How rows are written: as JSON, CSV, JSON Lines, Arrow or Parquet, whichever the caller accepts best."""

import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from nightlake.core.api.result import Result, body, records
from nightlake.core.errors import NotAcceptableError
from nightlake.core.query_result import NUMBERS

if TYPE_CHECKING:
    import pyarrow as pa

JSON: Final = "application/json"
CSV: Final = "text/csv"
JSON_LINES: Final = "application/x-ndjson"
ARROW: Final = "application/vnd.apache.arrow.stream"
PARQUET: Final = "application/vnd.apache.parquet"
HTML: Final = "text/html"
FORMATS: Final = (JSON, CSV, JSON_LINES, ARROW, PARQUET)
TEXTS: Final = (JSON, CSV, JSON_LINES, HTML)
ENDINGS: Final[Mapping[str, str]] = {
    JSON: "json",
    CSV: "csv",
    JSON_LINES: "jsonl",
    ARROW: "arrows",
    PARQUET: "parquet",
    HTML: "html",
}

_MOST_ACCEPTED: Final = 1_000
_RANGE: Final = re.compile(r"\s*([!#$&^_.+\w*-]+)/([!#$&^_.+\w*-]+)\s*((?:;[^;]*)*)", re.ASCII)
_QUALITY: Final = re.compile(r";\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", re.IGNORECASE)
# A spreadsheet takes a text that begins so for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_QUOTED: Final = re.compile(r'^$|[",\r\n]|^\s|\s$')


def choose(accept: str, offered: Sequence[str]) -> str:
    """The media type among those offered that an Accept header likes best, the first where it says nothing.

    Of a type's ranges the most specific counts; of equals, the one named first. Raises NotAcceptableError.
    """
    if not accept.strip():
        return offered[0]
    ranges = [_RANGE.fullmatch(each) for each in accept.split(",")] if len(accept) <= _MOST_ACCEPTED else []
    wishes = [
        (f"{found[1]}/{found[2]}".lower(), _quality(found[3]), place) for place, found in enumerate(ranges) if found
    ]
    best, quality, place = "", 0.0, 0
    for kind in offered:
        own, first = _liked(kind, wishes)
        if own > quality or (own == quality > 0 and first < place):
            best, quality, place = kind, own, first
    if not best:
        raise NotAcceptableError(f"Accept names nothing that is here; there are: {', '.join(offered)}")
    return best


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header wants gzip."""
    for each in accept_encoding.lower().split(","):
        coding, _, parameters = each.partition(";")
        if coding.strip() in ("gzip", "x-gzip"):
            return _quality(f";{parameters}") > 0
    return False


def write(result: Result, kind: str) -> bytes:
    """The rows in one of FORMATS; only JSON tells, besides them, which snapshot and days they are of."""
    if kind == JSON:
        return write_json(body(result))
    if kind == JSON_LINES:
        return write_json_lines(records(result))
    if kind == CSV:
        return write_csv(((name, str(each)) for name, each in result.columns), records(result))
    return write_arrow(result.rows) if kind == ARROW else write_parquet(result.rows)


def write_json(content: object) -> bytes:
    """JSON in UTF-8, without blanks between."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors="replace")


def write_json_lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    """One JSON object a line."""
    return b"".join(write_json(record) + b"\n" for record in records)


def write_csv(columns: Iterable[tuple[str, str]], records: Iterable[Mapping[str, Any]]) -> bytes:
    """RFC 4180 with a header line; `columns` are names and types, records are as JSON has them.

    Null is empty, an empty text is `""`, what is nested is JSON. A text that a spreadsheet would run as a formula gets
    an apostrophe in front; numbers are numbers.
    """
    kinds = {name: kind.partition("(")[0] in NUMBERS for name, kind in columns}
    lines = [",".join(_cell(name, is_number=False) for name in kinds)]
    lines += [
        ",".join(_cell(record[name], is_number=is_number) for name, is_number in kinds.items()) for record in records
    ]
    # A line without anything is no row for most readers.
    return "".join((line or '""') + "\r\n" for line in lines).encode(errors="replace")


def write_arrow(rows: "pa.Table") -> bytes:
    """A stream of Arrow's IPC format."""
    import pyarrow as pa

    written = io.BytesIO()
    with pa.ipc.new_stream(written, rows.schema) as stream:
        stream.write_table(rows)
    return written.getvalue()


def write_parquet(rows: "pa.Table") -> bytes:
    """A Parquet file, Snappy, as the lake's own are."""
    import pyarrow.parquet as pq

    written = io.BytesIO()
    pq.write_table(rows, written, compression="snappy")
    return written.getvalue()


def _quality(parameters: str) -> float:
    found = _QUALITY.search(parameters)
    return min(float(found[1]), 1.0) if found else 1.0


def _liked(kind: str, wishes: Iterable[tuple[str, float, int]]) -> tuple[float, int]:
    """How much a media type is liked, and which range says so."""
    specific = (kind, f"{kind.partition('/')[0]}/*", "*/*")
    found = [(specific.index(each), place, quality) for each, quality, place in wishes if each in specific]
    if not found:
        return 0.0, 0
    _, place, quality = min(found)
    return quality, place


def _cell(value: Any, *, is_number: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not is_number and isinstance(value, str) and text.startswith(_FORMULA):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text

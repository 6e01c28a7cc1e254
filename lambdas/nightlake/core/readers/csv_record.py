"""What the bytes of delimited text mean: the record that begins at one byte. Every reader of CSV equals this.

A record depends on nothing before its first byte. Read strictly, it is fields with delimiters between them, up to a
line end (LF, CRLF or CR) or the end of the text. A field that begins with a quote goes on, over line ends, to its
closing quote, after which a delimiter or the record's end must come. What cannot be read so is damage, and damage
refuses one physical line: reading goes on at the next one, so that no quote takes the lines after it along.

All records of a text are found in time linear in its length, whatever it says: while reading from one line stays in
quotes, reading from a later line begins outside of them. Each quote then opens for the one and closes for the other, or
is damage, so that at every line end one of the two is outside: no line is read ahead from twice.
"""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from nightlake.core.readers.text import UTF_16, count_lines, end_of_line
from nightlake.core.source import CsvSource

# So many bytes after a field are seen before it is known to end: a doubled quote, a delimiter or a CRLF.
_AHEAD: Final = 8
_RAW_BYTES: Final = 4096
_NEVER: Final = rb"(?!)"
_AFTER_QUOTES: Final = "has text after a closing quote: double a quote that is text"
_STRAY_QUOTE: Final = (
    "has a quote in a field that does not begin with one: put the field in quotes and double the quote, or declare "
    "stray_quotes: keep"
)

Defect = tuple[str, str]


@dataclass(frozen=True)
class Dialect:
    """What a source says of its text, in bytes; `quote` and `comment` are empty where there is none.

    `quoted` matches a quoted field with its quotes, `plain` any other field, both with the content as group 1; group 1
    of `escaped` replaces what it matches there. With `trailing`, a delimiter ends every record, too.
    """

    encoding: str
    delimiter: bytes
    quote: bytes
    comment: bytes
    trailing: bool
    limit: int
    quoted: re.Pattern[bytes]
    plain: re.Pattern[bytes]
    escaped: re.Pattern[bytes]
    escaped_in_plain: bool

    @property
    def enough(self) -> int:
        """So many bytes after its first one tell any record."""
        return 2 * (self.limit + _AHEAD)


@cache
def dialect_of(source: CsvSource) -> Dialect:
    """The dialect of a source. UTF-16 is read as UTF-8, into which it is transcoded."""
    encoding = "utf-8" if source.encoding == UTF_16 else source.encoding
    delimiter, quote, comment = (
        (text or "").encode(encoding) for text in (source.delimiter, source.quote, source.comment)
    )
    d, q = re.escape(delimiter), re.escape(quote) or _NEVER
    mark, marked = (rb"\\", rb"\\|%b|%b" % (d, q)) if source.escape == "backslash" else (q, q)
    escape = rb"%b(?:%b)" % (mark, marked)
    ends_plain = d if source.stray_quotes == "keep" else rb"%b|%b" % (d, q)
    escape_in_plain = escape if source.escape == "backslash" else _NEVER
    # bytes that begin nothing are taken at once
    nothing = rb"[^\r\n\\%b%b]++" % (re.escape(delimiter[:1]), re.escape(quote[:1]))
    in_quotes = rb"[\s\S]" if source.multiline else rb"[^\r\n]"
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        comment=comment,
        trailing=source.trailing_delimiter,
        limit=source.max_record_bytes,
        quoted=re.compile(rb"%b((?:%b|%b|(?!%b)%b)*+)%b" % (q, nothing, escape, q, in_quotes, q)),
        plain=re.compile(rb"((?:%b|%b|(?!%b)[^\r\n])*+)" % (nothing, escape_in_plain, ends_plain)),
        escaped=re.compile(rb"%b(%b)" % (mark, marked)),
        escaped_in_plain=source.escape == "backslash",
    )


@dataclass(frozen=True)
class Record:
    """A record: its bytes `start` to `end` (exclusive, with its line end) and how many physical `lines` these are.

    A `row` has `fields`; one that is `refused` has `defects`, each a rule and a reason; `skipped` is a blank line or a
    comment. `unended` is a line longer than any record may be: its rest, up to and with its line end, belongs to it.
    """

    kind: Literal["row", "refused", "skipped"]
    start: int
    end: int
    lines: int = 1
    fields: tuple[str, ...] = ()
    defects: tuple[Defect, ...] = ()
    unended: bool = False


def read_record(data: bytes, at: int, dialect: Dialect, fields: int | None, *, final: bool) -> Record | None:
    """The record of `fields` fields (None: of any number) that begins at byte `at`, which there is.

    None when more bytes are needed; never where the data is `final`, or has `dialect.enough` bytes from `at` on.
    """
    record = _read_alone(data, at, dialect, fields, final=final)
    if record is None or record.lines == 1 or "csv.fields" not in dict(record.defects):
        return record
    # Over several lines, perhaps a stray quote took good records along.
    first = end_of_line(data, at, len(data), final=final)
    if first is None:
        return None
    next_at = first[1]
    while next_at < record.end:
        other = _read_alone(data, next_at, dialect, fields, final=final)
        if other is None:
            return None
        if other.kind == "refused":
            return record
        next_at = other.end
    reason = "has a quote that would take the records after it along: double it, or put the field in quotes"
    return _made(data, at, first, dialect, defects=[("csv.quote", reason)])


def raw_text(data: bytes, record: Record, dialect: Dialect) -> str:
    r"""The text of a record without its line end, wrong bytes as `\xff`; of one that is too long, its beginning."""
    if record.unended:
        cut = data[record.start : min(record.end, record.start + _RAW_BYTES)]
        # half a character at the cut is left out
        return codecs.getincrementaldecoder(dialect.encoding)("backslashreplace").decode(cut)
    text = data[record.start : record.end].decode(dialect.encoding, "backslashreplace")
    return text.removesuffix("\n").removesuffix("\r")


def _read_alone(data: bytes, at: int, dialect: Dialect, fields: int | None, *, final: bool) -> Record | None:
    """The record as it reads without a look at the records after it."""
    is_comment = dialect.comment != b"" and data.startswith(dialect.comment, at)
    line = end_of_line(data, at, at + dialect.limit, final=final)
    if line is None:
        enough = final or len(data) > at + dialect.limit + _AHEAD
        return _too_long(at, dialect, is_comment=is_comment) if enough else None
    if is_comment or line[0] == at:
        return Record("skipped", at, line[1])
    found = _split(data, at, dialect, fields, final=final)
    if isinstance(found, str):
        return _made(data, at, line, dialect, defects=[("csv.quote", found)])
    whole = None if found is None else end_of_line(data, found.end, found.end, final=final)
    if found is None or whole is None:
        return None
    wrong = []
    if dialect.trailing and not found.trailing:
        wrong = [("csv.fields", "does not end with a delimiter, as is declared (trailing_delimiter)")]
    elif fields not in (None, found.count):
        wrong = [("csv.fields", f"has {found.count:,} fields, not {fields:,}")]
    return _made(data, at, whole, dialect, values=found.values, defects=wrong)


def _too_long(at: int, dialect: Dialect, *, is_comment: bool) -> Record:
    end = at + dialect.limit
    if is_comment:
        return Record("skipped", at, end, unended=True)
    reason = f"is longer than {dialect.limit:,} bytes: deliver it shorter, or declare a larger max_record_bytes"
    return Record("refused", at, end, defects=(("csv.too_long", reason),), unended=True)


@dataclass(frozen=True)
class _Split:
    """The first fields of a record, how many it has in all, and where it ends; `trailing`: behind a delimiter."""

    values: list[bytes]
    count: int
    end: int
    trailing: bool


def _split(data: bytes, at: int, dialect: Dialect, fields: int | None, *, final: bool) -> _Split | str | None:
    """The record's fields, the first `fields` of them; or why it has none. None when more bytes are needed."""
    stop = at + dialect.limit
    seen = len(data) if final else len(data) - _AHEAD
    values: list[bytes] = []
    count = 0
    while at <= stop:
        in_quotes = dialect.quote != b"" and data.startswith(dialect.quote, at)
        field = (dialect.quoted if in_quotes else dialect.plain).match(data, at, stop)
        if field is None:
            return None if seen < min(stop, len(data)) else "has quotes that do not close: close them in this record"
        at = field.end()
        if at > seen:
            return None
        if fields is None or count < fields:
            escaped = in_quotes or dialect.escaped_in_plain
            values.append(dialect.escaped.sub(rb"\1", field[1]) if escaped else field[1])
        count += 1
        if data.startswith(dialect.delimiter, at):
            at += len(dialect.delimiter)
        elif at == len(data) or data[at] in b"\r\n":
            trailing = dialect.trailing and count > 1 and field[0] == b""
            count -= trailing
            return _Split(values[:count], count, at, trailing)
        elif at < stop:
            return _AFTER_QUOTES if in_quotes else _STRAY_QUOTE
        else:
            break
    return f"goes on over lines for more than {dialect.limit:,} bytes: close its quotes"


def _made(
    data: bytes,
    at: int,
    line: tuple[int, int],
    dialect: Dialect,
    *,
    values: Sequence[bytes] = (),
    defects: Sequence[Defect] = (),
) -> Record:
    """The record whose content and whose line end end where `line` says; refused if it has defects or wrong bytes."""
    end, next_at = line
    try:
        data[at:end].decode(dialect.encoding)
    except UnicodeDecodeError:
        defects = (*defects, ("encoding", f"has bytes that are not {dialect.encoding}"))
    lines = count_lines(data, at, next_at)
    if defects:
        return Record("refused", at, next_at, lines, defects=tuple(defects))
    return Record("row", at, next_at, lines, tuple(value.decode(dialect.encoding) for value in values))

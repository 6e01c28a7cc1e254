"""Guesses where the first record begins for a worker that starts in the middle of delimited text.

The guess sees nothing before the worker's first byte, so text can be made on which it is wrong; where the record before
really ends is what proves or refutes it. Two things can be true: that byte is inside quotes, or outside. Each says
where the next record begins, and the one whose records read better from there on is taken.
"""

import re
from functools import cache
from typing import Final

from nightlake.core.readers.csv_record import Dialect, dialect_of, read_record
from nightlake.core.readers.text import end_of_line
from nightlake.core.source import CsvSource

_LOOK_BYTES: Final = 16 << 10
_LOOK_FACTOR: Final = 4
_RECORDS: Final = 200


def first_record(data: bytes, source: CsvSource, fields: int, *, final: bool) -> tuple[int, bool] | None:
    """Where the first record after byte 0 begins, whose fields should be so many; and whether the line there goes on.

    If it does, it is a long one, and the record begins after it. The same bytes give the same guess, however many of
    them are at hand; None when it takes more of them, never where the data is `final`.
    """
    dialect = dialect_of(source)
    look = min(_LOOK_BYTES, dialect.enough)
    while final or len(data) >= look:
        text = data[:look]
        is_end = final and len(data) <= look
        is_last = is_end or look == dialect.enough
        if dialect.quote and source.multiline:
            found = _compare(text, dialect, fields, is_end=is_end, is_last=is_last)
        else:
            found = _next_line(text, is_end=is_end)
        if found is not None:
            return found, False
        if is_last:
            return len(text) - text.endswith(b"\r"), True
        look = min(look * _LOOK_FACTOR, dialect.enough)
    return None


def _next_line(text: bytes, *, is_end: bool) -> int | None:
    line = end_of_line(text, 0, len(text), final=is_end)
    return None if line is None else line[1]


def _compare(text: bytes, dialect: Dialect, fields: int, *, is_end: bool, is_last: bool) -> int | None:
    """The better of two beginnings; None when neither is surely good and more text can be seen."""
    outside = _after_record(text, dialect, inside=False, is_end=is_end)
    inside = _after_record(text, dialect, inside=True, is_end=is_end)
    if outside == inside:
        return outside
    begins = [begin for begin in (outside, inside) if begin is not None]
    # one reading ends where another one has come, or where both see nothing more
    good, bad = [0] * len(begins), [0] * len(begins)
    at = list(begins)
    for _ in range(_RECORDS):
        behind = at.index(min(at))
        if len(set(at)) < len(begins) or at[behind] == len(text):
            break
        record = read_record(text, at[behind], dialect, fields, final=is_end)
        if record is None or record.unended:
            break
        good[behind] += record.kind == "row"
        bad[behind] += record.kind == "refused"
        at[behind] = record.end
    worth = [(-refused, rows) for refused, rows in zip(bad, good, strict=True)]
    best = worth.index(max(worth))
    if is_last or (bad[best] == 0 and good[best] > 0 and worth.count(worth[best]) == 1):
        return begins[best]
    return None


def _after_record(text: bytes, dialect: Dialect, *, inside: bool, is_end: bool) -> int | None:
    """Where the record ends that goes on at byte 0, inside quotes or outside; None when the text does not show it."""
    begins_field = (dialect.delimiter, b"\n", b"\r")
    at = 0
    while token := _tokens(dialect).search(text, at):
        at = token.end()
        if token["line"]:
            if not inside:
                line = end_of_line(text, token.start(), len(text), final=is_end)
                return None if line is None else line[1]
        elif token["quote"] or (not inside and text.startswith(dialect.quote, token.start())):
            at = token.start() + len(dialect.quote)
            before = text[max(0, token.start() - len(dialect.delimiter)) : token.start()]
            # what stands before byte 0 may be a delimiter, or its first half
            inside = not inside and (before.endswith(begins_field) or dialect.delimiter.endswith(before))
    return len(text) if is_end and not inside else None


@cache
def _tokens(dialect: Dialect) -> re.Pattern[bytes]:
    """What can stand for itself, ends a field or ends a line."""
    quote = re.escape(dialect.quote)
    return re.compile(rb"(?P<escaped>%b)|(?P<quote>%b)|(?P<line>[\r\n])" % (dialect.escaped.pattern, quote))

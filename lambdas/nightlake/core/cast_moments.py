"""Texts to dates and timestamps, many at once: what the value parser would say of them, or nothing."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from nightlake.core.cast_numbers import cast_plain
from nightlake.core.column_type import ColumnType
from nightlake.core.moment_layout import Layout, layouts
from nightlake.core.source import EPOCHS
from nightlake.core.text_column import content, made_of, offsets, only, valid
from nightlake.core.typed_column import Cast
from nightlake.core.value_parser import BLANKS, Reading

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    # Which texts are moments, their milliseconds since 1970 (in UTC where the text names a zone, else on the clocks of
    # the source), and nanoseconds beyond.
    _Moments = tuple[np.ndarray, np.ndarray, np.ndarray]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = 86_400_000  # milliseconds
FIRST: Final = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH).days * DAY
LAST: Final = ((datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH).days + 1) * DAY - 1
_HALF_MILLISECOND: Final = 500_000  # nanoseconds
_BASE: Final = 10
_PIVOT: Final = 69  # strptime's first %y of the 1900s
_WIDEST: Final = 64  # bytes of a text from which on no layout is as wide


def cast_moments(texts: "pa.StringArray", kind: ColumnType, reading: Reading) -> Cast:
    """The moments that are written with all of their digits; null for all others."""
    formats = reading.date_formats if kind.name == "date" else reading.timestamp_formats
    if formats and formats[0] in EPOCHS:
        return Cast(_since_1970(texts, 1000 // EPOCHS[formats[0]]))
    known = layouts(formats)
    return _cast_whole(texts, known, kind, reading) or _read(texts, known, kind, reading)


def cast_unpadded(texts: "pa.StringArray", kind: ColumnType, reading: Reading) -> Cast:
    """The same for moments such as 6/2/2017 1:05, and for those with blanks around."""
    import pyarrow.compute as pc

    formats = reading.date_formats if kind.name == "date" else reading.timestamp_formats
    padded = pc.replace_substring_regex(pc.utf8_trim(texts, BLANKS), r"\b([0-9])\b", r"0\1")
    return _read(padded, layouts(formats, padded=True), kind, reading)


def _cast_whole(texts: "pa.StringArray", known: tuple[Layout, ...], kind: ColumnType, reading: Reading) -> Cast | None:
    """The column, if all of its texts are alike and Arrow reads them as they are meant."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    widths, held = np.diff(offsets(texts))[valid(texts)], content(texts)
    if not len(widths) or (kind.name == "timestamp" and reading.timezone != "UTC"):
        return None
    width = int(widths[0])
    if not width or len(held) != width * len(widths) or (widths != width).any():
        return None
    target, first = (pa.date32(), FIRST // DAY) if kind.name == "date" else (pa.timestamp("ms"), FIRST)
    columns = held.reshape(-1, width).T
    for layout in known:
        is_meant = layout.is_iso and layout.width == width
        if is_meant and all((columns[at] == byte).all() for at, byte in layout.iso_literals):
            with suppress(pa.ArrowInvalid):
                values = texts.cast(target)
                return Cast(values) if pc.min(values).value >= first else None  # Arrow knows a year 0
    return None


def _since_1970(texts: "pa.StringArray", unit: int) -> "pa.Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    ticks = cast_plain(texts, ColumnType("bigint"), Reading()).values
    inside = pc.and_(pc.greater_equal(ticks, FIRST // unit), pc.less_equal(ticks, LAST // unit))
    return pc.multiply(pc.if_else(inside, ticks, None), unit).view(pa.timestamp("ms"))


def _read(texts: "pa.StringArray", known: tuple[Layout, ...], kind: ColumnType, reading: Reading) -> Cast:
    import numpy as np
    import pyarrow as pa

    held, starts = content(texts), offsets(texts)[:-1]
    lengths = np.minimum(np.diff(offsets(texts)), _WIDEST)
    todo = valid(texts)
    present = np.bincount(lengths[todo], minlength=_WIDEST + 1)
    moments, rounded = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    for layout in known:
        if not present[layout.width]:
            continue
        rows = np.flatnonzero(todo & (lengths == layout.width))
        for at, byte in layout.iso_literals:
            rows = rows[held[starts[rows] + at] == byte]
        if not len(rows):
            continue
        good, local, finer = (_by_arrow(texts, rows) if layout.is_iso else None) or _compute(texts, rows, layout)
        if kind.name == "timestamp":
            good, local, rounded[rows] = _stored(good, local, finer, layout, reading)
        rows = rows[good]
        moments[rows] = local[good]
        todo[rows] = False
    missing = todo | ~valid(texts)
    if kind.name == "date":
        return Cast(pa.array((moments // DAY).astype(np.int32), mask=missing).view(pa.date32()))
    values = pa.array(moments, mask=missing).view(pa.timestamp("ms"))
    return Cast(values, rounded=tuple(np.flatnonzero(rounded).tolist()))


def _stored(
    good: "np.ndarray", local: "np.ndarray", finer: "np.ndarray", layout: Layout, reading: Reading
) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """Which moments can be stored, in UTC, and which of them were rounded."""
    if not layout.zone and reading.timezone != "UTC":
        certain, local = _to_utc(local, reading.timezone)
        good = good & certain
    lost = finer > 0
    if not reading.round_digits:
        good = good & ~lost
    good = good & (local >= FIRST)
    local = local + (finer >= _HALF_MILLISECOND)
    good = good & (local <= LAST)
    return good, local, good & lost


def _by_arrow(texts: "pa.StringArray", rows: "np.ndarray") -> "_Moments | None":
    """What Arrow says of these rows; None where it takes offence at more than letters."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    mask = np.zeros(len(texts), bool)
    mask[rows] = True
    for part in (only(texts, mask), made_of(only(texts, mask), ":", "T")):
        with suppress(pa.ArrowInvalid):
            found = part.cast(pa.timestamp("ms"))
            local = pc.fill_null(found.view(pa.int64()), FIRST - 1).to_numpy()[rows]
            return local >= FIRST, local, np.zeros(1, np.int64)  # Arrow knows a year 0
    return None


def _compute(texts: "pa.StringArray", rows: "np.ndarray", layout: Layout) -> "_Moments":
    import numpy as np
    import pyarrow as pa

    part = texts if len(rows) == len(texts) else texts.take(pa.array(rows))
    columns = np.ascontiguousarray(content(part).reshape(-1, layout.width).T)
    good = np.ones(len(rows), bool)
    for at, byte in layout.literals:
        good &= columns[at] == byte
    digits = columns - np.uint8(ord("0"))

    def field(name: str, below: int = 10**9) -> "np.ndarray":
        nonlocal good
        value = np.zeros(columns.shape[1], np.int64)
        for digit in digits[slice(*layout.fields.get(name, (0, 0)))]:
            good = good & (digit < _BASE)
            value = value * _BASE + digit
        good = good & (value < below)
        return value

    years = field("Y") if "Y" in layout.fields else field("y")
    if "y" in layout.fields:
        years += np.where(years < _PIVOT, 2000, 1900)
    months, days = field("m", 13), field("d", 32)
    good = good & (years > 0) & (months > 0) & (days > 0)
    month = ((years - 1970) * 12 + months - 1).astype("M8[M]")
    day = month.astype("M8[D]") + (days - 1)
    good &= day.astype("M8[M]") == month
    minutes = field("H", 24) * 60 + field("M", 60)
    if "sign" in layout.fields:
        sign = columns[layout.fields["sign"][0]]
        good = good & ((sign == ord("+")) | (sign == ord("-")))
        east = field("zone hours", 24) * 60 + field("zone minutes", 60)
        minutes -= np.where(sign == ord("-"), -east, east)
    start, stop = layout.fields.get("f", (0, 0))
    nanoseconds = field("f") * 10 ** (9 - (stop - start))
    seconds = (day.astype(np.int64) * 1440 + minutes) * 60 + field("S", 60)
    return good, seconds * 1000 + nanoseconds // 1_000_000, nanoseconds % 1_000_000


def _to_utc(moments: "np.ndarray", zone: str) -> "tuple[np.ndarray, np.ndarray]":
    """Times on the clocks of a zone: whether their offset from UTC is certain, and the instants."""
    import numpy as np

    days, place = np.unique(moments // DAY, return_inverse=True)
    offsets_ = [_offset(int(day), zone) for day in days]
    certain = np.array([offset is not None for offset in offsets_], bool)
    return certain[place], moments - np.array([offset or 0 for offset in offsets_], np.int64)[place]


@lru_cache(maxsize=1 << 16)
def _offset(day: int, zone: str) -> int | None:
    """The milliseconds that clocks are ahead of UTC throughout a day, counted from 1970; None where they change."""
    try:
        midnight = _EPOCH.replace(tzinfo=None) + timedelta(days=day - 1)
        around = [midnight + timedelta(days=days) for days in range(4)]
    except OverflowError:
        return None
    clocks = ZoneInfo(zone)
    found = {moment.replace(tzinfo=clocks, fold=fold).utcoffset() for moment in around for fold in (0, 1)}
    (offset, *others) = found
    return None if others or offset is None else offset // timedelta(milliseconds=1)

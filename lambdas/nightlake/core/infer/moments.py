"""The formats in which dates and times are written, told by their shape."""

import re
from collections.abc import Collection
from typing import Final, Literal

from nightlake.core.column_type import ColumnType
from nightlake.core.value_parser import Reading, ValueParser

Kind = Literal["date", "timestamp"]

_MONTH: Final = r"[A-Za-z]{3,9}"
_DATES: Final = (
    (r"\d{4}(?P<sep>[-/.])\d{1,2}(?P=sep)\d{1,2}", ("%Y{sep}%m{sep}%d",)),
    (r"\d{1,2}(?P<sep>[-/.])\d{1,2}(?P=sep)\d{4}", ("%d{sep}%m{sep}%Y", "%m{sep}%d{sep}%Y")),
    (r"(?:19|20)\d{6}", ("%Y%m%d",)),
    (rf"\d{{1,2}}(?P<sep>[-/. ]){_MONTH}(?P=sep)\d{{4}}", ("%d{sep}%b{sep}%Y", "%d{sep}%B{sep}%Y")),
    (rf"{_MONTH} \d{{1,2}}, \d{{4}}", ("%b %d, %Y", "%B %d, %Y")),
)
_TIME: Final = (
    r"(?P<gap>[ T:])(?P<hour>\d{1,2}):\d{2}(?P<seconds>:\d{2}(?:(?P<point>[.,])\d{1,9})?)?"
    r"(?P<half> ?[AaPp][Mm])?(?P<zone> ?(?:Z|[+-]\d{2}:?\d{2}))?"
)
_SHAPES: Final = tuple((re.compile(f"(?:{date})(?:{_TIME})?", re.ASCII), formats) for date, formats in _DATES)


def formats_of(text: str) -> tuple[Kind, tuple[str, ...]] | None:
    """The formats in which the text may be written, most probable first; None when it is no moment at all."""
    for shape, dates in _SHAPES:
        found = shape.fullmatch(text)
        if found:
            parts = found.groupdict(default="")
            kind: Kind = "timestamp" if parts["hour"] else "date"
            return kind, tuple(date.format(sep=parts.get("sep", "")) + _time(parts) for date in dates)
    return None


def _time(parts: dict[str, str]) -> str:
    if not parts["hour"]:
        return ""
    hour, half = ("%I", f"{' ' if parts['half'].startswith(' ') else ''}%p") if parts["half"] else ("%H", "")
    seconds = f":%S{parts['point'] + '%f' if parts['point'] else ''}" if parts["seconds"] else ""
    zone = f"{' ' if parts['zone'].startswith(' ') else ''}%z" if parts["zone"] else ""
    return f"{parts['gap']}{hour}:%M{seconds}{half}{zone}"


class AmbiguousError(ValueError):
    """Day and month cannot be told apart."""


def common_formats(texts: Collection[str]) -> tuple[Kind, tuple[str, ...]] | None:
    """The kind of moments and the fewest formats that all texts are written in; None when some are no moments.

    Raises AmbiguousError when two readings are possible that differ.
    """
    shapes: dict[tuple[str, ...], list[str]] = {}
    kinds = set()
    for text in texts:
        found = formats_of(text)
        if found is None:
            return None
        kinds.add(found[0])
        shapes.setdefault(found[1], []).append(text)
    if not shapes:
        return None
    kind: Kind = "timestamp" if "timestamp" in kinds else "date"
    readings = [
        [pattern for pattern in patterns if all(_value(kind, text, pattern) for text in written)]
        for patterns, written in shapes.items()
    ]
    if not all(readings):
        return None
    orders = set.intersection(*({_is_day_first(pattern) for pattern in patterns} for patterns in readings))
    chosen = []
    for patterns, written in zip(readings, shapes.values(), strict=True):
        agreed = [pattern for pattern in patterns if _is_day_first(pattern) in orders] or patterns
        if any(len({_value(kind, text, pattern) for pattern in agreed}) > 1 for text in written):
            raise AmbiguousError(f"{written[0]!r} may be {' or '.join(agreed)}")
        chosen.append(agreed[0])
    return kind, tuple(chosen)


def is_finer(texts: Collection[str], formats: tuple[str, ...]) -> bool:
    """Whether some timestamp is finer than the milliseconds that a column holds."""
    return any("%f" in pattern for pattern in formats) and any(
        all(_value("timestamp", text, pattern, round_digits=False) is None for pattern in formats) for text in texts
    )


def _value(kind: Kind, text: str, pattern: str, *, round_digits: bool = True) -> object:
    reading = Reading(timestamp_formats=(pattern,), date_formats=(pattern,), round_digits=round_digits)
    try:
        return ValueParser(reading).parse(ColumnType(kind), text)
    except ValueError:
        return None


def _is_day_first(pattern: str) -> bool:
    return pattern.startswith("%d")

"""Checks AWS cron expressions, and says when one fired last.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: tuple[tuple[str, int, int, dict[str, int], re.Pattern[str] | None], ...] = (
    ("minute", 0, 59, {}, None),
    ("hour", 0, 23, {}, None),
    ("day of month", 1, 31, {}, re.compile(r"\?|L|LW|(?:[1-9]|[12][0-9]|3[01])W")),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}, None),
    (
        "day of week",
        1,
        7,
        {name: number for number, name in enumerate(_DAYS, 1)},
        re.compile(r"\?|L|[1-7]L|[1-7]#[1-5]"),
    ),
    ("year", 1970, 2199, {}, None),
)
_ITEM = re.compile(r"(?:\*|(?P<first>\w{1,4})(?:-(?P<last>\w{1,4}))?)(?:/(?P<step>[1-9][0-9]{0,3}))?")


def check_cron(text: str) -> str:
    """The expression itself; raises ValueError with a sentence when AWS would refuse it."""
    parts = text.split(" ")
    if len(parts) != len(_FIELDS):
        raise ValueError(
            f"{text!r} has {len(parts)} fields: write six, minute hour day-of-month month day-of-week year, "
            "for example '0 3 * * ? *'"
        )
    for part, (name, low, high, names, special) in zip(parts, _FIELDS, strict=True):
        if special and special.fullmatch(part):
            continue
        if not all(_is_item(item, low, high, names) for item in part.split(",")):
            raise ValueError(f"{part!r} is no {name} of a cron expression: use {low}-{high}, *, lists, ranges or steps")
    if (parts[2] == "?") == (parts[4] == "?"):
        raise ValueError(f"{text!r} must have ? as day of month or as day of week, and not as both")
    return text


def last_firing(text: str, *, timezone: str, now: datetime) -> datetime | None:
    """When a checked expression fired last, `now` included, in UTC; None when it did not within the last nine years.

    A local time that a change of the clocks leaves out does not fire, one that it repeats fires the first time.
    """
    zone = ZoneInfo(timezone)
    minutes, hours = (_expand(text.split(" ")[at], at) for at in (0, 1))
    today = now.astimezone(zone).date()
    # 29 February may be eight years away.
    for days in range(9 * 366):
        day = today - timedelta(days=days)
        if not _fires_on(text, day):
            continue
        for hour, minute in sorted(product(hours, minutes), reverse=True):
            local = datetime.combine(day, time(hour, minute), zone)
            fired = local.astimezone(UTC)
            if fired <= now and fired.astimezone(zone).replace(fold=0) == local:
                return fired
    return None


def _fires_on(text: str, day: date) -> bool:
    days, months, weekdays, years = text.split(" ")[2:]
    if day.month not in _expand(months, 3) or day.year not in _expand(years, 5):
        return False
    return day.day in (_month_days(days, day) if weekdays == "?" else _weekdays(weekdays, day))


def _month_days(part: str, day: date) -> set[int]:
    """The days of the month of `day` that the field day-of-month means."""
    last = monthrange(day.year, day.month)[1]
    if part == "L":
        return {last}
    if part.endswith("W"):
        return {_nearest_weekday(day, last if part == "LW" else int(part[:-1]))}
    return _expand(part, 2)


def _weekdays(part: str, day: date) -> set[int]:
    """The same of the field day-of-week, in which 1 is Sunday; `L` alone is Saturday, `6#3` the third Friday."""
    special = re.fullmatch(r"([1-7])(?:L|#([1-5]))", part)
    wanted = {int(special[1])} if special else {7} if part == "L" else _expand(part, 4)
    last = monthrange(day.year, day.month)[1]
    found = [number for number in range(1, last + 1) if _weekday(day, number) in wanted]
    if special is None:
        return set(found)
    return set(found[-1:] if special[2] is None else found[int(special[2]) - 1 : int(special[2])])


def _weekday(day: date, number: int) -> int:
    return day.replace(day=number).isoweekday() % 7 + 1


def _nearest_weekday(day: date, number: int) -> int:
    """The day from Monday to Friday that is nearest to the day of this number, within its month; 0 if it has none."""
    last = monthrange(day.year, day.month)[1]
    near = (number, number - 1, number + 1, number - 2, number + 2) if number <= last else ()
    return next((each for each in near if 1 <= each <= last and 1 < _weekday(day, each) < len(_DAYS)), 0)


def _expand(part: str, field: int) -> set[int]:
    """The numbers that a field without L, W and # means."""
    _, low, high, names, _ = _FIELDS[field]
    return {number for item in part.split(",") for number in _range(item, low, high, names)}


def _range(item: str, low: int, high: int, names: dict[str, int]) -> Iterator[int]:
    match = _ITEM.fullmatch(item)
    if match is None:  # `?`
        return
    first, last = (
        names.get(bound.upper(), int(bound) if bound.isdecimal() else 0) if bound else None
        for bound in match.group("first", "last")
    )
    step = match["step"]
    begin = low if first is None else first
    # `5/10` goes on to the end of the field, `5` is one number.
    end = last if last is not None else high if first is None or step else begin
    yield from range(begin, end + 1, int(step or 1))


def _is_item(item: str, low: int, high: int, names: dict[str, int]) -> bool:
    match = _ITEM.fullmatch(item)
    if match is None:
        return False
    bounds = [
        names.get(bound.upper(), int(bound) if bound.isdecimal() and bound.isascii() else -1)
        for bound in match.group("first", "last")
        if bound is not None
    ]
    return all(low <= bound <= high for bound in bounds) and bounds == sorted(bounds)

"""Checks AWS cron expressions.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

import re

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


def fires_daily(text: str) -> bool:
    """Whether a checked expression fires on every day of every year."""
    return all(part in ("*", "?") for part in text.split(" ")[2:])


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

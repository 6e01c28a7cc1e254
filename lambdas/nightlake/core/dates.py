"""Which day a run is for, and what the run is called: both follow from the trigger, never from a clock."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from nightlake.core.errors import InvalidDateError, InvalidScheduledTimeError

YEARS: Final = range(1970, 9999)  # every zone and offset stays within the calendar, every year has four digits


def parse_instant(text: str) -> datetime:
    """The instant that an ISO 8601 text such as `2026-11-21T03:00:00Z` names, in UTC.

    Step Functions writes 0, 3, 6 or 9 fractional digits; more than microseconds are cut off.
    Raises InvalidScheduledTimeError when the text is not ISO 8601, names no time zone or lies outside `YEARS`.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidScheduledTimeError(
            f"'{text}' is not a time in ISO 8601; write it like 2026-11-21T03:00:00Z"
        ) from error
    if instant.tzinfo is None:
        raise InvalidScheduledTimeError(f"'{text}' names no time zone; end it with Z for UTC")
    if instant.year not in YEARS:
        raise InvalidScheduledTimeError(f"'{text}' is no time of a run; write a year from 1970 to 9998")
    return instant.astimezone(UTC)


def parse_date(text: str) -> date:
    """The day that `YYYY-MM-DD` names. Raises InvalidDateError for any other text."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidDateError(f"'{text}' is not a day of the calendar; write it like 2026-11-20") from error
    if day.isoformat() != text:
        raise InvalidDateError(f"'{text}' is not written as a day; write {day.isoformat()}")
    return day


def business_date(scheduled_at: datetime, *, offset_days: int, timezone: str) -> date:
    """The day a run scheduled at this instant is for: the local day in the zone, moved by the offset."""
    return scheduled_at.astimezone(ZoneInfo(timezone)).date() + timedelta(days=offset_days)


def requested_date(text: str, *, today: date) -> date:
    """The day a person asked for. Raises InvalidDateError when it is not a day or lies after today."""
    day = parse_date(text)
    if day > today:
        raise InvalidDateError(f"{day} lies in the future (today is {today}); ask for that day or an earlier one")
    return day


def run_id(started_at: datetime, execution_id: str) -> str:
    """A run's name, such as `20261121T030000Z-1f3a9c07`: sorts by start, the same for every retry of one execution.

    It is legal in S3 keys and as a Step Functions name (at most 80 characters, no colon).
    """
    suffix = hashlib.sha256(execution_id.encode()).hexdigest()[:8]
    return f"{started_at:%Y%m%dT%H%M%SZ}-{suffix}"

"""The day a run is for and the run's name follow from the trigger alone, whatever its time zone and spelling."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightlake.core.dates import YEARS, business_date, parse_date, parse_instant, requested_date, run_id
from nightlake.core.errors import InvalidDateError, InvalidScheduledTimeError

offsets = st.builds(timezone, st.integers(-23 * 60, 23 * 60).map(lambda minutes: timedelta(minutes=minutes)))
instants = st.datetimes(
    datetime(YEARS.start, 1, 2),  # noqa: DTZ001 - hypothesis wants bounds without a zone
    datetime(YEARS.stop - 1, 12, 30),  # noqa: DTZ001
    timezones=offsets,
)


@given(instants)
def test_an_instant_survives_its_iso_text(instant: datetime) -> None:
    parsed = parse_instant(instant.isoformat())
    assert parsed == instant
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    ("fraction", "microseconds"),
    [("", 0), (".412", 412_000), (".412345", 412_345), (".412345678", 412_345)],
    ids=["0", "3", "6", "9"],
)
def test_step_functions_may_write_any_number_of_fraction_digits(fraction: str, microseconds: int) -> None:
    expected = datetime(2026, 11, 21, 3, tzinfo=UTC) + timedelta(microseconds=microseconds)
    assert parse_instant(f"2026-11-21T03:00:00{fraction}Z") == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a time in ISO 8601; write it like"),
        ("3 AM", "not a time in ISO 8601"),
        ("2026-11-31T03:00:00Z", "not a time in ISO 8601"),
        ("2026-11-21T25:00:00Z", "not a time in ISO 8601"),
        ("2026-11-21T03:00:00", "no time zone; end it with Z"),
        ("2026-11-21", "no time zone"),
        ("0001-01-01T00:00:00+14:00", "write a year from 1970 to 9998"),
        ("9999-12-31T23:00:00-14:00", "write a year from 1970 to 9998"),
    ],
)
def test_a_wrong_time_is_refused_with_what_to_write(text: str, reason: str) -> None:
    with pytest.raises(InvalidScheduledTimeError, match=reason) as refused:
        parse_instant(text)
    assert f"'{text}'" in str(refused.value)


@given(st.text())
def test_any_text_is_an_instant_or_refused_by_name(text: str) -> None:
    with suppress(InvalidScheduledTimeError):
        assert parse_instant(text).tzinfo is UTC


@given(st.text() | st.from_regex(r"[0-9]{4}-?(W?[0-9]{2}-?[0-9]{1,2})", fullmatch=True))
def test_any_text_is_the_day_it_spells_or_refused_by_name(text: str) -> None:
    with suppress(InvalidDateError):
        assert parse_date(text).isoformat() == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-11-31", "not a day of the calendar"),
        ("yesterday", "not a day of the calendar"),
        ("20261120", "write 2026-11-20"),
        ("2026-W47-5", "write 2026-11-20"),
    ],
)
def test_a_wrong_day_is_refused_with_what_to_write(text: str, reason: str) -> None:
    with pytest.raises(InvalidDateError, match=reason):
        parse_date(text)


@pytest.mark.parametrize(
    ("scheduled_at", "zone", "day"),
    [
        ("2026-11-21T03:00:00Z", "UTC", date(2026, 11, 20)),
        ("2026-11-21T03:00:00Z", "America/Los_Angeles", date(2026, 11, 19)),  # there it is still the 20th
        ("2026-11-20T23:30:00Z", "Europe/Berlin", date(2026, 11, 20)),  # there it is the 21st already
        ("2026-11-20T10:30:00Z", "Pacific/Kiritimati", date(2026, 11, 20)),  # UTC+14
        # The clocks of Berlin: the same hour in UTC lies before midnight in winter, after it in summer.
        ("2026-03-28T22:30:00Z", "Europe/Berlin", date(2026, 3, 27)),
        ("2026-03-29T22:30:00Z", "Europe/Berlin", date(2026, 3, 29)),
        ("2026-10-24T22:30:00Z", "Europe/Berlin", date(2026, 10, 24)),
        ("2026-10-25T22:30:00Z", "Europe/Berlin", date(2026, 10, 24)),
    ],
)
def test_a_night_is_for_the_day_before_where_the_shop_is(scheduled_at: str, zone: str, day: date) -> None:
    assert business_date(parse_instant(scheduled_at), offset_days=-1, timezone=zone) == day


@given(instants, st.integers(-366, 0))
def test_every_instant_has_a_business_date(instant: datetime, offset: int) -> None:
    day = business_date(instant, offset_days=offset, timezone="UTC")
    assert day - timedelta(days=offset) == instant.astimezone(UTC).date()


def test_a_person_may_ask_for_today_and_any_day_before() -> None:
    today = date(2026, 11, 21)
    assert requested_date("2026-11-21", today=today) == today
    assert requested_date("2017-06-12", today=today) == date(2017, 6, 12)


def test_a_day_that_has_not_come_is_refused() -> None:
    with pytest.raises(InvalidDateError, match=r"2026-11-22 lies in the future \(today is 2026-11-21\)"):
        requested_date("2026-11-22", today=date(2026, 11, 21))


@given(instants, st.text(min_size=1))
def test_a_run_id_is_legal_in_s3_keys_and_as_a_step_functions_name(instant: datetime, execution_id: str) -> None:
    named = run_id(parse_instant(instant.isoformat()), execution_id)
    assert re.fullmatch(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}", named)
    assert len(named) <= 80


@given(instants, instants)
def test_run_ids_sort_by_start(one: datetime, other: datetime) -> None:
    first, second = sorted(parse_instant(each.isoformat()).replace(microsecond=0) for each in (one, other))
    assert run_id(first, "a")[:16] <= run_id(second, "b")[:16]
    assert (first == second) == (run_id(first, "a")[:16] == run_id(second, "b")[:16])


def test_a_run_id_is_the_same_for_a_retry_and_another_for_another_execution() -> None:
    start = datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert run_id(start, "arn:1") == run_id(start, "arn:1") != run_id(start, "arn:2")

"""What raw values become: the cast of whole columns equals the parser of single values, whose word is given here."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightlake.core.cast import cast
from nightlake.core.column_type import PLAIN, parse
from nightlake.core.table import arrow_type
from nightlake.core.value_parser import Reading, ValueParser

at = datetime.fromisoformat
ISO = Reading(
    timestamp_formats=("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"),
    date_formats=("%Y-%m-%d", "%Y%m%d"),
)


def value_of(text: object, kind: str, reading: Reading = ISO) -> Any:
    """The one value, or why it is refused."""
    done = cast([text], parse(kind), reading)
    return done.refused[0] if done.refused else done.values.to_pylist()[0]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("tinyint", "-128", -128),
        ("smallint", "32767", 32767),
        ("int", "007", 7),
        ("int", " 12\t", 12),
        ("int", "+12", 12),
        ("int", "12.00", 12),
        ("int", "1.2e1", 12),
        ("int", Decimal("3.0"), 3),
        ("bigint", "-9223372036854775808", -(2**63)),
        ("decimal(12,2)", "0.1", Decimal("0.10")),
        ("decimal(12,2)", "9999999999.99", Decimal("9999999999.99")),
        ("decimal(12,2)", "1.500000", Decimal("1.50")),
        ("decimal(12,2)", "15e-1", Decimal("1.50")),
        ("decimal(2,2)", "0.25", Decimal("0.25")),
        ("decimal(38,0)", "9" * 38, Decimal("9" * 38)),
        ("decimal(5,1)", Decimal("0E+999999999"), Decimal(0)),
        ("double", "1e-400", 0.0),
        ("double", "0.1", 0.1),
        ("float", "16777217.0000001", 16777218.0),  # by way of a double it would be 16777216
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("boolean", True, True),
        ("boolean", 1, True),
        ("date", 20170612, date(2017, 6, 12)),
        ("string", " kept \0", " kept \0"),
        ("string", Decimal("1.50"), "1.50"),
        ("string", False, "false"),
        ("date", "2016-02-29", date(2016, 2, 29)),
        ("date", "2017-6-2", date(2017, 6, 2)),
        ("timestamp", "2017-06-12T00:03:41", at("2017-06-12 00:03:41")),
        ("timestamp", "2017-06-12 00:03:41.123", at("2017-06-12 00:03:41.123")),
        ("array<int>", [Decimal(1), None, "2"], [1, None, 2]),
        ("array<int>", "[1, 2]", [1, 2]),
        ("map<string,decimal(5,2)>", {"a": Decimal("1.5")}, [("a", Decimal("1.50"))]),
        ("struct<a:int,b:array<string>>", {"a": Decimal(1)}, {"a": 1, "b": None}),
        ("int", None, None),
    ],
)
def test_a_value_means_what_its_type_says(kind: str, text: object, value: object) -> None:
    assert value_of(text, kind) == value
    assert cast([text], parse(kind), ISO).values.type == arrow_type(parse(kind))


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        ("tinyint", "128", "out of range: tinyint is -128 to 127"),
        ("bigint", "9223372036854775809", "out of range"),
        ("int", "1e999999999", "out of range"),
        ("int", "1e9999999999999999999", "not a number that a computer can hold"),
        ("int", "12.5", "not a whole number"),
        ("int", "1_000", "not a number"),
        ("int", "", "not a number"),
        ("int", "\N{ARABIC-INDIC DIGIT ONE}", "not a number"),
        ("int", True, "not a number"),
        ("decimal(12,2)", "1,50", "not a number"),
        ("decimal(12,2)", "10000000000.00", "too large: decimal(12,2) has 10 digits before the point"),
        ("decimal(12,2)", "1.005", "too fine: decimal(12,2) has 2 digits after the point"),
        ("double", "NaN", "not a finite number"),
        ("double", "Infinity", "not a finite number"),
        ("double", "1e400", "out of range of double"),
        ("float", "1e39", "out of range of float"),
        ("boolean", "on", "not a boolean: write true, t, yes"),
        ("string", {"a": 1}, "not a text"),
        ("string", "\ud800", "not a text in whole characters"),
        ("date", "2017-02-29", "not written as %Y-%m-%d"),
        ("date", "1900-02-29", "not written as"),
        ("timestamp", "2017-06-12", "not written as %Y-%m-%d %H:%M:%S or"),
        ("timestamp", "2017-06-12 00:00:60", "not written as"),
        ("timestamp", "2017-06-12 00:03:41.1234", "finer than the milliseconds"),
        ("array<int>", "[1", "not JSON"),
        ("array<int>", "[NaN]", "not JSON"),
        ("array<int>", "[" * 100_000, "not JSON"),
        ("array<int>", {"a": 1}, "not of type array<int>"),
        ("map<int,int>", {"1": 1, "01": 2}, "its keys are not all different"),
        ("struct<a:int>", {"a": 1, "b": 2}, "has undeclared fields: struct<a:int> has a"),
    ],
)
def test_a_value_that_cannot_be_cast_is_refused_with_a_reason_that_does_not_repeat_it(
    kind: str, text: object, reason: str
) -> None:
    done = cast([text], parse(kind), ISO)
    assert reason in done.refused[0]
    assert done.values.null_count == 1
    assert len(str(text)) < 4 or str(text) not in done.refused[0]


def test_excess_digits_are_rounded_half_up_and_counted_where_the_source_says_so() -> None:
    texts = ["1.004", "1.005", "-1.005", "2.220446e-16", "1.00", "9.995"]
    done = cast(texts, parse("decimal(3,2)"), Reading(round_digits=True))
    assert [str(value) for value in done.values.to_pylist()] == ["1.00", "1.01", "-1.01", "0.00", "1.00", "None"]
    assert done.rounded == (0, 1, 2, 3)
    assert "too large once rounded" in done.refused[5]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2017-01-01 12:00:00", at("2017-01-01 11:00:00")),
        ("2017-07-01 12:00:00", at("2017-07-01 10:00:00")),
        ("2017-10-29 02:30:00", at("2017-10-29 00:30:00")),  # repeated: the first pass
        ("2017-03-26 02:30:00", "a time that the clocks of Europe/Berlin skip"),
        ("0001-01-01 00:00:00", "out of the years 1 to 9999 in UTC"),
    ],
)
def test_a_time_without_a_zone_is_read_on_the_clocks_of_the_source(text: str, instant: datetime | str) -> None:
    reading = Reading(timestamp_formats=("%Y-%m-%d %H:%M:%S",), timezone="Europe/Berlin")
    assert value_of(text, "timestamp", reading) == instant


def test_a_time_that_names_its_zone_needs_no_other() -> None:
    reading = Reading(timestamp_formats=("%Y-%m-%dT%H:%M:%S%z",), timezone="Europe/Berlin")
    assert value_of("2017-06-12T10:00:00+05:30", "timestamp", reading) == at("2017-06-12 04:30:00")
    assert value_of("2017-06-12T10:00:00Z", "timestamp", reading) == at("2017-06-12 10:00:00")


def test_the_first_format_that_fits_decides() -> None:
    us_last = Reading(date_formats=("%d/%m/%Y", "%m/%d/%Y"))
    assert value_of("05/06/2017", "date", us_last) == date(2017, 6, 5)
    assert value_of("05/13/2017", "date", us_last) == date(2017, 5, 13)


def test_fields_beside_those_of_a_struct_are_left_out_where_extra_columns_are() -> None:
    assert value_of({"a": 1, "b": 2}, "struct<a:int>", Reading(extra_fields=True)) == {"a": 1}


@pytest.mark.parametrize(
    ("kind", "array", "values", "refused"),
    [
        ("int", pa.array([1, 2**40, None]), [1, None, None], {1}),
        ("decimal(5,2)", pa.array([Decimal("1.50"), Decimal("1.501")]), [Decimal("1.50"), None], {1}),
        ("decimal(5,2)", pa.array([0.1, 0.123]), [Decimal("0.10"), None], {1}),
        ("double", pa.array([1.5, float("nan"), float("inf")]), [1.5, None, None], {1, 2}),
        ("float", pa.array([1.5, 1e300]), [1.5, None], {1}),
        ("string", pa.array(["a", "b"]).dictionary_encode(), ["a", "b"], set()),
        ("string", pa.array(["a"], pa.large_string()), ["a"], set()),
        ("int", pa.array(["7", "x"]), [7, None], {1}),
        ("date", pa.array([date(2017, 6, 12)], pa.date64()), [date(2017, 6, 12)], set()),
        (
            "timestamp",
            pa.array([1_000_000, 1], pa.timestamp("us", "Asia/Tokyo")),
            [at("1970-01-01 00:00:01"), None],
            {1},
        ),
        ("timestamp", pa.array([1_000_000, 1], pa.timestamp("ns")), [at("1970-01-01 00:00:00.001"), None], {1}),
        ("string", pa.array([b"a", b"\xff"]), ["a", None], {1}),
        ("array<bigint>", pa.array([[1, 2], None], pa.list_(pa.int32())), [[1, 2], None], set()),
    ],
)
def test_a_column_of_a_typed_file_keeps_its_values_or_loses_them_by_name(
    kind: str, array: pa.Array, values: list[object], refused: set[int]
) -> None:
    done = cast(array, parse(kind), ISO)
    assert (done.values.to_pylist(), set(done.refused)) == (values, refused)
    assert done.values.type == arrow_type(parse(kind))


DIGITS = st.text("0123456789", max_size=21)
SIGNS, POINTS = st.sampled_from(["", "-", "+", " "]), st.sampled_from(["", ".", "e", "e-"])
NUMBERS = st.builds("".join, st.tuples(SIGNS, DIGITS, POINTS, DIGITS))
CLOCKS = st.datetimes(at("1880-01-01"), at("2100-01-01")).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
FORMATS = [
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%Y%m%d%H%M%S",
    "%d.%m.%y %H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%d",
    "%j %Y",
]
MOMENTS = st.builds(lambda moment, text: moment.strftime(text), CLOCKS, st.sampled_from(FORMATS))
ODD_MOMENTS = ("2017-02-29 00:00:00", "1900-02-29", "0000-01-01", "2017-6-1 1:2:3", "24/13/2017 24:00")
WORDS = st.sampled_from(("true", "False", "T", "yes", "N", "1", "0", "on", "", *ODD_MOMENTS))
TEXTS = st.none() | NUMBERS | MOMENTS | WORDS | st.text(max_size=5)
OF_JSON = TEXTS | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
DECIMALS = ("decimal(12,2)", "decimal(2,2)", "decimal(38,0)", "decimal(38,38)")
KINDS = st.sampled_from((*PLAIN, *DECIMALS))


@given(
    raw=st.lists(TEXTS, max_size=30) | st.lists(OF_JSON, max_size=30),
    kind=KINDS,
    formats=st.lists(st.sampled_from(FORMATS), min_size=1, max_size=4, unique=True).map(tuple),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"]),
    round_digits=st.booleans(),
)
def test_a_column_is_cast_as_each_of_its_values_is_parsed(
    raw: list[object], kind: str, formats: tuple[str, ...], zone: str, round_digits: bool
) -> None:
    reading = Reading(formats, formats, zone, round_digits)
    done = cast(raw, parse(kind), reading)
    values, refused, rounded = [], {}, []
    for row, value in enumerate(raw):
        parser = ValueParser(reading)
        try:
            values.append(parser.parse(parse(kind), value))
        except ValueError as error:
            values.append(None)
            refused[row] = str(error)
        rounded += [row] * parser.rounded
    assert done.values.equals(pa.array(values, arrow_type(parse(kind))))
    assert (done.refused, done.rounded) == (refused, tuple(rounded))

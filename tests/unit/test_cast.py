"""What raw values become: the cast of whole columns equals the parser of single values, whose word is given here."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.resources import files
from itertools import pairwise
from typing import Any
from zoneinfo._zoneinfo import ZoneInfo as PythonZone

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core.cast import cast
from nightlake.core.column_type import INTEGER_BITS, PLAIN, parse
from nightlake.core.table import arrow_type
from nightlake.core.typed_column import Cast
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
        ("decimal(38,38)", pa.array([Decimal(109), Decimal(0)], pa.decimal128(10, 0)), [None, Decimal(0)], {0}),
        ("timestamp", pa.array([10**17, -(10**14)], pa.timestamp("ms")), [None, None], {0, 1}),
        ("array<double>", pa.array([[1.5], [float("nan")]]), [[1.5], None], {1}),
        ("array<timestamp>", pa.array([[0], [10**17]], pa.list_(pa.timestamp("ms"))), [[at("1970-01-01")], None], {1}),
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


@pytest.mark.parametrize(
    ("kind", "array", "values", "rounded"),
    [
        ("timestamp", pa.array([1499, 1500, -1500, -1501], pa.timestamp("us")), [1, 2, -1, -2], (0, 1, 2, 3)),
        (
            "decimal(5,2)",
            pa.array([Decimal("1.005"), Decimal("-1.005"), Decimal("1.000")]),
            ["1.01", "-1.01", "1"],
            (0, 1),
        ),
    ],
)
def test_a_column_of_a_typed_file_is_rounded_where_the_source_says_so(
    kind: str, array: pa.Array, values: list[object], rounded: tuple[int, ...]
) -> None:
    done = cast(array, parse(kind), Reading(round_digits=True))
    wanted = pa.array([Decimal(value) if isinstance(value, str) else value for value in values])
    assert done.values.equals(wanted.cast(arrow_type(parse(kind))))
    assert (done.refused, done.rounded) == ({}, rounded)


@pytest.mark.parametrize(
    ("non_finite", "kept"),
    [("refuse", [1.5, None, None]), ("null", [1.5, None, None]), ("keep", [1.5, float("inf"), -float("inf")])],
)
def test_what_infinity_becomes_is_declared(non_finite: Any, kept: list[float | None]) -> None:
    reading = Reading(non_finite=non_finite)
    refused = {1, 2} if non_finite == "refuse" else set()
    for raw in ([1.5, float("inf"), -float("inf")], ["1.5", "inf", "-Infinity"]):
        done = cast(pa.array(raw), parse("double"), reading)
        assert (done.values.to_pylist(), set(done.refused)) == (kept, refused)
    assert set(cast(["inf"], parse("decimal(5,2)"), reading).refused) == ({0} if non_finite != "null" else set())


def test_numbers_are_written_with_the_separators_that_are_declared() -> None:
    reading = Reading(decimal_separator=",", thousands_separator=".")
    texts = ["1.234.567,5", "1234567,50", "-0,5", "12.34,5", "1.5", "1,234,567", "1.234"]
    done = cast(texts, parse("decimal(12,2)"), reading)
    assert [str(value) for value in done.values.to_pylist() if value] == [
        "1234567.50",
        "1234567.50",
        "-0.50",
        "1234.00",
    ]
    assert set(done.refused) == {3, 4, 5}


def test_spellings_of_booleans_replace_the_usual_ones() -> None:
    done = cast(["J", "n", "true", True], parse("boolean"), Reading(true_values=("j",), false_values=("n",)))
    assert done.values.to_pylist() == [True, False, None, True]
    assert done.refused == {2: "not a boolean: write j, n"}


@pytest.mark.parametrize(
    ("formats", "text", "value"),
    [
        (("epoch_seconds",), "1497225600.5", at("2017-06-12 00:00:00.5")),
        (("epoch_milliseconds",), -1, at("1969-12-31 23:59:59.999")),
        (("epoch_seconds",), "253402300800", "out of the years 1 to 9999 in UTC"),
        (("epoch_seconds",), "1e999999999", "out of the years 1 to 9999 in UTC"),
        (("%Y-%m-%dT%H:%M:%S.%f%z",), "2017-06-12T10:00:00.120000000+05:30", at("2017-06-12 04:30:00.12")),
        (("%Y-%m-%dT%H:%M:%S.%f%z",), "2017-06-12T10:00:00.1234567Z", "finer than the milliseconds"),
        (("%d/%m/%Y",), "2/6/2017", at("2017-06-02")),
    ],
)
def test_timestamps_are_read_in_the_formats_that_are_declared(
    formats: tuple[str, ...], text: object, value: datetime | str
) -> None:
    for repeated in ([text], [text] * 100):
        done = cast(repeated, parse("timestamp"), Reading(timestamp_formats=formats))
        if isinstance(value, str):
            assert value in done.refused[0]
        else:
            assert done.values.to_pylist() == [value] * len(repeated)


def test_the_clocks_of_no_zone_change_twice_within_days() -> None:
    """`cast_moments` takes a day for one whose offset is known when the days around have the same."""
    for name in (files("tzdata") / "zones").read_text("ascii").split():
        with files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
            changes = PythonZone.from_file(file)._trans_utc
        assert all(later - earlier > 4 * 86_400 for earlier, later in pairwise(changes)), name


DIGITS = st.text("0123456789", max_size=21) | st.text("09", max_size=40)
SIGNS = st.sampled_from(["", "", "-", "+", " ", "0x", "--"])
POINTS = st.sampled_from(["", ".", ".", "e", "e-", "E+", ",", "'", " ", "\u00a0", ".."])
NUMBERS = st.builds("".join, st.tuples(SIGNS, DIGITS, POINTS, DIGITS)) | st.builds(
    "".join, st.tuples(SIGNS, st.text("0123456789", max_size=3), st.sampled_from(",.' \u00a0"), DIGITS, POINTS, DIGITS)
)
GROUPED = st.builds(
    lambda number, between, point: f"{number:,}".replace(".", "p").replace(",", between).replace("p", point),
    st.decimals(-(10**9), 10**9, places=2) | st.integers(-(10**12), 10**12),
    st.sampled_from(",.' \u00a0"),
    st.sampled_from(".,"),
)
FAR = st.floats(width=64).map(repr) | st.integers(-(10**25), 10**25).map(str) | st.floats(width=32).map(repr)
CLOCKS = st.datetimes(timezones=st.just(UTC) | st.timezones())
FORMATS = [
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%d.%m.%y %H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%H:%M:%S,%f %d.%m.%Y",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d",
    "%j %Y",
    "%d %b %Y",
]
FRACTIONS = st.sampled_from(["", "", "0", "000", "5", "499", "500", "5000", "9" * 9])
MOMENTS = st.builds(
    lambda moment, text, more: (moment.strftime(text) + more).replace("+0000", "Z" if more else "+00:00"),
    CLOCKS,
    st.sampled_from(FORMATS),
    FRACTIONS,
)
SHORT_MOMENTS = MOMENTS.map(lambda text: re.sub(r"\b0(\d)", r"\1", text))
ODD_MOMENTS = (
    "2017-02-29 00:00:00",
    "1900-02-29",
    "0000-01-01",
    "0000-12-31T23:59:59",
    "0001-01-01 00:00:00",
    "9999-12-31 23:59:59",
    "9999-12-31 23:59:59.9996",
    "2017-6-1 1:2:3",
    "24/13/2017 24:00",
    "2017-06-12t10:00:00",
    "2017-06-12  10:00:00",
    "2017-06-12 10:00",
    "2017-06-12 10:00:60",
    "2017-06-12T10:00:00+24:00",
    "2017-06-12T10:00:00+23:59",
    "2017-06-12T10:00:00+05:30:15.5",
    "2017-10-29 02:30:00",
    "2017-03-26 02:30:00",
    "1497225600.0005",
    "-62135596800",
    "-62135596801",
    "253402300799999",
    "253402300800000",
    "1e3",
    "1e999999999",
)
ODD_WORDS = ("true", "False", "T", "yes", "N", "1", "0", "on", "", "J", "n/a", "109", "NaN", "-inf", "nan(1)", "0X1f")
WORDS = st.sampled_from((*ODD_WORDS, *ODD_MOMENTS))
TEXTS = st.none() | NUMBERS | GROUPED | FAR | MOMENTS | SHORT_MOMENTS | WORDS | st.text(max_size=5)
OF_JSON = TEXTS | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
DECIMALS = ("decimal(12,2)", "decimal(2,2)", "decimal(3,2)", "decimal(38,0)", "decimal(38,1)", "decimal(38,38)")
KINDS = st.sampled_from((*PLAIN, *DECIMALS))
OF_KIND = {
    **dict.fromkeys((*INTEGER_BITS, "float", "double", *DECIMALS), NUMBERS | GROUPED | FAR),
    **dict.fromkeys(("date", "timestamp"), MOMENTS | SHORT_MOMENTS | st.sampled_from(ODD_MOMENTS)),
}
ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Monrovia"]


@st.composite
def readings(draw: st.DrawFn, formats: Sequence[str] = FORMATS) -> Reading:
    several = st.lists(st.sampled_from(formats), min_size=1, max_size=4, unique=True).map(tuple)
    point = draw(st.sampled_from(".,"))
    return Reading(
        timestamp_formats=draw(several | st.sampled_from([("epoch_seconds",), ("%Y%m%d", "epoch_milliseconds")])),
        date_formats=draw(several),
        timezone=draw(st.sampled_from(ZONES)),
        round_digits=draw(st.booleans()),
        non_finite=draw(st.sampled_from(["refuse", "null", "keep"])),
        decimal_separator=point,
        thousands_separator=draw(st.sampled_from([each for each in ("", *",.' \u00a0") if each != point])),
        true_values=draw(st.sampled_from([("true", "1"), ("j",)])),
        nulls=draw(st.sampled_from([(), ("n/a", "0")])),
    )


@st.composite
def columns(draw: st.DrawFn) -> tuple[str, list[object]]:
    """A type and values that are mostly meant for it."""
    kind = draw(KINDS)
    meant = OF_KIND.get(kind, WORDS)
    some: st.SearchStrategy[object] = draw(st.sampled_from([meant, st.none() | meant, TEXTS, OF_JSON]))
    return kind, draw(st.lists(some, max_size=30))


@settings(max_examples=300, deadline=None)
@given(column=columns(), reading=readings(), times=st.sampled_from([1, 1, 70]))
def test_a_column_is_cast_as_each_of_its_values_is_parsed(
    column: tuple[str, list[object]], reading: Reading, times: int
) -> None:
    kind, raw = column[0], column[1] * times
    done = cast(raw, parse(kind), reading)
    assert_parsed(done, raw, kind, reading)
    if all(value is None or isinstance(value, str) for value in raw):
        texts = pa.array(["x", *raw], pa.string())
        assert_parsed(cast(texts.slice(1), parse(kind), reading), raw, kind, reading)


def assert_parsed(done: Cast, raw: Sequence[object], kind: str, reading: Reading) -> None:
    values, refused, rounded = [], {}, []
    for row, value in enumerate(raw):
        parser = ValueParser(reading)
        try:
            values.append(parser.parse(parse(kind), value))
        except ValueError as error:
            values.append(None)
            refused[row] = str(error)
        else:
            rounded += [row] * parser.rounded
    wanted = pa.array(values, arrow_type(parse(kind)))
    assert done.values.type == wanted.type
    assert repr(done.values.to_pylist()) == repr(wanted.to_pylist())  # NaN is NaN, and -0.0 is not 0.0
    assert (done.refused, done.rounded) == (refused, tuple(rounded))

"""Parameters of a report: how they are declared, what a caller may give, and that a value never becomes SQL."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightlake.core import column_type
from nightlake.core.errors import InvalidParameterError, UnknownParameterError
from nightlake.core.report_parameters import MAX_LITERAL, defaults, literal, read_header, read_values

from local.athena.tokens import Tokens

DAY = date(2017, 6, 12)
TEXT = """-- What a shop earned.
-- parameter shop: string = 'a' in ('a', 'it''s', 'b, c') -- which shop
-- parameter least: decimal(12,2) = 2.50
-- parameter since: date = '2000-01-01'
-- parameter most: int
-- Cents are kept.
SELECT 1 -- parameter late: int
"""
HEADER = read_header(TEXT)


def test_a_header_declares_typed_parameters_and_tells_the_rest() -> None:
    assert HEADER.description == "What a shop earned. Cents are kept."
    told = [(each.name, str(each.kind), each.default, each.allowed, each.line) for each in HEADER.parameters]
    assert told == [
        ("shop", "string", "a", ("a", "it's", "b, c"), 2),
        ("least", "decimal(12,2)", Decimal("2.50"), (), 3),
        ("since", "date", date(2000, 1, 1), (), 4),
        ("most", "int", None, (), 5),
    ]
    assert (HEADER.parameters[0].description, HEADER.faults) == ("which shop", ())


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ("shop", "declares no parameter: write it like -- parameter website: string"),
        ("shop: string = 'a' or 'b'", "declares no parameter"),
        ("Shop: string", "names a parameter Shop: use lower-case letters"),
        ("limit: int", "names a parameter limit: "),
        ("shop: text", "'text' is not a type that Athena and Parquet share: write string"),
        ("shop: array<int>", "declares no parameter"),
        ("shop: string = a", "gives shop the value a: write texts in quotes, 'a'"),
        ("least: int = 2.5", "gives least the value 2.5: "),
        ("shop: string = 'c' in ('a', 'b')", "gives shop a default that is not among its values"),
        (f"shop: string = '{'x' * MAX_LITERAL}'", "longer than the 1024 characters"),
    ],
)
def test_a_wrong_declaration_is_told_with_its_line(declared: str, reason: str) -> None:
    ((line, told),) = read_header(f"-- A report.\n-- parameter {declared}\nSELECT 1").faults
    assert line == 2
    assert reason in told


def test_a_name_is_declared_once() -> None:
    assert read_header("-- parameter a: int\n-- parameter a: int").faults == (
        (2, "declares the parameter a twice: remove one"),
    )


def test_values_are_typed_and_defaults_fill_in() -> None:
    wanted = {"shop": "it's", "least": Decimal("2.50"), "since": DAY, "most": 7}
    assert read_values(HEADER, {"shop": "it's", "most": 7}, DAY) == wanted
    assert read_values(HEADER, {"shop": "it's", "most": "7", "least": Decimal("2.5")}, DAY) == wanted


def test_a_night_computes_what_has_defaults() -> None:
    assert defaults(HEADER, DAY) is None
    assert defaults(read_header("-- parameter since: date = '2000-01-01'"), DAY) == {"since": DAY}
    assert defaults(read_header("SELECT 1"), DAY) == {}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"shop": "c"}, "shop=c: there are only a, it's, b, c"),
        ({"shop": 5}, "shop=5: a number, write a text in quotes; 'shop' is string"),
        ({"shop": None}, "shop=None: neither a text, a number, true nor false"),
        ({"shop": ["a"]}, "shop=['a']: neither a text"),
        ({"shop": "\ud800"}, "not a text in whole characters of UTF-8"),
        ({"least": "2.505"}, "'least' is decimal(12,2)"),
        ({"least": Decimal("1e999999999")}, "not a number of this type"),
        ({"most": "7; DROP TABLE x"}, "most=7; DROP TABLE x: not a number; 'most' is int"),
        ({"most": 2**31}, "'most' is int"),
        ({"most": True}, "most=True: is true or false; 'most' is int"),
        ({"since": "yesterday"}, "since=yesterday: "),
        ({}, "most is missing; it is int and has no default"),
    ],
)
def test_a_value_that_a_parameter_cannot_have_is_refused_by_name(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        read_values(HEADER, {"shop": "a"} | values, DAY)
    assert said in str(refused.value)


def test_a_parameter_that_is_not_declared_is_unknown() -> None:
    with pytest.raises(UnknownParameterError, match="no parameter 'mst' of this report; there are: shop, least, since"):
        read_values(HEADER, {"mst": 1}, DAY)


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("string", "it's", "'it''s'"),
        ("string", "'; DROP TABLE x --", "'''; DROP TABLE x --'"),
        ("string", "\\'", "'\\'''"),
        ("int", -5, "-5"),
        ("boolean", True, "true"),
        ("decimal(12,2)", Decimal("2.50"), "DECIMAL '2.50'"),
        ("double", 1e-7, "DOUBLE '1e-07'"),
        ("float", 0.5, "REAL '0.5'"),
        ("date", DAY, "DATE '2017-06-12'"),
        ("timestamp", datetime(2017, 6, 12, 3), "TIMESTAMP '2017-06-12 03:00:00.000'"),  # noqa: DTZ001 (as stored)
    ],
)
def test_values_are_written_as_literals(kind: str, value: Any, written: str) -> None:
    assert literal(column_type.parse(kind), value) == written


@given(st.text(max_size=60))
def test_any_text_is_one_literal_of_athenas_grammar(text: str) -> None:
    tokens = Tokens(literal(column_type.parse("string"), text), hive=False)
    assert tokens.string() == text
    tokens.end()

"""Expressions answer as Trino's, with Trino's types, or fail in its words."""

import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from local.athena.errors import DivisionByZeroError, NumericValueOutOfRangeError, QueryError, TypeMismatchError

Calculator = Callable[[str], Any]
_EXACT = Context(prec=200, rounding=ROUND_HALF_UP)
_quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("1", "integer", 1),
        ("2147483648", "bigint", 2147483648),
        ("1.50", "decimal(3,2)", Decimal("1.50")),
        ("0.05", "decimal(2,2)", Decimal("0.05")),
        ("1e0", "double", 1.0),
        ("'it''s'", "varchar(4)", "it's"),
        ("U&'\\0041b'", "varchar(2)", "Ab"),
        ("X'ff00'", "varbinary", b"\xff\x00"),
        ("NULL", "unknown", None),
        ("1/2", "integer", 0),
        ("-7/2", "integer", -3),
        ("-7 % 3", "integer", -1),
        ("1.0/3", "decimal(2,1)", Decimal("0.3")),
        ("CAST(1 AS decimal(10,2))/3", "decimal(10,2)", Decimal("0.33")),
        ("CAST(5 AS decimal(10,2))/CAST(3 AS decimal(4,3))", "decimal(14,3)", Decimal("1.667")),
        ("-1.0/8.00", "decimal(5,2)", Decimal("-0.13")),
        ("1.5 * 2.25", "decimal(5,3)", Decimal("3.375")),
        ("1.5 + 2", "decimal(12,1)", Decimal("3.5")),
        ("1.5 + 2e0", "double", 3.5),
        ("5.5 % 2", "decimal(2,1)", Decimal("1.5")),
        ("1e0/0", "double", math.inf),
        ("9.0 / (SELECT 4)", "decimal(2,1)", Decimal("2.3")),
        ("CAST(1e300 AS real)", "real", math.inf),
        ("ARRAY[1] || 2 || 3", "array(integer)", [1, 2, 3]),
        ("CAST(1 AS tinyint) + CAST(1 AS smallint)", "smallint", 2),
        ("'a' < 'b'", "boolean", True),
        ("1 = 1.0", "boolean", True),
        ("CAST('NaN' AS double) = CAST('NaN' AS double)", "boolean", False),
        ("CAST('NaN' AS double) > 1e0", "boolean", False),
        ("CAST('NaN' AS double) <> CAST('NaN' AS double)", "boolean", True),
        ("NULL = 1", "boolean", None),
        ("1 IS DISTINCT FROM NULL", "boolean", True),
        ("2 BETWEEN 1 AND 3", "boolean", True),
        ("2 NOT IN (1, NULL)", "boolean", None),
        ("3 IN (1, 2.0, 3)", "boolean", True),
        ("'a_c' LIKE 'a\\_c' ESCAPE '\\'", "boolean", True),
        ("'abc' LIKE 'a\\_c' ESCAPE '\\'", "boolean", False),
        ("'a\\c' LIKE 'a\\_'", "boolean", True),
        ("(1, 'a') = (1, 'b')", "boolean", False),
        ("(1, NULL) = (1, 2)", "boolean", None),
        ("(1, NULL) = (2, 2)", "boolean", False),
        ("ARRAY[1, NULL] = ARRAY[1, 2]", "boolean", None),
        ("ARRAY[1, 2] = ARRAY[1, 2]", "boolean", True),
        ("CASE 2 WHEN 1 THEN 1 ELSE 2.5 END", "decimal(11,1)", Decimal("2.5")),
        ("CASE WHEN false THEN 1 END", "integer", None),
        ("IF(1 > 2, 'yes')", "varchar(3)", None),
        ("COALESCE(NULL, 1, 2147483648)", "bigint", 1),
        ("NULLIF(1, 1.0)", "integer", None),
        ("ARRAY[1, 2.5]", "array(decimal(11,1))", [Decimal("1.0"), Decimal("2.5")]),
        ("ARRAY[10, 20][2]", "integer", 20),
        ("ROW(1, 'x')[2]", "varchar(1)", "x"),
        ("CAST(ROW(1, 'x') AS row(a bigint, b varchar)).a", "bigint", 1),
        ("TRY(1/0)", "integer", None),
        ("TRY_CAST('x' AS bigint)", "bigint", None),
        ("transform(ARRAY[1, 2], x -> x * 2.5)", "array(decimal(12,1))", [Decimal("2.5"), Decimal("5.0")]),
        ("transform(ARRAY[1], x -> transform(ARRAY[10], y -> x + y))", "array(array(integer))", [[11]]),
        ("DATE '2024-01-31' + INTERVAL '1' MONTH", "date", date(2024, 2, 29)),
        ("DATE '2024-03-01' - INTERVAL '1' DAY", "date", date(2024, 2, 29)),
        ("TIMESTAMP '2024-01-01 00:00:00' + INTERVAL '90' MINUTE", "timestamp(3)", datetime(2024, 1, 1, 1, 30)),  # noqa: DTZ001
        ("INTERVAL '1 02:00:00' DAY TO SECOND", "interval day to second", 93_600_000),
        ("INTERVAL '2' DAY * 3", "interval day to second", 518_400_000),
        ("DATE '2024-03-01' - DATE '2024-02-28'", "interval day to second", 172_800_000),
    ],
)
def test_an_expression_has_trinos_value_and_type(ask: Any, expression: str, kind: str, value: object) -> None:
    assert ask.type(expression) == kind
    assert ask.value(expression) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("CAST(2.5e0 AS integer)", 3),
        ("CAST(-2.5e0 AS bigint)", -3),
        ("CAST(2.5 AS integer)", 3),
        ("CAST(1.555 AS decimal(3,2))", Decimal("1.56")),
        ("CAST(0.285e0 AS decimal(3,2))", Decimal("0.29")),
        ("CAST('1.005' AS decimal(5,2))", Decimal("1.01")),
        ("CAST('+12' AS bigint)", 12),
        ("CAST('T' AS boolean)", True),
        ("CAST(1.50 AS varchar)", "1.50"),
        ("CAST(1.5e0 AS varchar)", "1.5E0"),
        ("CAST(1e7 AS varchar)", "1.0E7"),
        ("CAST(12345678.5e0 AS varchar)", "1.23456785E7"),
        ("CAST(0.001e0 AS varchar)", "1.0E-3"),
        ("CAST(REAL '0.1' AS varchar)", "1.0E-1"),
        ("CAST(TRUE AS varchar)", "true"),
        ("CAST(TIMESTAMP '2024-01-02 03:04:05.6' AS varchar)", "2024-01-02 03:04:05.600"),
        ("CAST(TIMESTAMP '2024-07-01 00:00:00 Europe/Paris' AS varchar)", "2024-07-01 00:00:00.000 Europe/Paris"),
        ("CAST(TIMESTAMP '2024-07-01 00:00:00 +05:30' AT TIME ZONE 'UTC' AS varchar)", "2024-06-30 18:30:00.000 UTC"),
        ("CAST('2024-1-5' AS date)", date(2024, 1, 5)),
        ("CAST('2024-01-02 03:04' AS timestamp)", datetime(2024, 1, 2, 3, 4)),  # noqa: DTZ001
        ("CAST('2024-01-02 03:04:05.6789' AS timestamp)", datetime(2024, 1, 2, 3, 4, 5, 679_000)),  # noqa: DTZ001
        ("CAST('abcdef' AS varchar(3))", "abc"),
        ("CAST('ab' AS char(4)) = 'ab'", True),
        ("CAST(ARRAY[1, 2] AS array(varchar))", ["1", "2"]),
        ("CAST(12 AS double)", 12.0),
        ("CAST('1e3' AS double)", 1000.0),
        ("CAST(ARRAY[1, NULL] AS json)", "[1,null]"),
        ("CAST(CAST(ROW(1, 'x') AS row(a integer, b varchar)) AS json)", '{"a":1,"b":"x"}'),
        ("CAST(CAST(ARRAY[1, NULL] AS json) AS array(varchar))", ["1", None]),
        (
            "CAST(CAST(CAST(ROW(1, 'x') AS row(a integer, b varchar)) AS json) AS map(varchar, varchar))",
            {"a": "1", "b": "x"},
        ),
        ("CAST(CAST('12.5' AS json) AS decimal(3,1))", Decimal("12.5")),
    ],
)
def test_casts_round_and_print_as_trino(ask: Any, expression: str, value: object) -> None:
    assert ask.value(expression) == value


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("'a' = 1", "TYPE_MISMATCH: line 1:12: Cannot apply operator: varchar(1) = integer"),
        ("'a' + 1", "TYPE_MISMATCH: line 1:12: Cannot apply operator: varchar(1) + integer"),
        (
            "1 AND true",
            "TYPE_MISMATCH: line 1:8: Logical expression term must evaluate to a boolean: actual type integer",
        ),
        ("CASE WHEN true THEN 1 ELSE 'a' END", "TYPE_MISMATCH: line 1:8: All CASE results must be the same type or"),
        ("x", "COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved"),
        ("nosuch(1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'nosuch' not registered"),
        (
            "abs('a')",
            r"FUNCTION_NOT_FOUND: line 1:8: Unexpected parameters (varchar(1)) for function abs. Expected: ",
        ),
        ("1/0", "DIVISION_BY_ZERO: Division by zero"),
        ("1 % 0", "DIVISION_BY_ZERO: Division by zero"),
        ("1/(SELECT 0)", "DIVISION_BY_ZERO: Division by zero"),
        ("CASE (SELECT 1) WHEN (SELECT 1) THEN 1 END", "NOT_SUPPORTED: A subquery is not supported here"),
        ("1.0/0", "DIVISION_BY_ZERO: Division by zero"),
        ("1.0 % 0", "DIVISION_BY_ZERO: Division by zero"),
        ("2147483647 + 1", "NUMERIC_VALUE_OUT_OF_RANGE: integer addition overflow: 2147483647 + 1"),
        (
            "9223372036854775807 * 2",
            "NUMERIC_VALUE_OUT_OF_RANGE: bigint multiplication overflow: 9223372036854775807 * 2",
        ),
        ("CAST(3000000000 AS integer)", "NUMERIC_VALUE_OUT_OF_RANGE: Out of range for integer: 3000000000"),
        ("CAST('1.5' AS integer)", "INVALID_CAST_ARGUMENT: Cannot cast '1.5' to INT"),
        ("CAST(' 1' AS bigint)", "INVALID_CAST_ARGUMENT: Cannot cast ' 1' to BIGINT"),
        ("CAST('maybe' AS boolean)", "INVALID_CAST_ARGUMENT: Cannot cast 'maybe' to BOOLEAN"),
        ("CAST(123.45 AS decimal(3,2))", "INVALID_CAST_ARGUMENT: Cannot cast DECIMAL(5, 2) '123.45' to DECIMAL(3, 2)"),
        ("CAST('2024-02-30' AS date)", "INVALID_CAST_ARGUMENT: Value cannot be cast to date: 2024-02-30"),
        ("CAST('2024-01-01T00:00:00' AS timestamp)", "INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: 2024"),
        ("CAST(DATE '2024-01-01' AS integer)", "TYPE_MISMATCH: line 1:8: Cannot cast date to integer"),
        ("CAST(1 AS strnig)", "TYPE_NOT_FOUND: line 1:8: Unknown type: strnig"),
        ("CAST('2024-01-01' AS timestamp(6))", "NOT_SUPPORTED: line 1:8: timestamp(6) is not supported"),
        ("ARRAY[1][2]", "INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: 2 > 1"),
        ("ARRAY[1][0]", "INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1"),
        ("ARRAY[1][-1]", "INVALID_FUNCTION_ARGUMENT: Array subscript is negative: -1"),
        ("99999999999999999999", "INVALID_LITERAL: line 1:8: Invalid numeric literal"),
        ("(SELECT * FROM (VALUES 1, 2))", "SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows"),
        (
            "DATE '2024-01-01' + INTERVAL '1' HOUR",
            "INVALID_FUNCTION_ARGUMENT: Cannot add hour, minutes or seconds to a date",
        ),
        ("lower('a') OVER ()", "FUNCTION_NOT_FOUND: line 1:8: Function 'lower' is not an aggregation function"),
        ("row_number()", "Window function row_number requires an OVER clause"),
        ("1 ->", "SYNTAX_ERROR"),
    ],
)
def test_an_expression_fails_in_trinos_words(ask: Any, expression: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask.value(expression)
    assert message in str(caught.value)


_INTEGER = st.integers(-(2**31), 2**31 - 1)


@_quick
@given(left=_INTEGER, right=_INTEGER, operator=st.sampled_from("+-*/%"))
def test_integer_arithmetic_is_exact_or_an_error(calculator: Calculator, left: int, right: int, operator: str) -> None:
    expression = f"CAST({left} AS integer) {operator} CAST({right} AS integer)"
    if operator in "/%" and right == 0:
        with pytest.raises(DivisionByZeroError):
            calculator(expression)
        return
    quotient = abs(left) // abs(right or 1) * (1 if (left < 0) == (right < 0) else -1)
    results = {"+": left + right, "-": left - right, "*": left * right, "/": quotient, "%": left - right * quotient}
    if not -(2**31) <= results[operator] < 2**31:
        with pytest.raises(NumericValueOutOfRangeError):
            calculator(expression)
    else:
        assert calculator(expression) == results[operator]


@st.composite
def _decimals(draw: st.DrawFn) -> tuple[Decimal, int, int]:
    precision = draw(st.integers(1, 38))
    scale = draw(st.integers(0, precision))
    digits = draw(st.integers(1, precision))  # long and short values alike
    unscaled = draw(st.integers(-(10**digits) + 1, 10**digits - 1))
    return Decimal(unscaled).scaleb(-scale, _EXACT), precision, scale


def _expected(
    operator: str, one: tuple[Decimal, int, int], other: tuple[Decimal, int, int]
) -> tuple[Decimal | None, int, int]:
    """Trino's result, precision and scale, from exact decimals; None where it divides by zero."""
    (left, p1, s1), (right, p2, s2) = one, other
    scale = max(s1, s2)
    if operator in "+-":
        precision = max(p1 - s1, p2 - s2) + scale + 1
        exact = _EXACT.add(left, right) if operator == "+" else _EXACT.subtract(left, right)
    elif operator == "*":
        precision, scale, exact = p1 + p2, s1 + s2, _EXACT.multiply(left, right)
    elif operator == "/":
        precision = p1 + s2 + max(s2 - s1, 0)
        exact = _EXACT.divide(left, right) if right else None
    else:
        precision = min(p1 - s1, p2 - s2) + scale
        exact = _EXACT.remainder(left, right) if right else None
    rounded = exact.quantize(Decimal(1).scaleb(-scale, _EXACT), context=_EXACT) if exact is not None else None
    return rounded, min(38, precision), scale


@settings(_quick, max_examples=150)
@given(one=_decimals(), other=_decimals(), operator=st.sampled_from("+-*/%"))
def test_decimal_arithmetic_is_exact_or_an_error(
    calculator: Calculator, one: tuple[Decimal, int, int], other: tuple[Decimal, int, int], operator: str
) -> None:
    expected, precision, scale = _expected(operator, one, other)
    texts = [f"CAST('{value:f}' AS decimal({p},{s}))" for value, p, s in (one, other)]
    expression = f"{texts[0]} {operator} {texts[1]}"
    if expected is None:
        with pytest.raises(DivisionByZeroError if scale <= 38 else QueryError):
            calculator(expression)
    elif scale <= 38 and precision < 38:
        assert calculator(expression) == expected
    else:  # what needs more than 38 digits, or may while it is computed, is exact or an error
        try:
            assert calculator(expression) == expected
        except (NumericValueOutOfRangeError, TypeMismatchError):
            event("more than 38 digits")


_MONEY = st.sampled_from([(12, 2), (18, 4), (24, 4), (10, 0), (28, 2), (5, 5)])


def _amounts(seed: Random, precision: int, scale: int) -> list[Decimal]:
    """Short and long values side by side, none of them zero."""
    edges = [10**power + step for power in range(1, precision) for step in (-1, 0, 1)]
    values = [*edges, *(seed.randint(1, 10 ** seed.randint(1, precision) - 1) for _ in range(100))]
    seed.shuffle(values)
    return [Decimal(value * seed.choice((1, -1))).scaleb(-scale, _EXACT) for value in values[:60]]


def _at(scale: int, rounding: str = ROUND_HALF_UP) -> Callable[[Decimal], Decimal]:
    return lambda value: value.quantize(Decimal(1).scaleb(-scale), rounding, _EXACT)


_OF_ONE = {
    "round(a, 1)": _at(1),
    "round(a)": _at(0),
    "truncate(a)": _at(0, ROUND_DOWN),
    "floor(a)": _at(0, ROUND_FLOOR),
    "ceiling(a)": _at(0, ROUND_CEILING),
    "CAST(a AS decimal(38,1))": _at(1),
    "CAST(a AS double)": float,
}


@settings(_quick, max_examples=40, phases=[Phase.generate])
@given(kinds=st.tuples(_MONEY, _MONEY, _MONEY), seed=st.randoms(use_true_random=False))
def test_short_and_long_decimals_of_one_column_are_exact(
    amounts: Callable[..., list[Any]], kinds: tuple[tuple[int, int], ...], seed: Random
) -> None:
    (p1, s1), (p2, s2), (p3, s3) = kinds
    rows = list(zip(*(_amounts(seed, *kind) for kind in kinds), strict=True))
    expressions = {text: [exact(a) for a, _, _ in rows] for text, exact in _OF_ONE.items()}
    for operator in "*/%":
        found = [_expected(operator, (a, p1, s1), (b, p2, s2)) for a, b, _ in rows]
        if found[0][1] < 38:
            expressions[f"a {operator} b"] = [value for value, _, _ in found]
    if p1 + p2 + p3 < 38 and s1 + s2 + s3 < 38:
        product = [_EXACT.multiply(_EXACT.multiply(a, b), c) for a, b, c in rows]
        expressions |= {"a * b * c": product, "a * (b * c)": product}
    mean = _EXACT.divide(sum(a for a, _, _ in rows), len(rows))
    expressions["avg(a) OVER ()"] = [_at(s1)(mean)] * len(rows)
    found_columns = zip(*amounts(kinds, rows, *expressions), strict=True)
    for (expression, expected), found_column in zip(expressions.items(), found_columns, strict=True):
        assert list(found_column) == expected, expression


@_quick
@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_survives_as_text(calculator: Calculator, number: float) -> None:
    literal = f"CAST('{number!r}' AS double)"
    assert float(calculator(f"CAST({literal} AS varchar)")) == number

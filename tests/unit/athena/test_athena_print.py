"""Values as Athena prints them, rendered by DuckDB."""

from collections.abc import Callable

import duckdb
import pytest

from local.athena import results, runtime, types


@pytest.fixture(scope="module")
def printed() -> Callable[[str, str], str | None]:
    """printed("array(integer)", "[1, NULL]"): a DuckDB value of a Trino type as Athena prints it."""
    connection = duckdb.connect()
    runtime.prepare(connection)
    connection.execute(results.MACROS)

    def show(kind: str, value: str) -> str | None:
        parsed = types.parse_type(kind)
        query = f"SELECT {results.rendered(parsed, 'v')} FROM (SELECT CAST({value} AS {types.to_duckdb(parsed)}) AS v)"  # noqa: S608
        found: tuple[str | None] = connection.execute(query).fetchall()[0]
        return found[0]

    return show


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/lang/Double.html#toString(double)
        ("0", "0.0"),
        ("'-0.0'", "-0.0"),
        ("10", "10.0"),
        ("0.1", "0.1"),
        ("-1234567.125", "-1234567.125"),
        ("9999999", "9999999.0"),
        ("10000000", "1.0E7"),
        ("123456789.125", "1.23456789125E8"),
        ("1e10", "1.0E10"),
        ("1e300", "1.0E300"),
        ("-1.5e20", "-1.5E20"),
        ("0.001", "0.001"),
        ("0.00012", "1.2E-4"),
        ("1e-7", "1.0E-7"),
        ("'nan'", "NaN"),
        ("'-inf'", "-Infinity"),
        ("NULL", None),
    ],
)
def test_a_double_is_printed_as_java_prints_it(
    printed: Callable[..., str | None], value: str, text: str | None
) -> None:
    assert printed("double", value) == text


@pytest.mark.parametrize(
    ("value", "text"), [("0.1", "0.1"), ("16777216", "1.6777216E7"), ("3.4028235e38", "3.4028235E38"), ("1.5", "1.5")]
)
def test_a_real_is_printed_with_its_own_digits(printed: Callable[..., str | None], value: str, text: str) -> None:
    assert printed("real", value) == text


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("boolean", "true", "true"),
        ("decimal(12,2)", "-0.5", "-0.50"),
        ("date", "'2024-02-29'", "2024-02-29"),
        ("timestamp", "'2024-01-01 00:00:00'", "2024-01-01 00:00:00.000"),
        ("timestamp", "'2024-01-01 12:34:56.789'", "2024-01-01 12:34:56.789"),
        ("varbinary", r"'\xCA\xFE\x00'::BLOB", "ca fe 00"),
        ("varbinary", "''::BLOB", ""),
        ("varchar", "''", ""),
        ("varchar", "NULL", None),
        ("json", """'{"a": 1}'""", '{"a": 1}'),
        ("array(integer)", "[1, NULL, 2]", "[1, null, 2]"),
        ("array(integer)", "[]", "[]"),
        ("array(integer)", "NULL", None),
        ("array(array(double))", "[[1], NULL]", "[[1.0], null]"),
        ("map(varchar, integer)", "MAP {'a': 1, 'b': NULL}", "{a=1, b=null}"),
        ("map(varchar, integer)", "NULL", None),
        ("row(x integer, y varchar)", "{'x': 1, 'y': NULL}", "{x=1, y=null}"),
        ("row(x integer)", "NULL", None),
        ("array(row(d date))", "[{'d': '2024-01-01'}]", "[{d=2024-01-01}]"),
        ("array(map(varchar, array(integer)))", "[MAP {'k': [1]}]", "[{k=[1]}]"),
    ],
)
def test_a_value_is_printed_as_athena_prints_it(
    printed: Callable[..., str | None], kind: str, value: str, text: str | None
) -> None:
    assert printed(kind, value) == text

"""Results as Athena prints them: the columns' metadata, and pages of the result files."""

from collections.abc import Callable

import pytest

from local.athena import results, types
from local.athena.catalog import Table


def fetch(content: bytes) -> Callable[[int, int], bytes]:
    return lambda start, end: content[start:end]


def values(rows: list[dict[str, list[dict[str, str]]]]) -> list[list[str | None]]:
    return [[datum.get("VarCharValue") for datum in row["Data"]] for row in rows]


def test_a_page_tells_null_from_an_empty_text_and_undoes_the_quoting() -> None:
    content = b'"a","b"\n,""\n"x""y,z","line 1\nline 2"\n\n'.replace(b"\n\n", b"\n,\n")

    rows, following = results.csv_rows(fetch(content), len(content), 0, 1000)

    assert values(rows) == [["a", "b"], [None, ""], ['x"y,z', "line 1\nline 2"], [None, None]]
    assert following is None


def test_a_null_in_a_single_column_is_a_row() -> None:
    content = b'"a"\n\n"1"\n\n'

    rows, _ = results.csv_rows(fetch(content), len(content), 0, 1000)

    assert values(rows) == [["a"], [None], ["1"], [None]]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_pages_of_any_size_give_every_row_once(limit: int) -> None:
    lines = [f'"{number}","{"é" * (number % 50)}"\n' for number in range(3000)]
    content = "".join(lines).encode()
    found, start = [], 0

    while start is not None:
        rows, following = results.csv_rows(fetch(content), len(content), start, limit)
        assert len(rows) <= limit
        found += values(rows)
        start = following

    assert found == [[str(number), "é" * (number % 50)] for number in range(3000)]


def test_a_row_larger_than_what_is_read_at_once_arrives_whole() -> None:
    content = b'"' + b"x" * 1_000_000 + b'"\n"y"\n'

    rows, following = results.csv_rows(fetch(content), len(content), 0, 1)

    assert len(values(rows)[0][0] or "") == 1_000_000
    assert following == 1_000_003


def test_a_line_of_a_text_result_is_one_value_whatever_is_in_it() -> None:
    content = b'id\tint\t"key", of a kind\nname\tstring\t\n'

    rows, following = results.text_rows(fetch(content), len(content), 0, 1)

    assert values(rows) == [['id\tint\t"key", of a kind']]
    assert values(results.text_rows(fetch(content), len(content), following or 0, 1000)[0]) == [["name\tstring\t"]]


def test_an_empty_result_has_no_rows() -> None:
    assert results.text_rows(fetch(b""), 0, 0, 1000) == ([], None)


@pytest.mark.parametrize(
    ("kind", "name", "precision", "scale"),
    [
        ("integer", "integer", 10, 0),
        ("bigint", "bigint", 19, 0),
        ("real", "float", 17, 0),
        ("double", "double", 17, 0),
        ("decimal(12,2)", "decimal", 12, 2),
        ("varchar", "varchar", 2147483647, 0),
        ("varchar(3)", "varchar", 3, 0),
        ("char(5)", "char", 5, 0),
        ("date", "date", 0, 0),
        ("timestamp(3)", "timestamp", 3, 0),
        ("timestamp(3) with time zone", "timestamp with time zone", 3, 0),
        ("boolean", "boolean", 0, 0),
        ("array(integer)", "array", 0, 0),
        ("map(varchar, integer)", "map", 0, 0),
        ("row(a integer)", "row", 0, 0),
    ],
)
def test_the_metadata_of_a_column(kind: str, name: str, precision: int, scale: int) -> None:
    (column,) = results.column_info([("x", types.parse_type(kind))])

    assert (column["Name"], column["Label"], column["Type"]) == ("x", "x", name)
    assert (column["Precision"], column["Scale"]) == (precision, scale)
    assert column["CaseSensitive"] == (name in {"varchar", "char"})


def test_the_metadata_of_a_text_result() -> None:
    columns = results.text_info("DESCRIBE_TABLE")

    assert [(column["Name"], column["Type"]) for column in columns] == [
        ("col_name", "string"),
        ("data_type", "string"),
        ("comment", "string"),
    ]
    assert results.text_info("DROP_TABLE") == []


@pytest.mark.parametrize(
    ("expression", "found"),
    [(None, ["days", "sales", "sales_raw"]), ("sales*", ["sales", "sales_raw"]), ("sales|DAYS", ["days", "sales"])],
)
def test_tables_are_listed_by_expression(expression: str | None, found: list[str]) -> None:
    tables = [Table("shop", name, ()) for name in ("days", "sales", "sales_raw")]

    assert [table.name for table in results.matching(tables, expression)] == found

"""Column types: one canonical spelling, and literals that are exact or refused."""

import pytest
from nightlake.core.column_type import ColumnType, literal, parse


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("BIGINT", "bigint"),
        ("decimal( 12 , 2 )", "decimal(12,2)"),
        ("Array<Struct<a : int, b: map<string, decimal(5,1)>>>", "array<struct<a:int,b:map<string,decimal(5,1)>>>"),
    ],
)
def test_a_type_has_one_spelling(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "money",
        "int int",
        "array",
        "array<>",
        "array<int",
        "map<int>",
        "struct<>",
        "struct<a>",
        "struct<a:int,>",
        "decimal(0,0)",
        "decimal(39,0)",
        "decimal(5)",
        "decimal(5,6)",
        "varchar(3)",
        "int;",
        "array<int>>",
        pytest.param("array<" * 5000 + "int" + ">" * 5000, id="deep"),
    ],
)
def test_what_is_no_type_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r": (write|use|precision)"):
        parse(text)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("tinyint", -128, "-128"),
        ("bigint", 2**63 - 1, "9223372036854775807"),
        ("int", 5.0, "5"),
        ("decimal(38,2)", 10**35 + 1, str(10**35 + 1)),
        ("decimal(12,2)", 0.1, "0.1"),
        ("double", 1e-7, "0.0000001"),
        ("boolean", True, "true"),
        ("string", "NO", "NO"),
        ("date", "2017-06-12", "2017-06-12"),
        ("timestamp", "2017-06-12T03:00:00+02:00", "2017-06-12 01:00:00"),
        ("timestamp", "2017-06-12 03:00:00.5", "2017-06-12 03:00:00.500"),
    ],
)
def test_a_value_has_one_exact_text(kind: str, value: object, text: str) -> None:
    assert literal(parse(kind), value) == text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("tinyint", 128),
        ("int", 0.5),
        ("int", True),
        ("int", "5"),
        ("decimal(3,1)", 0.01),
        ("decimal(3,1)", 100),
        ("double", float("inf")),
        ("double", float("nan")),
        ("boolean", "true"),
        ("string", 5),
        ("string", None),
        ("date", "12.06.2017"),
        ("date", "2017-02-30"),
        ("timestamp", "0001-01-01T00:00:00+01:00"),
        ("timestamp", "2017-06-12 03:00:00.0001"),
        ("array<int>", [1]),
    ],
)
def test_a_value_that_would_be_changed_is_refused(kind: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"is (not|finer)"):
        literal(parse(kind), value)


def test_types_compare_by_what_they_are() -> None:
    assert parse("decimal(12,2)") == ColumnType("decimal", 12, 2)
    assert parse("array<int>") != parse("array<bigint>")

"""What a JSON text writes for a field is found as it is written, however deep and odd the others are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightlake.core.readers.json_fields import written_fields

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ('{"a": 1.50, "b": 1E5}', {"a": "1.50", "b": "1E5"}),
        ('{"a":-0,"b":12345678901234567890.10}', {"a": "-0", "b": "12345678901234567890.10"}),
        ('{"a": true, "b": null}', {"a": "true"}),
        (' { "b" : { "c" : [ 1.0 , "}" ] } , "a" : "x\\n\\u00e9" } ', {"a": "x\né", "b": '{ "c" : [ 1.0 , "}" ] }'}),
        ('{"a\\"": 1, "\\u0061": "\\\\"}', {"a": "\\"}),
        ("{}", {}),
    ],
)
def test_fields_are_found_as_they_are_written(raw: str, found: dict[str, str]) -> None:
    assert written_fields(raw, {"a", "b"}) == found


def test_a_value_may_be_deeper_than_python_recurses() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert written_fields(f'{{"b": {deep}, "a": {deep}}}', {"a"}) == {"a": deep}


@given(st.dictionaries(st.text(), JSON), st.sampled_from([None, 2]), st.booleans())
def test_every_field_of_every_object_means_what_json_says(
    row: dict[str, object], indent: int | None, ascii_only: bool
) -> None:
    found = written_fields(json.dumps(row, indent=indent, ensure_ascii=ascii_only), row.keys())
    assert found.keys() == {name for name, value in row.items() if value is not None}
    assert {name: text if isinstance(row[name], str) else json.loads(text) for name, text in found.items()} == {
        name: value for name, value in row.items() if value is not None
    }

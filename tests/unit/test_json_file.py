"""JSON is read as strictly as AWS reads it, with the line of every value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightlake.core.json_file import NotJsonError, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


def test_every_value_has_the_line_of_its_key_or_its_own() -> None:
    read = parse_json('\n{\n "a":\n  {"b": [1,\n  {"c": "}\\"\\n"}]},\n "d": null}\n')
    assert read.data == {"a": {"b": [1, {"c": '}"\n'}]}, "d": None}
    assert read.lines == {
        (): 2,
        ("a",): 3,
        ("a", "b"): 4,
        ("a", "b", 0): 4,
        ("a", "b", 1): 5,
        ("a", "b", 1, "c"): 5,
        ("d",): 6,
    }


def test_a_place_that_is_not_there_has_the_line_of_what_encloses_it() -> None:
    read = parse_json('{\n"a": {\n"b": 1}}')
    assert read.line(("a", "missing", 3)) == 2
    assert read.line(("missing",)) == 1


@given(VALUES, st.sampled_from([None, 0, 2]), st.booleans())
def test_every_json_text_is_read_and_every_value_has_its_line(value: object, indent: int | None, ascii_: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_)
    read = parse_json(text)
    assert read.data == value
    for location, line in read.lines.items():
        found = value
        for step in location:
            found = found[step]  # type: ignore[index]
        if indent is not None and location:
            written = json.dumps(found, indent=indent, ensure_ascii=ascii_).split("\n")[0]
            here = text.split("\n")[line - 1].strip().removesuffix(",")
            key = f"{json.dumps(location[-1], ensure_ascii=ascii_)}: " if isinstance(location[-1], str) else ""
            assert here == key + written


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "is not JSON"),
        ('{"a": 1,\n}', 2, "is not JSON"),
        ('{"a": ${Number}}', 1, "is not JSON"),
        ("{} {}", 1, "is not JSON"),
        ("// a comment\n{}", 1, "is not JSON"),
        ("\ufeff{}", 1, "is not JSON"),
        ('{"a": 1,\n "b": {"c": 1,\n "\\u0063": 2}}', 3, "twice in one object (first in line 2)"),
        ('{"a":\n NaN}', 2, "has NaN"),
        ('["x",\n -Infinity]', 2, "has -Infinity"),
        ("[" * 100_000, 1, "cannot be read as JSON"),
        ("[" * 300 + "]" * 300, 1, "nested more than 200 levels"),
        ("9" * 5000, 1, "cannot be read as JSON"),
    ],
)
def test_what_is_not_strict_json_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(NotJsonError) as refused:
        parse_json(text)
    assert refused.value.line == line
    assert reason in str(refused.value)

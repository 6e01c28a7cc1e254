"""Records are counted where they stand without being built: the same as a parser of JSON says, or a named error."""

import json
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core.errors import AnswerNotJsonError, AnswerShapeError, AnswerTruncatedError
from nightlake.core.http_answer import exact, find

NAMES = st.sampled_from(["a", "b", "c", "", 'q"', "\u00e9"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)
PATHS = st.sampled_from(["", "a", "b", "a.b", "a.b.c", "b.a", "0", "a.0", "1.a", "a.1.b"])


def at(value: Any, path: str) -> Any:
    """What stands at the path."""
    steps = path.split(".") if path else []
    return reduce(lambda found, name: found[int(name) if isinstance(found, list) else name], steps, value)


@settings(deadline=None, max_examples=100)
@given(value=VALUES, records=PATHS, other=PATHS, indent=st.sampled_from([None, 1]))
def test_it_finds_what_a_parser_finds(value: Any, records: str, other: str, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    try:
        wanted = at(value, records)
    except (KeyError, TypeError, IndexError, ValueError):
        wanted = 5
    if not isinstance(wanted, list | dict | None):
        with pytest.raises(AnswerShapeError):
            find(text, records=records, layout="rows", where="x")
        return
    found = find(text, records=records, layout="rows", values=[other] if other else [], where="x")
    assert found.count == (len(wanted) if isinstance(wanted, list) else int(wanted is not None))
    assert json.loads(text[found.records.start : found.records.end]) == wanted
    try:
        beside = at(value, other)
    except (KeyError, TypeError, IndexError, ValueError):
        assert found.values == {}
    else:
        inside = isinstance(wanted, list) and (not records or other.startswith(f"{records}."))
        assert inside or not other or found.values == {other: exact(json.dumps(beside))}


@settings(deadline=None, max_examples=100)
@given(value=VALUES, records=PATHS, cut=st.integers(0, 60), put=st.sampled_from(["", ",", "}", "]", '"', "x", "\x00"]))
def test_what_is_no_json_has_a_name(value: Any, records: str, cut: int, put: str) -> None:
    text = json.dumps(value)
    broken = text[:cut] + put + text[cut + 1 :]
    for layout in ("rows", "columns"):
        try:
            json.loads(broken)
        except ValueError:
            with pytest.raises((AnswerNotJsonError, AnswerTruncatedError, AnswerShapeError)):
                find(broken, records=records, layout=layout, where="x")  # type: ignore[arg-type]
        else:
            try:
                find(broken, records=records, layout=layout, where="x")  # type: ignore[arg-type]
            except AnswerShapeError:
                continue


@settings(deadline=None, max_examples=100)
@given(records=st.lists(st.dictionaries(NAMES, VALUES, max_size=3), min_size=1, max_size=5), cut=st.integers(1, 400))
def test_an_answer_that_is_cut_off_is_half_of_one(records: list[dict[str, Any]], cut: int) -> None:
    text = json.dumps({"items": records, "total": len(records)})
    with pytest.raises(AnswerTruncatedError):
        find(text[: min(cut, len(text) - 1)], records="items", layout="rows", where="x")

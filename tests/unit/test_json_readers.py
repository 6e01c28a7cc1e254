"""JSON gives exact raw values by the contract's columns, and refuses record by record, with place and text."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from json_shard import JSON, JSONL, batches, source
from nightlake.core.errors import JsonSyntaxError, JsonTruncatedError
from nightlake.core.readers.batch import Batch, Refused
from nightlake.core.readers.json import read_json
from nightlake.core.readers.jsonl import read_jsonl
from nightlake.core.source import AnyS3Source


def one(body: bytes, source: AnyS3Source, piece: int = 3) -> Batch:
    reader = read_jsonl if source.format == "jsonl" else read_json
    (batch,) = batches(body, source, reader=reader, piece=piece)
    return batch


@pytest.mark.parametrize(
    ("kind", "body"), [(JSONL, b'\xef\xbb\xbf{"y": 1.10, "x": {"a": [1]}}\r\n\n{"x": 12345678901234567890}\n'),
                         (JSON, b'\xef\xbb\xbf [ {"y": 1.10, "x": {"a": [1]}} ,\n{"x": 12345678901234567890}]\n')],
)  # fmt: skip
def test_json_keeps_numbers_exactly_and_values_nested(kind: AnyS3Source, body: bytes) -> None:
    batch = one(body, kind)
    assert batch.columns == {"x": [{"a": [1]}, 12345678901234567890], "y": [Decimal("1.10"), None]}
    assert str(batch.columns["y"][0]) == "1.10"
    assert batch.raw == ['{"y": 1.10, "x": {"a": [1]}}', '{"x": 12345678901234567890}']
    assert (batch.positions, batch.skipped) == (([1, 3], 1) if kind is JSONL else ([1, 2], 0))


def test_dotted_paths_reach_into_objects_and_other_names_are_told() -> None:
    nested = source(format="jsonl", columns={"x": "a.b", "y": "c.d"})
    batch = one(b'{"a": {"b": 1}, "c.d": 2, "c": 3}\n{"a": 4, "c": {}, "e": 5}', nested)
    assert batch.columns == {"x": [1, None], "y": [2, None]}
    assert batch.extra_columns == {"e"}


REFUSED = {
    b"7": ("json.object", "is no JSON object"),
    b'{"x": 1, "x": 2}': ("json.repeated", "has 'x' twice in one object"),
    b'{"x": NaN}': ("json.syntax", "has NaN, which is not JSON"),
    b'{"x": "\xff"}': ("encoding", "has bytes that are not in the declared encoding"),
    b'{"x": "\\ud800"}': ("encoding", "has an escape of half a character, such as \\ud800"),
}


@pytest.mark.parametrize("bad", REFUSED)
def test_json_records_are_refused_one_by_one(bad: bytes) -> None:
    rule, reason = REFUSED[bad]
    for body, kind, offset in ((b'{"x": 1}\n%b\n{"x": 3}\n', JSONL, 9), (b'[{"x": 1},%b,{"x": 3}]', JSON, None)):
        batch = one(body % bad, kind)
        assert batch.columns["x"] == [1, 3]
        assert batch.refused == [Refused(2, (rule,), (reason,), bad.decode("utf-8", "backslashreplace"), offset)]


def test_a_line_that_is_no_json_is_refused_alone() -> None:
    batch = one(b'{"x": 1}\n{"x": \n{"x": 3} 4\n{"x": "\\ud83d\\ude00"}', JSONL)
    assert [bad.position for bad in batch.refused] == [2, 3]
    assert all(bad.rules == ("json.syntax",) and bad.reasons[0].startswith("is not") for bad in batch.refused)
    assert batch.columns["x"] == [1, "😀"]


WHOLE = b' [ {"x": "a]", "y": [1, {"z": "\xc3\xa9\\""}]} , {"x": 1.5e3}, 12 ] \n'


@pytest.mark.parametrize("length", range(len(WHOLE.rstrip())))
def test_a_json_array_that_ends_anywhere_in_the_middle_is_told(length: int) -> None:
    with pytest.raises(JsonTruncatedError, match="t/1"):
        one(WHOLE[:length], JSON)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"x": 1}', "does not begin with"),
        (b'[{"x": 1}] x', "goes on after its array"),
        (b'[{"x": 1},]', "record 2 is not JSON"),
        (b'[{"x": 1} {"x": 2}]', "after record 1 comes no comma"),
        (b'[{"x": tru}, {"x": 2}]', "record 1 is not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "record 1 is not JSON"),
    ],
)
def test_what_is_no_json_array_is_told(body: bytes, told: str) -> None:
    with pytest.raises(JsonSyntaxError, match=told):
        one(body, JSON, piece=1000)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(st.fixed_dictionaries({"x": JSON_VALUES, "y": JSON_VALUES}), max_size=5), st.integers(1, 30))
@settings(deadline=None)
def test_any_json_array_is_read_like_json_loads(rows: list[dict[str, Any]], piece: int) -> None:
    for ascii_only, indent in ((True, None), (False, 1)):
        body = json.dumps(rows, ensure_ascii=ascii_only, indent=indent).encode()
        batch = one(body, JSON, piece=piece)
        assert batch.columns == {name: [row[name] for row in rows] for name in ("x", "y")}


def test_a_repeated_name_is_found_among_very_many() -> None:
    names = ",".join(f'"{number}":1' for number in range(200_000))
    batch = one(f'{{{names},"199999":1}}\n'.encode(), source(format="jsonl", max_record_bytes=16 << 20), 1 << 20)
    assert batch.refused[0].reasons == ("has '199999' twice in one object",)


def test_an_array_that_is_no_json_names_the_place_in_its_record() -> None:
    with pytest.raises(JsonSyntaxError, match=r"record 2 .*: character 7 of the record"):
        one(b'[{"x": 1}, {"x": z}]', JSON)

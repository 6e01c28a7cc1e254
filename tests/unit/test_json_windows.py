"""The fast reader of a JSON array says what the slow one says, or fails with the same error."""

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from json_shard import Outcome, batches, dataset, outcome, source
from nightlake.core.errors import JsonSyntaxError, JsonTruncatedError
from nightlake.core.readers.json import read_json
from nightlake.core.readers.json_windows import read_json_fast
from nightlake.core.source import AnyS3Source

TYPES = dataset(i="bigint", d="decimal(5,2)", s="string", n="array<struct<a:int>>", at="timestamp")
ELEMENTS = [
    '{"i":1,"d":1.25,"s":"x","n":[{"a":1},{"a":2}],"at":"2020-01-01 00:00:00"}',
    '{"i":2,"d":2.5}',
    '{"i":3,"s":"a},{\\"i\\":4"}',
    '{"i":4,"s":"}, {"}',
    '{"i":5,"s":"},\\n{"}',
    '{"s":"first"}',
    '{"i":1.0,"d":"7"}',
    '{"i":1,"i":2}',
    '{"i":1,"x":{"i":1}}',
    '{"n":[{"a":1},{"a":2},{"i":3}]}',
    '{"i":{"i":1}}',
    '{"i":9,"s":"\\ud800"}',
    '{"i":9,"s":"é"}',
    '{"i":9,"s":NaN}',
    "{}",
    "7",
    "null",
    "[]",
    '[{"i":1},{"i":2}]',
    '"},{"',
]
PLAIN = ELEMENTS[:2]
BETWEEN = st.sampled_from([",", ", ", ",\n  ", "\n, "])


@st.composite
def arrays(draw: st.DrawFn) -> str:
    between = draw(BETWEEN)
    parts = draw(st.lists(st.sampled_from(ELEMENTS) | st.sampled_from(PLAIN), max_size=14))
    many = draw(st.sampled_from([1, 3]))
    return (
        draw(st.sampled_from(["[", " [ ", "[\n  "])) + between.join(parts * many) + draw(st.sampled_from(["]", " ]\n"]))
    )


def read(body: bytes, declared: AnyS3Source, reader: Any, piece: int) -> Outcome | tuple[type, str]:
    try:
        return outcome(batches(body, declared, TYPES, reader=reader, piece=piece), declared, TYPES)
    except (JsonSyntaxError, JsonTruncatedError) as error:
        return type(error), str(error)


def same(body: bytes, declared: AnyS3Source, window: int, piece: int) -> None:
    fast = partial(read_json_fast, window=window)
    assert read(body, declared, fast, piece) == read(body, declared, read_json, piece)


@given(arrays(), st.sampled_from(["utf-8", "cp1252", "utf-16"]), st.integers(1, 2000), st.integers(1, 500))
@settings(deadline=None, max_examples=300)
def test_any_array_is_read_the_same(text: str, encoding: str, window: int, piece: int) -> None:
    same(text.encode(encoding), source(format="json", encoding=encoding), window, piece)


@given(arrays(), st.data(), st.integers(1, 2000))
@settings(deadline=None, max_examples=300)
def test_a_damaged_array_is_read_the_same_or_fails_the_same(text: str, data: st.DataObject, window: int) -> None:
    body = bytearray(text.encode())
    at = data.draw(st.integers(0, len(body) - 1))
    match data.draw(st.integers(0, 2)):
        case 0:
            body[at] = data.draw(st.sampled_from(b'{}[],:"\n1\xff \\'))
        case 1:
            del body[at : at + data.draw(st.integers(1, 9))]
        case _:
            body[at:at] = bytes([data.draw(st.sampled_from(b'{}[],:"\n1\xff \\'))])
    same(bytes(body), source(format="json"), window, 100)


def test_an_element_that_arrow_would_crash_on_is_read_alone() -> None:
    body = b"[" + b",".join([b"null", *(b'{"i":1}',) * 9] * 40) + b"]"
    same(body, source(format="json"), 64, 100)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("nested", [False, True])
def test_an_array_is_read_in_large_batches_however_it_is_written(indent: int | None, nested: bool) -> None:
    rows = [{"i": row, "s": f"text {row}", "n": [{"a": 1}, {"a": 2}] if nested else None} for row in range(5_000)]
    body = json.dumps(rows, indent=indent).encode()
    found = batches(body, source(format="json"), TYPES, piece=1 << 16)
    assert outcome(found, source(format="json"), TYPES) == read(body, source(format="json"), read_json, 1 << 16)
    assert sum(type(batch.columns["i"]).__name__ == "Int64Array" for batch in found) == len(found) - 1
    assert len(found[-1].positions) <= 2
    assert len(found) < 12


def test_a_name_that_only_a_refused_object_has_is_no_new_column() -> None:
    body = '[{"i":1},{"i":2,"new":"\\ud800"},{"i":3}' + ',{"i":4}' * 20 + "]"
    same(body.encode(), source(format="json"), 1 << 20, 99)

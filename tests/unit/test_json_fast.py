"""The fast reader of JSON Lines says what the slow one says, value by value and record by record."""

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from json_shard import batches, dataset, outcome, shard, source
from nightlake.core.readers.json_fast import read_jsonl_fast
from nightlake.core.readers.jsonl import read_jsonl
from nightlake.core.source import AnyS3Source

TYPES = dataset(
    i="bigint",
    k="tinyint",
    d="decimal(5,2)",
    f="double",
    g="float",
    b="boolean",
    s="string",
    day="date",
    at="timestamp",
    n="struct<a:int,c:string,e:double>",
    l="array<decimal(4,1)>",
    p="string",
    q="bigint",
)
PATHS = {"p": "o.p", "q": "o.r.q"}
# fmt: off
TOKENS = [
    "1", "-1", "0", "-0", "-0.0", "1.0", "1.50", "12.345", "12.340", "1e2", "1E-2", "127", "128", "-129",
    "99999.99", "1000.00", "9223372036854775807", "1e400", "1e-400", "3e39", "9223372036854775808", "0.1", "true",
    "false", "null", '""', '"1"', '"1.5"', "1.5", '"+1"', '"1."', '".5"', '"1e2"', '"abc"', '"yes"', '"NaN"',
    "NaN", "Infinity", "-Infinity", '"2020-02-29"', '"2020-02-30"', '"2020-02-29T01:02:03"', '"\\u00e9"',
    '"\\ud83d\\ude00"', '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"é"', "[]", "[1]", "[1.25]", "[1.5,null]",
    "[[1]]", "{}", '{"a":1}', '{"a":1,"c":"x","e":2.5}', '{"a":1,"a":1}', '{"a":"1"}', '{"e":NaN}', '{"z":1}',
    '{"p":"x"}', '{"p":1,"r":{"q":7}}', '{"r":{"q":1.5}}', '{"r":{}}', '{"r":null}', '{"p":"x","u":[1]}', "01",
    "1.", ".5", "+1", "tru", '"x', "-", '" 1.5 "', '"2020-02-29 01:02:03"', '"a b"',
    '"a\tb"', "\x00", '"\x00"', "\ufeff", "[" * 300, '{"a":' * 300, "9" * 400, "0." + "1" * 400,
]
# fmt: on
NAMES = [*(column.name for column in TYPES.columns), "o", "o", "z", "y", "o.p", "\\u0069", "", "I"]
FIELDS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(TOKENS)), max_size=4)
GOOD = {
    "i": "17",
    "k": "3",
    "d": "1.25",
    "f": "2.5",
    "g": "0.5",
    "b": "true",
    "s": '"text"',
    "day": '"2020-01-01"',
    "at": '"2020-01-01 00:00:00"',
    "n": '{"a":1,"c":"x","e":1.5}',
    "l": "[1.5,2]",
    "o": '{"p":"x","r":{"q":1}}',
}


def written(fields: list[tuple[str, str]], *, whole: bool, space: str) -> str:
    pairs = [*GOOD.items(), *fields] if whole else fields
    return "{" + ",".join(f'"{name}"{space}:{space}{token}' for name, token in pairs) + "}"


GOOD_LINE = written([], whole=True, space="")
LINES = st.lists(
    st.builds(written, FIELDS, whole=st.booleans(), space=st.sampled_from(["", " "]))
    | st.just(GOOD_LINE)
    | st.builds(lambda fields: written(fields, whole=False, space=""), FIELDS)
    | st.sampled_from(
        ["", " ", GOOD_LINE + GOOD_LINE, GOOD_LINE + " ", "[]", "{", "}", "{}", "null", '"}', '{"s":"}', "{}{}"]
    ),
    max_size=12,
)
ENDS = st.sampled_from(["\n", "\n", "\r\n", "\r"])


@st.composite
def bodies(draw: st.DrawFn, encoding: str = "utf-8") -> bytes:
    end = draw(ENDS)
    text = end.join(draw(LINES)) + draw(st.sampled_from(["", end]))
    body = bytearray(text.encode(encoding, "replace"))
    for _ in range(draw(st.integers(0, 2)) if body else 0):
        at = draw(st.integers(0, max(0, len(body) - 1)))
        match draw(st.integers(0, 3)):
            case 0:
                body[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case 1:
                del body[at : at + draw(st.integers(1, 20))]
            case 2:
                body[at:at] = bytes([draw(st.sampled_from(b'\n\r{}[],:" \\0'))])
            case _:
                body[at:at] = body[: draw(st.integers(1, 50))]
    return bytes(body)


def same(body: bytes, declared: AnyS3Source, block: int = 1 << 20, piece: int = 1 << 20, **of: Any) -> None:
    where = shard(len(body), **of)
    fast = partial(read_jsonl_fast, block_bytes=block)
    expected = outcome(batches(body, declared, TYPES, reader=read_jsonl, piece=piece, of=where), declared, TYPES)
    assert outcome(batches(body, declared, TYPES, reader=fast, piece=piece, of=where), declared, TYPES) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@given(data=st.data(), block=st.integers(1, 4000), piece=st.integers(1, 3000))
@settings(deadline=None, max_examples=100)
def test_any_text_is_read_the_same(encoding: str, data: st.DataObject, block: int, piece: int) -> None:
    body = data.draw(bodies(encoding))
    options: dict[str, Any] = data.draw(
        st.sampled_from(
            [{}, {"excess_digits": "round"}, {"on_drift": "ignore"}, {"nulls": ("", "abc")}, {"nulls": ("1",)}]
        )
    )
    declared = source(format="jsonl", columns=PATHS, encoding=encoding, max_record_bytes=2048, **options)
    same(body, declared, block, piece)
    cut = data.draw(st.integers(4, max(4, len(body))))
    if cut < len(body):
        same(body, declared, block, piece, end=cut)
        same(body, declared, block, piece, start=cut, exact=False)


@pytest.mark.parametrize("token", TOKENS)
def test_every_kind_of_value_is_read_the_same_in_every_column(token: str) -> None:
    declared = source(format="jsonl", columns=PATHS)
    for name in dict.fromkeys(NAMES):
        line = json.dumps({"i": 1})[:-1] + f',"{name}":{token}}}\n' if name != "i" else f'{{"i":{token}}}\n'
        same((GOOD_LINE + "\n" + line + GOOD_LINE + "\n").encode("utf-8", "surrogatepass"), declared)
        same(line.encode("utf-8", "surrogatepass") * 3, declared)


@pytest.mark.parametrize("kind", ["decimal(38,38)", "decimal(38,10)", "decimal(18,4)", "decimal(5,2)", "double"])
@pytest.mark.parametrize("form", ["%s", "[%s]", '{"e":%s}'])
def test_no_number_becomes_another_one_or_ends_the_process(kind: str, form: str) -> None:
    """Arrow wraps decimals around, and reads beyond its powers of ten."""
    tokens = ["4000000000000000", "40564819207303340847894502572032", "-43e27", "1e37", "0.5", "9" * 28, "9" * 38]
    tokens += ["1e-41", "0e-99", "1e-5", "1." + "0" * 36 + "e-5", "1e-1000000000", "1e-99999999999999999999", "1.50"]
    tokens += [
        '"1e-41"',
        '"1e-1000000000"',
        '"1\\u0065-1000000000"',
        '"1e\\u002D1000000000"',
        '" 1e-1000000000"',
        '"1.50"',
    ]
    types = dataset(d={"[%s]": f"array<{kind}>", "%s": kind}.get(form, f"struct<e:{kind}>"), s="string")
    for end in ("\n", "\r"):
        for many in (tokens, [tokens[-1]] * 3, *([token, "0.5"] for token in tokens)):
            body = end.join(f'{{"d":{form % token},"s":"a1e-41"}}' for token in many).encode()
            expected = outcome(batches(body, reader=read_jsonl, dataset=types), dataset=types)
            assert outcome(batches(body, reader=read_jsonl_fast, dataset=types), dataset=types) == expected


@pytest.mark.parametrize("kind", ["string", "boolean", "bigint", "decimal(5,2)", "array<string>"])
def test_only_a_text_is_a_spelling_of_null(kind: str) -> None:
    types, declared = dataset(x=kind), source(format="jsonl", nulls=("1",))
    form = b'{"x":[%b]}\n' if kind == "array<string>" else b'{"x":%b}\n'
    for value, expected in ((b"1", True), (b'"1"', False)):
        for reader in (read_jsonl, read_jsonl_fast):
            found = outcome(batches(form % value * 100, declared, types, reader=reader), declared, types)
            assert [values not in {("None",), ("[None]",)} for *_, values in found.rows] == [expected] * 100

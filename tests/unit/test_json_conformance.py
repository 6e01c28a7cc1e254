"""What JSON is and what it is not, case by case: an exact value, or a record or an object refused by name.

The cases follow those of Nicolas Seriot's JSONTestSuite (RFC 8259), each written as the value of a field.
"""

import json
from decimal import Decimal

import pytest
from json_shard import JSON, JSONL, batches, dataset, outcome
from nightlake.core.errors import JsonSyntaxError, JsonTruncatedError
from nightlake.core.readers.batch import Batch
from nightlake.core.readers.json import read_json
from nightlake.core.readers.jsonl import read_jsonl

TEXT = dataset(x="string")

# ruff: noqa: E501
# fmt: off
VALID = [
    "[]", "[ ]", "[[]   ]", '[""]', "[false]", "[null]", "[true]", "[1]", "[1,null,null,null,2]", '[1, "a", true]', "[2] ",
    "{}", '{"a":"b"}', '{"":0}', '{"a":[]}', '{"a":"b","c":"d"}', '{"foo\\u0000bar": 42}', '{"min":-1.0e+28,"max":1.0e+28}',
    '{"x":[{"id": "x"}], "id": "y"}', '{"\\u041f":"\\u043e"}', '{\t"a":\t"b"}', '{ "a" : { "b" : [ { } ] } }',
    "0", "-0", "-1", "123", "-123", "20e1", "0e+1", "0e1", "1E22", "1E-2", "1E+2", "123e45", "123.456e78", "0.5", "-0.1",
    "-0.000000000000000000000000000000000000000000000000000000000000000000000000000001", "123.456789", "4", "1e-2", "1e+2",
    "12345678901234567890123456789012345678901234567890", "0.1000000000000000055511151231257827021181583404541015625",
    "true", "false", "null", '""', '" "', '"asd"', '"\\u0060\\u012a\\u12AB"', '"\\uD801\\udc37"', '"\\ud83d\\ude39\\ud83d\\udc8d"',
    '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\\\u0000"', '"\\""', '"a/*b*/c/*d//e"', '"\\\\a"', '"\\\\n"', '"\\u0012"', '"\\uFFFF"',
    '"\\uDBFF\\uDFFF"', '"new\\u00A0line"', '"\U0010ffff"', '"\uffff"', '"\\u0000"', '"\\u002c"', '"π"', '"\U0001bfff"',
    '"\u2028"', '"\u2029"', '"\\u0821"', '"\\u0123"', '"\\u0061\\u30af\\u30EA\\u30b9"', '"new\\u000Aline"', '"\x7f"', '"⍂㈴⍂"',
    '"\\uA66D"', '"€𝄞"', '"aa\x7fa"', '"\\u005C"', '"\\u0022"', '"\\u200B"', '"\\u2064"', '"\\uFDD0"', '"\\uFFFE"',
    '"[\\"a"', '"},{"', '"]"', '"\ufeff"', "[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200,
]
INVALID = [
    '["a",\n4\n,1,', "[1 true]", '["": 1]', '[""],', "[,1]", "[1,,2]", '["x",,]', '["x"]]', '["",]', '["x"', "[x", "[3[4]]",
    "[,]", "[-]", "[   , \"\"]", '["a",\n4', "[1,]", "[1,,]", "[*]", '[""', "[1,", "[{}", "[fals]", "[nul]", "[tru]",
    "++1234", "+1", "+Inf", "-01", "-1.0.", "-2.", "-NaN", ".-1", ".2e-3", "0.1.2", "0.3e+", "0.3e", "0.e1", "0_1", "0E+",
    "0E", "0e+", "0e", "1.0e+", "1.0e-", "1.0e", "1 000.0", "1eE2", "2.e+3", "2.e-3", "2.e3", "9.e+", "Inf", "NaN",
    "1+2", "0x1", "0x42", "Infinity", "0e+-1", "-123.123foo", "123\xe5", "-Infinity", "-foo", "- 1", "-012", "-.123",
    "-1x", "1ea", "1e1\xe5", "1.", ".123", "1.2a-3", "1.8011670033376514H-308", "012", "1e", "\uff11", "01", "--1", "00",
    '["x", truth]', '{"x"::"b"}', '{"x", null}', '{"x":"y",,}', '{"x" "y"}', "{key: 'value'}", '{"a"', '{1:1}',
    "{9999E9999:1}", "{null:null,null:null}", '{"id":0,,,,,}', "{'a':0}", '{"id":0,}', '{"a":"b"}/**/', '{"a":"b"}#',
    '{"a":"b"}//', '{"a":"b",,"c":"d"}', '{a: "b"}', '{"a":"a', '{ "foo" : "bar", "a" }', '{"a":"b"} x', "{[: \"x\"}",
    '"', '"\\uD800\\u"', '"\\uD800\\u1"', '"\\uD800\\u1x"', '"\\x00"', '"\\\\\\"', '"\\\t"', '"\\\U0001f300"', '"\\"',
    '"\\u00A"', '"\\uD834\\uDd"', '"\\uD800\\uD800\\x"', '"\\a"', '"\\uqqqq"', '"\\', '"a\x00a"', '"new\nline"', '"\t"',
    '"asd', "'single quote'", "abc", '"x', '"\\UA66D"', "<.>", "[<null>]", "aå", "[True]", "1]", "]", '"x"]', "True",
    "[1]]", "{\"a\": true} \"x\"", "[", "[" * 100_000, "{", "{]", "}", "[\f]", "[\u00a0]", "[\u2060]", "\u2060", "{}}",
    '{"":', '{"a":/*comment*/"b"}', '{"a": true} "x"', '["asd]', "['a']", "['", '["\\{["\\{["\\{', "[\"\\{[\"\\{", "*",
    '{"a":"b"}#{}', "[\\u000A\"\"]", '[1', "[ false, nul", "[ true, fals", "[ false, tru", '{"asd":"asd"', "\xe5", "", " ", "..",
]
# fmt: on
CONSTANTS = ["NaN", "Infinity", "-Infinity"]
UNDECIDED = {  # RFC 8259 leaves it to the parser; here nothing is lost
    "123123e100000": "1.23123E+100005",
    "0.4e00669999999999999999999999999999999999999999999999999999999999999999999999999999": None,
    "-1e+9999": "-1E+9999",
    "1.5e+9999": "1.5E+9999",
    "123e-10000000": "1.23E-9999998",
    "100000000000000000000": "100000000000000000000",
}
HALF = ['"\\uDADA"', '"\\uD888\\u1234"', '"\\uDd1ea"', '"\\uD800"', '"\\uD800abc"', '"\\uD800\\uD800\\n"', '"\\uDC00"']
HALF += ['"\\uDFAA"', '"\\uD800\\n"', '"\\uDd1e\\uD834"']
NO_TEXT = [
    b'"\xff"',
    b'"\xe9"',
    b'"\xf8\x80\x80\x80\x80"',
    b'"\xfc\x83\xbf\xbf\xbf\xbf"',
    b'"\xc0\xaf"',
    b'"\xed\xa0\x80"',
]
NO_TEXT += [
    b'"\x81"',
    b'"\xf4\xbf\xbf\xbf"',
    b'"\xe6\x97\xa5\xd1\x88\xfa"',
    b'"\xe0\xff"',
    b'"\xc0\x80"',
    b'"\xf0\x90"',
]
NO_OBJECT = ["1", "null", '"asd"', "[]", "true", "-0.5", "[1]", '[{"x":1}]']
REPEATED = ['{"x":1,"x":1}', '{"x":1,"\\u0078":2}', '{"x":{"a":1,"a":2}}', '{"y":[{"a":1,"a":2}]}']


def in_line(value: bytes) -> list[Batch]:
    return batches(b'{"x":"1"}\n{"x":%b}\n{"x":"2"}\n' % value, JSONL, TEXT, reader=read_jsonl, piece=99)


def in_array(value: bytes) -> list[Batch]:
    return batches(b'[{"x":"1"},\n{"x":%b},{"x":"2"}]' % value, JSON, TEXT, reader=read_json, piece=99)


def fast(body: bytes, source: object) -> object:
    return outcome(batches(body, source, TEXT, piece=99), source, TEXT)  # type: ignore[arg-type]


def value(found: list[Batch]) -> object:
    (batch,) = found
    assert not batch.refused
    assert len(batch.columns["x"]) == 3
    return batch.columns["x"][1]


def refused(found: list[Batch]) -> str:
    (batch,) = found
    assert batch.columns["x"] == ["1", "2"]
    ((rule,),) = (bad.rules for bad in batch.refused)
    return rule


@pytest.mark.parametrize("text", VALID)
def test_what_is_json_is_read_exactly(text: str) -> None:
    expected = json.loads(text, parse_int=Decimal, parse_float=Decimal)
    assert value(in_line(text.encode())) == value(in_array(text.encode())) == expected
    for body, source in ((b'{"x":%b}\n', JSONL), (b'[{"x":%b}]', JSON)):
        slow = read_jsonl if source is JSONL else read_json
        line = body % text.encode() * (3 if source is JSONL else 1)
        assert fast(line, source) == outcome(batches(line, source, TEXT, reader=slow, piece=99), source, TEXT)


@pytest.mark.parametrize("text", INVALID, ids=lambda text: repr(text[:20]))
def test_what_is_no_json_is_refused_by_name(text: str) -> None:
    body = text.encode()
    if "\n" not in text:
        assert refused(in_line(body)) == "json.syntax"
    if text in CONSTANTS:  # clearly delimited, and Python knows them
        assert refused(in_array(body)) == "json.syntax"
        return
    with pytest.raises((JsonSyntaxError, JsonTruncatedError), match="t/1"):
        in_array(body)
    with pytest.raises((JsonSyntaxError, JsonTruncatedError), match="t/1"):
        batches(b'[{"x":"1"},\n{"x":%b},{"x":"2"}]' % body, JSON, TEXT)


@pytest.mark.parametrize(("text", "expected"), UNDECIDED.items())
def test_numbers_of_any_size_keep_their_digits_or_are_refused(text: str, expected: str | None) -> None:
    if expected is None:
        assert refused(in_line(text.encode())) == "json.syntax"
    else:
        assert str(value(in_line(text.encode()))) == str(value(in_array(text.encode()))) == expected


@pytest.mark.parametrize("text", HALF)
def test_half_a_character_is_refused(text: str) -> None:
    assert refused(in_line(text.encode())) == refused(in_array(text.encode())) == "encoding"


@pytest.mark.parametrize("body", NO_TEXT)
def test_bytes_that_are_no_text_are_refused(body: bytes) -> None:
    assert refused(in_line(body)) == refused(in_array(body)) == "encoding"


@pytest.mark.parametrize(("texts", "rule"), [(NO_OBJECT, "json.object"), (REPEATED, "json.repeated")])
def test_what_is_no_record_is_refused(texts: list[str], rule: str) -> None:
    for text in texts:
        (lines,) = batches(f'{{"x":"1"}}\n{text}\n'.encode(), JSONL, TEXT, reader=read_jsonl)
        (array,) = batches(f'[{{"x":"1"}},{text}]'.encode(), JSON, TEXT, reader=read_json)
        assert [bad.rules for bad in (*lines.refused, *array.refused)] == [(rule,), (rule,)]

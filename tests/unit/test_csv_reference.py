"""The reference reader says what every byte string means: exactly its rows, or a named reason for every line."""

import csv
import gzip
import io
import re
from dataclasses import dataclass, replace
from typing import Any

import pytest
from csv_text import csv_source, dataset, lines, read_batches, refused, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core.cut import cut
from nightlake.core.errors import EncodingError, HeaderMismatchError
from nightlake.core.readers.csv_head import find_head, footer_bytes
from nightlake.core.readers.csv_record import dialect_of, read_record
from nightlake.core.readers.text import end_of_line
from nightlake.core.shard import SourceObject
from nightlake.core.source import CsvSource
from pydantic import ValidationError

KEEP = {"stray_quotes": "keep", "multiline": False}
PLAIN = csv_source(header=False, nulls=())

# text, its rows; no header, no NULL
CONFORMANCE: dict[str, tuple[str, dict[str, Any], list[tuple[str, ...]]]] = {
    "LF": ("a,b\nc,d\n", {}, [("a", "b"), ("c", "d")]),
    "CRLF": ("a,b\r\nc,d\r\n", {}, [("a", "b"), ("c", "d")]),
    "CR": ("a,b\rc,d\r", {}, [("a", "b"), ("c", "d")]),
    "mixed line ends": ("a,b\rc,d\r\ne,f\ng,h", {}, [("a", "b"), ("c", "d"), ("e", "f"), ("g", "h")]),
    "no last line end": ("a,b\nc,d", {}, [("a", "b"), ("c", "d")]),
    "no last line end after quotes": ('a,b\nc,"d"', {}, [("a", "b"), ("c", "d")]),
    "empty last field without line end": ("a,b\nc,", {}, [("a", "b"), ("c", "")]),
    "empty quotes at the very end": ('a,b\nc,""', {}, [("a", "b"), ("c", "")]),
    "blank lines are skipped": ("\n\r\na,b\n\n\r\rc,d\n\n", {}, [("a", "b"), ("c", "d")]),
    "blanks are text": (" a , b \n\t,\t\n", {}, [(" a ", " b "), ("\t", "\t")]),
    "only empty fields": (",\n,\n", {}, [("", ""), ("", "")]),
    "delimiter in quotes": ('"a,b",c\n', {}, [("a,b", "c")]),
    "LF in quotes": ('"a\nb",c\n', {}, [("a\nb", "c")]),
    "CRLF in quotes": ('a,"b\r\nc"\r\n', {}, [("a", "b\r\nc")]),
    "CR in quotes": ('a,"b\rc"\r', {}, [("a", "b\rc")]),
    "blank lines in quotes": ('a,"\n\n\n"\nc,d\n', {}, [("a", "\n\n\n"), ("c", "d")]),
    "doubled quotes": ('"a ""b"" c","""d"""\n', {}, [('a "b" c', '"d"')]),
    "only a quote": ('"""",""""""\n', {}, [('"', '""')]),
    "quotes around nothing": ('"",""\n', {}, [("", "")]),
    "a quoted line end before a delimiter": ('"a\n",b\n', {}, [("a\n", "b")]),
    "JSON in quotes": ('1,"{""a"": [1, ""x\n""]}"\n', {}, [("1", '{"a": [1, "x\n"]}')]),
    "null bytes": ("a\0,\0\n", {}, [("a\0", "\0")]),
    "other line separators are text": ("\x0b,\x0c\n\x85,\u2028", {}, [("\x0b", "\x0c"), ("\x85", "\u2028")]),
    "beyond the BMP": ("😀,ё\n", {}, [("😀", "ё")]),
    "a mark inside is text": ("a,b\n\ufeffc,d\n", {}, [("a", "b"), ("\ufeffc", "d")]),
    "a mark before quotes": ('\ufeff"a",b\n', {}, [("a", "b")]),
    "tab": ("a\tb,c\n", {"delimiter": "\t"}, [("a", "b,c")]),
    "pipe": ('a|"b|c"\n', {"delimiter": "|"}, [("a", "b|c")]),
    "semicolon": ("a;1,5\n", {"delimiter": ";"}, [("a", "1,5")]),
    "unit separator": ("a\x01b\n", {"delimiter": "\x01"}, [("a", "b")]),
    "delimiter of two bytes": ("a§b\n\xa7;c§\n", {"delimiter": "§", "encoding": "utf-8"}, [("a", "b")]),
    "delimiter and quote of three bytes": ("a€„b€„„\n„\n", {"delimiter": "€", "quote": "„"}, [("a", "b€„\n")]),
    "single quotes": ("'it''s',\"b\"\n", {"quote": "'"}, [("it's", '"b"')]),
    "no quotes at all": ('"a,b"\nc,"d\n', {"quote": None}, [('"a', 'b"'), ("c", '"d')]),
    "a backslash is text": ("a\\,b\\\\\n", {}, [("a\\", "b\\\\")]),
    "escaped quote": (r'"a\"b",c', {"escape": "backslash"}, [('a"b', "c")]),
    "escaped backslash before a closing quote": ('"a\\\\","b"\n', {"escape": "backslash"}, [("a\\", "b")]),
    "escaped outside quotes": (r"a\,b,\"c\\", {"escape": "backslash"}, [("a,b", '"c\\')]),
    "a backslash before anything else": (r"C:\temp,\N", {"escape": "backslash"}, [(r"C:\temp", r"\N")]),
    "escaped delimiters without quotes": ('a\\,b,"c\n', {"escape": "backslash", "quote": None}, [("a,b", '"c')]),
    "stray quotes kept": ('5" pipe,a"\n"x",""\n', KEEP, [('5" pipe', 'a"'), ("x", "")]),
    "delimiters end lines": ('a,b,\n,"",\nc,d,', {"trailing_delimiter": True}, [("a", "b"), ("", ""), ("c", "d")]),
    "comments": ('#a "b\nc,d\n"#e",f\n#\ng,#h\n', {"comment": "#"}, [("c", "d"), ("#e", "f"), ("g", "#h")]),
}  # fmt: skip


@pytest.mark.parametrize("case", CONFORMANCE)
@pytest.mark.parametrize("piece", [1, 1 << 16])
def test_what_is_well_formed_is_read_exactly(case: str, piece: int) -> None:
    text, options, expected = CONFORMANCE[case]
    found = read_batches(text.encode(), csv_source(**{"header": False, "nulls": (), **options}), 2, piece=piece)
    if case == "delimiter of two bytes":  # half of it is none
        assert [record.rules for record in refused(found)] == [("csv.fields",)]
    else:
        assert not refused(found)
    assert rows(found) == expected


CP1252 = {"encoding": "cp1252"}
QUOTE, FIELDS, ENCODING, TOO_LONG = ("csv.quote",), ("csv.fields",), ("encoding",), ("csv.too_long",)

# text, options, rows, and rule and text of what is refused
DAMAGE: dict[str, tuple[bytes, dict[str, Any], list[tuple[str, ...]], list[tuple[tuple[str, ...], str]]]] = {
    "too few and too many fields": (b"a\nb,c\nd,e,f\n", {}, [("b", "c")], [(FIELDS, "a"), (FIELDS, "d,e,f")]),
    "a delimiter at the line's end": (b"a,b,\nc,d\n", {}, [("c", "d")], [(FIELDS, "a,b,")]),
    "no delimiter where one ends every line": (
        b'a,b\na,""\na,b,""\na,b,c,\na,b,\n', {"trailing_delimiter": True},
        [("a", "b")], [(FIELDS, "a,b"), (FIELDS, 'a,""'), (FIELDS, 'a,b,""'), (FIELDS, "a,b,c,")],
    ),
    "text after a closing quote": (b'"a"b,c\nd,e\n', {}, [("d", "e")], [(QUOTE, '"a"b,c')]),
    "a blank before quotes": (b'a, "b"\nd,e\n', {}, [("d", "e")], [(QUOTE, 'a, "b"')]),
    "a stray quote": (b'a"b,c\nd,e\n', {}, [("d", "e")], [(QUOTE, 'a"b,c')]),
    "an opened quote costs its line": (b'"a,b\nc,d\ne,f\n', {}, [("c", "d"), ("e", "f")], [(QUOTE, '"a,b')]),
    "so it does before other quotes": (b'a,"b\nc,"d"\ne,f\n', {}, [("c", "d"), ("e", "f")], [(QUOTE, 'a,"b')]),
    "an unclosed quote at the end": (b'c,d\na,"b', {}, [("c", "d")], [(QUOTE, 'a,"b')]),
    "an opened quote that something closes": (
        b'"a,b\nc,d\ne,"\nf"\ng,h\n', {}, [("c", "d"), ("e", "\nf"), ("g", "h")], [(QUOTE, '"a,b')],
    ),
    "lines that are no records of their own go together": (
        b'a,"b\nc d",e\nf,g\n', {}, [("f", "g")], [(FIELDS, 'a,"b\nc d",e')],
    ),
    "a damaged record of many lines costs its lines": (
        b'a,"b"c\nd e\nf"\ng,h\n', {}, [("g", "h")], [(QUOTE, 'a,"b"c'), (FIELDS, "d e"), (QUOTE, 'f"')],
    ),
    "lines in broken quotes that look like records": (
        b'a,"b"c\nd,e\nf"\ng,h\n', {}, [("d", "e"), ("g", "h")], [(QUOTE, 'a,"b"c'), (QUOTE, 'f"')],
    ),
    "what is declared of one line": (b'"a\n"b,c\n', {"multiline": False}, [], [(QUOTE, '"a'), (QUOTE, '"b,c')]),
    "bytes that are no text": (
        b"a,\xff\nb,c\n\xe2\x82,d\n", {}, [("b", "c")], [(ENCODING, "a,\\xff"), (ENCODING, "\\xe2\\x82,d")],
    ),
    "bytes that cp1252 has not": (b"\x80,\x81\nb,\xe9\n", CP1252, [("b", "é")], [(ENCODING, "€,\\x81")]),
    "two defects": (b"\xff\nb,c\n", {}, [("b", "c")], [(("csv.fields", "encoding"), "\\xff")]),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
@pytest.mark.parametrize("piece", [1, 1 << 16])
def test_damage_is_refused_by_name_and_takes_no_neighbour_along(case: str, piece: int) -> None:
    body, options, expected, told = DAMAGE[case]
    found = read_batches(body, csv_source(**{"header": False, **options}), 2, piece=piece)
    assert rows(found) == expected
    assert [(record.rules, record.raw) for record in refused(found)] == told
    for record in refused(found):
        assert record.offset is not None
        before = body[: record.offset]
        assert record.position == 1 + before.count(b"\n")
        assert record.reasons


def test_a_line_that_is_too_long_is_refused_alone_and_told_in_short() -> None:
    source = csv_source(header=False, max_record_bytes=8192)
    huge = b"a" * 4095 + "é".encode() * 2048 + b",b"
    fits = b"c" * 8190 + b",d"
    opened = b'"' + b"e\n" * 4500 + b'",f'
    for piece in (7, 1 << 16):
        found = read_batches(b"1,2\n" + huge + b"\r\n" + fits + b"\r\n3,4\n" + opened, source, 2, piece=piece)
        assert [row[1] for row in rows(found)] == ["2", "d", "4"]
        first, second, *others = refused(found)
        assert (first.rules, first.position, first.offset, first.raw) == (TOO_LONG, 2, 4, "a" * 4095)
        assert "max_record_bytes" in first.reasons[0]
        assert (second.rules, second.raw) == (QUOTE, '"e')
        assert second.reasons[0].startswith("has quotes that do not close")
        assert {record.rules for record in others} == {FIELDS, QUOTE}
        assert lines(found) == 4 + 4501


def test_a_comment_may_have_any_length() -> None:
    body = b"#" + b"a" * 5000 + b"\n1,2\n"
    found = read_batches(body, csv_source(header=False, comment="#", max_record_bytes=1024), 2, piece=100)
    assert (rows(found), refused(found), found[0].skipped) == ([("1", "2")], [], 1)


@pytest.mark.parametrize("case", ["text", "lines", "quotes", "fields"])
def test_a_batch_of_long_records_is_not_kept_whole(case: str) -> None:
    record = {"text": b"a" * 500_000 + b",b\n", "lines": b'"' + b"a\n" * 250_000 + b'",b\n',
              "quotes": b'"' + b'""' * 250_000 + b'",b\n', "fields": b"," * 500_000 + b"\n"}[case]  # fmt: skip
    found = read_batches(record * 10, PLAIN, 2)
    assert len(found) == 2
    assert sum(batch.records for batch in found) == 10


PREAMBLE = b'\xef\xbb\xbfReport "of today\n\n#"no\n\r\n"c0","c\n1"\n1,2\n#\n3,4\nSum,"2\nEnd'


@pytest.mark.parametrize("piece", [1, 1 << 16])
def test_what_stands_around_the_rows_is_counted_and_no_row(piece: int) -> None:
    source = csv_source(skip_lines=2, comment="#", footer_lines=2)
    head = find_head(PREAMBLE, source, final=True, where="t")
    assert head.names == ("c0", "c\n1")
    footer = footer_bytes(PREAMBLE, source, size=len(PREAMBLE), head=head, where="t")
    assert footer == len(b'Sum,"2\nEnd')
    (batch,) = read_batches(PREAMBLE, source, 2, piece=piece, footer=footer)
    assert rows([batch]) == [("1", "2"), ("3", "4")]
    assert (batch.header, batch.skipped, batch.positions, batch.lines) == (1, 5, [7, 9], 9)
    assert (batch.start, batch.stop) == (0, len(PREAMBLE) - footer)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("piece", [1, 3, 1 << 16])
def test_all_encodings_give_the_same_rows(encoding: str, piece: int) -> None:
    text = 'c0§"cé"\n1§"ü\n§"\r\n\x85§ÿ\nSum\n'
    source = csv_source(encoding=encoding, delimiter="§", footer_lines=1)
    if encoding == "cp1252":
        text = text.replace("\x85", "…")
    body = text.encode(encoding)
    head = find_head(body, source, final=True, where="t")
    assert head.names == ("c0", "cé")
    footer = 0 if encoding == "utf-16" else len("Sum\n".encode(encoding))
    found = read_batches(body, source, 2, piece=piece, footer=footer)
    assert rows(found) == [("1", "ü\n§"), (text[-8], "ÿ")]
    assert lines(found) == 4


def test_utf_16_that_is_broken_is_told_by_name() -> None:
    with pytest.raises(EncodingError, match="t/1 is not written in utf-16"):
        read_batches("c0\n1\n".encode("utf-16") + b"\n", csv_source(encoding="utf-16"), 1)


BAD_HEADS: list[tuple[bytes, dict[str, Any], type[Exception], str]] = [
    (b"", {}, HeaderMismatchError, "has no header; deliver at least that"),
    (b"\n#\n\n", {"comment": "#"}, HeaderMismatchError, "has no header"),
    (b"a,b\n", {"skip_lines": 1}, HeaderMismatchError, "has no header"),
    (b'a,"b\n1,2\n', {}, HeaderMismatchError, "its header has quotes that do not close"),
    (b"a,\xff\n", {}, EncodingError, r"does not begin with text in utf-8 \('a,"),
    (b",".join(b"%d" % n for n in range(2001)), {}, HeaderMismatchError, "has 2,001 columns"),
    (b"a" * 2000 + b"\n", {"max_record_bytes": 1024}, HeaderMismatchError, "is longer than 1,024 bytes"),
]


@pytest.mark.parametrize(("body", "options", "error", "told"), BAD_HEADS)
def test_a_head_that_is_none_is_told(body: bytes, options: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        find_head(body, csv_source(**options), final=True, where="t/1")


def test_a_header_beyond_the_first_bytes_is_not_searched_for() -> None:
    with pytest.raises(HeaderMismatchError, match=r"t/1 has no header in its first 500 bytes.*skip_lines"):
        find_head(b"a" * 500, csv_source(), final=False, where="t/1")
    assert find_head(b"a,b\n1,2\n" + b"1" * 500, csv_source(), final=False, where="t/1").names == ("a", "b")


@pytest.mark.parametrize("body", [b"c0", b"c0\n", b"c0\n1\n"])
def test_a_small_object_is_planned_compressed_or_not(body: bytes) -> None:
    for stored in (body, gzip.compress(body)):
        item = SourceObject(key="t/1", version_id="1", etag="e", size=len(stored))
        (piece,) = cut(item, csv_source(), dataset(1), lambda start, end, stored=stored: iter([stored[start:end]]))
        assert piece.header == ("c0",)


def test_a_footer_is_lines_that_there_are() -> None:
    source = csv_source(footer_lines=2)
    head = find_head(b"a,b\n", source, final=True, where="t")
    assert footer_bytes(b"a,b\nc\rd\r\n", source, size=9, head=head, where="t") == 5
    assert footer_bytes(b"b\nc\nd", source, size=100, head=head, where="t") == 3
    assert footer_bytes(b"a,b\nc\n\n", source, size=7, head=head, where="t") == 3
    for tail, size in ((b"a,b\nc\n", 6), (b"c\nd", 100), (b"c", 100)):
        with pytest.raises(HeaderMismatchError, match="t does not end with 2 lines"):
            footer_bytes(tail, source, size=size, head=head, where="t")


CONTRADICTIONS = [
    ({"delimiter": '"'}, "delimiter and quote are both '\"'"),
    ({"delimiter": "#", "comment": "#"}, "delimiter and comment are both '#'"),
    ({"quote": "'", "comment": "'"}, "quote and comment are both"),
    ({"delimiter": "\\", "escape": "backslash"}, "delimiter and escape are both"),
    ({"delimiter": "€", "encoding": "latin-1"}, "'€' cannot be written in latin-1"),
    ({"comment": "→", "encoding": "cp1252"}, "cannot be written in cp1252"),
    ({"stray_quotes": "keep"}, "needs multiline: false"),
    ({"delimiter": ""}, "delimiter"),
    ({"delimiter": "\n"}, "delimiter"),
    ({"quote": "''"}, "quote"),
    ({"footer_lines": 101}, "footer_lines"),
    ({"max_record_bytes": 1023}, "max_record_bytes"),
]


@pytest.mark.parametrize(("options", "told"), CONTRADICTIONS)
def test_a_dialect_that_contradicts_itself_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(told)):
        csv_source(**options)


BYTES = st.lists(
    st.sampled_from([b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\\", b"#", b"a", b"bc", b"\0", b"\xff", "§".encode()]),
    max_size=60,
).map(b"".join) | st.binary(max_size=60)  # fmt: skip
DIALECTS = st.builds(
    lambda **options: csv_source(header=False, nulls=(), **options),
    delimiter=st.sampled_from([",", "a", "§"]),
    quote=st.sampled_from(['"', None]),
    escape=st.sampled_from(["doubled", "backslash"]),
    multiline=st.booleans(),
    comment=st.sampled_from([None, "#"]),
) | st.just(csv_source(header=False, nulls=(), stray_quotes="keep", multiline=False))  # fmt: skip


@given(BYTES, DIALECTS, st.integers(1, 3), st.integers(1, 7))
@settings(deadline=None, max_examples=300)
def test_of_any_bytes_every_one_is_in_a_record(body: bytes, source: CsvSource, columns: int, piece: int) -> None:
    whole = read_batches(body, source, columns)
    assert read_batches(body, source, columns, piece=piece) == whole
    (batch,) = whole
    assert (batch.start, batch.stop, batch.lines) == (0, len(body), len(body.splitlines()))
    kinds: dict[int | None, str] = dict.fromkeys(batch.offsets, "row")
    kinds |= {record.offset: "refused" for record in batch.refused}
    at = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    skipped = 0
    while at < len(body):  # from each record on, the text reads as if it began there
        record = read_record(body[at:], 0, dialect_of(source), columns, final=True)
        assert record is not None
        assert record.end > 0
        assert kinds.pop(at, "skipped") == record.kind
        skipped += record.kind == "skipped"
        at += record.end
    assert (kinds, skipped, at) == ({}, batch.skipped, max(at, len(body)))


TEXTS = st.text(st.sampled_from('ab ",;\n\r\\#é😀'), max_size=6)
TABLES = st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[TEXTS] * width), min_size=1, max_size=6))


# where CRLF does not end its lines, it may leave a CR or LF without quotes
STYLES = [(csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r\n"), (csv.QUOTE_ALL, "\r"), (csv.QUOTE_MINIMAL, "\r\n")]


@given(TABLES, st.sampled_from(",;\t"), st.sampled_from(STYLES), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=300)
def test_what_pythons_writer_wrote_is_read_exactly(
    table: list[tuple[str, ...]], delimiter: str, style: tuple[int, str], backslash: bool, last_end: bool
) -> None:
    text = io.StringIO()
    options: dict[str, Any] = {"escapechar": "\\", "doublequote": False} if backslash else {}
    quoting, line_end = style
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting, **options).writerows(table)
    written = text.getvalue() if last_end else text.getvalue().removesuffix(line_end)
    source = csv_source(header=False, nulls=(), delimiter=delimiter, escape="backslash" if backslash else "doubled")
    found = read_batches(written.encode(), source, len(table[0]), piece=5)
    assert (rows(found), refused(found)) == (table, [])


# A text that begins or ends with one of these can stand for the end of a quoted field that damage opened before it.
CALM = st.text(st.sampled_from('ab ",\né😀'), max_size=8).filter(
    lambda text: not text.startswith((",", "\n", '"')) and not text.endswith((",", "\n", '"'))
)


@dataclass(frozen=True)
class Damaged:
    """A clean text, and one in which the record from byte `begin` to byte `end` is damaged."""

    clean: bytes
    damaged: bytes
    begin: int
    end: int
    columns: int
    record: int


@st.composite
def damaged_texts(draw: st.DrawFn) -> Damaged:
    columns = draw(st.integers(2, 4))
    quote_all = draw(st.booleans())
    count = draw(st.integers(2, 6))
    records = []
    for number in range(count):
        fields = [str(number), *(draw(CALM) for _ in range(columns - 1))]
        quoted = [f'"{text.replace(chr(34), chr(34) * 2)}"' for text in fields]
        plain = [
            whole if quote_all or set(text) & set('",\n') else text for text, whole in zip(fields, quoted, strict=True)
        ]
        records.append((",".join(plain) + "\n").encode())
    index = draw(st.integers(0, count - 1))
    body = records[index].removesuffix(b"\n")
    at = draw(st.integers(0, len(body) - 1))
    places = {mark: [place for place, byte in enumerate(body) if byte == mark[0]] for mark in (b'"', b",")}
    quote = draw(st.sampled_from(places[b'"'] or [at]))
    comma = draw(st.sampled_from(places[b","]))
    changed = draw(st.sampled_from([
        body[:quote] + body[quote + 1 :],
        body[:at] + b'"' + body[at:],
        body[:comma] + body[comma + 1 :],
        body[:at] + b"," + body[at:],
        body[:at] + bytes([body[at] ^ 1 << draw(st.integers(0, 7))]) + body[at + 1 :],
        body[:at],
        body[:at] + b"\0" + body[at:],
        body[:at] + b"\n" + body[at:],
        body + b"\n",
    ])) + b"\n"  # fmt: skip
    before, after = b"".join(records[:index]), b"".join(records[index + 1 :])
    whole = before + changed + after
    return Damaged(before + records[index] + after, whole, len(before), len(before) + len(changed), columns, index)


@given(damaged_texts())
@settings(deadline=None, max_examples=500)
def test_damage_costs_its_record_alone_and_makes_rows_of_nothing_else(text: Damaged) -> None:
    clean = rows(read_batches(text.clean, PLAIN, text.columns))
    batches = read_batches(text.damaged, PLAIN, text.columns)
    (batch,) = batches
    found = dict(zip(batch.offsets, rows(batches), strict=True))
    others = [row for offset, row in found.items() if offset is not None and not text.begin <= offset < text.end]
    assert others == clean[: text.record] + clean[text.record + 1 :]
    assert all(text.begin <= (record.offset or 0) < text.end for record in batch.refused)


class Counting:
    """A pattern that counts the bytes that it looks at."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self.looks = 0
        self._pattern = pattern

    def match(self, data: bytes, at: int, stop: int) -> re.Match[bytes] | None:
        found = self._pattern.match(data, at, stop)
        self.looks += (found.end() if found else min(stop, len(data))) - at
        return found


def looks(body: bytes, source: CsvSource, columns: int) -> int:
    """How many bytes are looked at for the records of a text."""
    quoted, plain = Counting(dialect_of(source).quoted), Counting(dialect_of(source).plain)
    dialect = replace(dialect_of(source), quoted=quoted, plain=plain)  # type: ignore[arg-type]
    at = 0
    while at < len(body):
        record = read_record(body, at, dialect, columns, final=True)
        assert record is not None
        at = record.end
        if record.unended:
            line = end_of_line(body, at, len(body), final=True)
            assert line is not None
            at = line[1]
    return quoted.looks + plain.looks


HOSTILE = [
    '"a\n',
    'x,"\n',
    '"""\n',
    '""""\n',
    ',a\n"""',
    '"\na,""',
    '"",\n"',
    '",a\n#"',
    'a,"b\n',
    '\\"\\\n"',
    '"\n\n,',
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_no_text_makes_every_line_be_read_to_the_limit(unit: str) -> None:
    body = (unit * (10_000 // len(unit))).encode()
    for escape in ("doubled", "backslash"):
        source = csv_source(header=False, max_record_bytes=4096, escape=escape, comment="#")
        assert all(looks(body, source, columns) <= 2 * len(body) for columns in (1, 2, 3))


@given(st.text(st.sampled_from('",a\n\\#'), min_size=1, max_size=40), st.integers(1, 4), st.booleans())
@settings(deadline=None, max_examples=50)
def test_no_repeated_text_does_either(unit: str, columns: int, backslash: bool) -> None:
    body = (unit * (6_000 // len(unit))).encode()
    source = csv_source(
        header=False, max_record_bytes=1024, comment="#", escape="backslash" if backslash else "doubled"
    )
    assert looks(body, source, columns) <= 2 * len(body) + 2048

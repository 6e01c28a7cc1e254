"""The fast reader of CSV gives what the reference reader gives, for any text, dialect, damage, block and shard."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.readers import csv_block
from nightlake.core.readers.batch import Batch
from nightlake.core.readers.csv import read_csv
from nightlake.core.readers.csv_arrow import RowParser
from nightlake.core.readers.csv_fast import read_csv_fast
from nightlake.core.shard import Codec, Shard, SourceObject
from nightlake.core.source import CsvSource

LIMIT = 24  # bytes of a record, where a test wants long ones


def source(*, max_record_bytes: int = 1 << 20, header: bool = False, **options: Any) -> CsvSource:
    """A source; its bound of a record may be smaller than anybody can declare."""
    declared = CsvSource.model_validate(
        {"dataset": "t", "from": "s3", "path": "t/{date:%Y/%m/%d}/*", "ready": {"files": 1}, "format": "csv"}
        | {"header": header, **options}
    )
    return declared.model_copy(update={"max_record_bytes": max_record_bytes})


SOURCES = (
    source(),
    source(nulls=("NA", "a", "é")),
    source(nulls=()),
    source(delimiter=";", quote="'"),
    source(delimiter="\t", encoding="latin-1"),
    source(delimiter="\x01", encoding="cp1252"),
    source(delimiter="é", encoding="latin-1"),
    source(encoding="utf-16"),
    source(quote=None),
    source(quote=None, escape="backslash"),
    source(escape="backslash"),
    source(escape="backslash", comment="#"),
    source(comment="#"),
    source(multiline=False),
    source(multiline=False, stray_quotes="keep"),
    source(header=True),
    source(header=True, skip_lines=2, footer_lines=1),
    source(trailing_delimiter=True, header=True),
    source(trailing_delimiter=True, escape="backslash", comment="#"),
    source(trailing_delimiter=True, delimiter="|", quote=None),
)


@dataclass(frozen=True)
class Case:
    """A shard of an object, and how its bytes come."""

    body: bytes
    source: CsvSource
    fields: int = 2
    start: int = 0
    end: int | None = None
    exact: bool = True
    footer: int = 0
    codec: Codec | None = None
    piece: int = 1 << 16

    @property
    def shard(self) -> Shard:
        return Shard(
            pipeline="p",
            dataset="t",
            date=date(2000, 1, 1),
            index=0,
            object=SourceObject(key="t/1", version_id="1", etag="e", size=len(self.body)),
            start=self.start,
            end=len(self.body) - self.footer if self.end is None else self.end,
            exact=self.exact,
            footer=self.footer,
            codec=self.codec,
            header=tuple(f"c{field}" for field in range(self.fields)),
            fingerprint="f",
        )

    @property
    def dataset(self) -> Dataset:
        return Dataset(name="t", columns=tuple(Column(name=name, type="string") for name in self.shard.header or ()))

    def stream(self, first: int, last: int) -> Iterator[bytes]:
        return (self.body[at : min(at + self.piece, last)] for at in range(first, last, self.piece))


def told(read: Callable[[], Iterator[Batch]]) -> Any:
    """Everything that the batches of a shard say together, or the error that there was."""
    try:
        batches = list(read())
    except Exception as error:  # noqa: BLE001 - both must fail alike
        return type(error), str(error)
    starts, stops = [batch.start for batch in batches], [batch.stop for batch in batches]
    assert starts[1:] == stops[:-1], "batches touch"
    refused = [bad for batch in batches for bad in batch.refused]
    assert all(type(number) in {int, type(None)} for bad in refused for number in (bad.position, bad.offset))
    return {
        "rows": [row for batch in batches for row in rows_of(batch)],
        "refused": refused,
        "skipped": sum(batch.skipped for batch in batches),
        "header": sum(batch.header for batch in batches),
        "lines": sum(batch.lines for batch in batches),
        "bytes": (starts[0], stops[-1]),
    }


def rows_of(batch: Batch) -> list[tuple[Any, ...]]:
    columns = {name: plain(values) for name, values in batch.columns.items()}
    values = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return list(zip(plain(batch.positions), list(batch.offsets), list(batch.raw), values, strict=True))


def plain(values: Any) -> list[Any]:
    return values.to_pylist() if isinstance(values, pa.Array) else list(values)


def agree(case: Case, *block_bytes: int) -> Any:
    """What both readers tell of the case, the fast one with every size of its blocks."""
    expected = told(lambda: read_csv(case.shard, case.source, case.dataset, case.stream))
    for size in block_bytes:
        found = told(lambda: read_csv_fast(case.shard, case.source, case.dataset, case.stream, block_bytes=size))  # noqa: B023
        assert found == expected, f"in blocks of {size} bytes"
    return expected


def tokens(of: CsvSource) -> Sequence[str]:
    """What texts of a dialect are made of, the parts that mean something more often."""
    delimiter, quote = of.delimiter, of.quote or '"'
    marks = [delimiter, quote, "\n", delimiter + quote, quote + delimiter, quote + "\n", "\n" + quote, quote * 2]
    return [*marks, delimiter, quote, "\n", "\r\n", "\r", "a", "bcd", "é", "\\", "#", "\0", "NA", " ", ",", "\ufeff"]


@st.composite
def wild_texts(draw: st.DrawFn, of: CsvSource) -> str:
    return "".join(draw(st.lists(st.sampled_from(tokens(of)), max_size=60)))


@st.composite
def damaged_files(draw: st.DrawFn, of: CsvSource) -> str:
    """Well-formed records, of which some are then cut, joined or filled with what does not belong there."""
    quote = of.quote or '"'
    escape = "\\" if of.escape == "backslash" else quote

    def written(value: str) -> str:
        if of.quote is None or not draw(st.booleans()):
            return "".join(character for character in value if character not in {of.delimiter, quote, "\n", "\\"})
        if of.escape == "backslash":
            value = value.replace("\\", "\\\\")
        return quote + value.replace(quote, escape + quote) + quote

    values = st.text(st.sampled_from([of.delimiter, quote, "\n", "a", "é", "N", "A", "\\"]), max_size=6)
    records = draw(st.lists(st.lists(values, min_size=2, max_size=2), max_size=12))
    line_end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    trailing = of.delimiter * of.trailing_delimiter
    text = line_end.join(of.delimiter.join(map(written, record)) + trailing for record in records)
    text += line_end * draw(st.integers(0, 2))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(["", *tokens(of)])) + text[at + draw(st.integers(0, 2)) :]
    return text


@st.composite
def cases(draw: st.DrawFn, texts: Callable[[CsvSource], st.SearchStrategy[str]]) -> Case:
    of = draw(st.sampled_from(SOURCES))
    body = bytearray(draw(texts(of)).encode(of.encoding, "replace"))
    if draw(st.booleans()) and body and of.encoding != "utf-16":
        body[draw(st.integers(0, len(body) - 1))] = draw(st.sampled_from(b"\xff\x81\xc3\0\"\r\n,'"))
    if draw(st.booleans()):
        of = of.model_copy(update={"max_record_bytes": draw(st.integers(4, LIMIT))})
    footer = draw(st.integers(0, min(3, len(body)))) if of.footer_lines and of.encoding != "utf-16" else 0
    start, end = 0, len(body) - footer
    if of.encoding != "utf-16" and draw(st.booleans()):
        start = draw(st.integers(0, end))
        end = draw(st.integers(start, end))
    return Case(
        bytes(body),
        of,
        fields=draw(st.integers(1, 3)),
        start=start,
        end=end,
        exact=start == 0 or draw(st.booleans()),
        footer=footer,
        piece=draw(st.integers(1, 40)),
    )


block_sizes = st.sampled_from([1, 2, 3, 7, 16, 50, 1 << 20])
thorough = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(cases(wild_texts), block_sizes)
def test_any_text_is_read_as_the_reference_reads_it(case: Case, block_bytes: int) -> None:
    agree(case, block_bytes)


@thorough
@given(cases(damaged_files), block_sizes)
def test_damaged_files_are_read_as_the_reference_reads_them(case: Case, block_bytes: int) -> None:
    agree(case, block_bytes)


@thorough
@given(st.binary(max_size=80), st.sampled_from(SOURCES), st.integers(4, LIMIT), st.integers(1, 3), block_sizes)
def test_any_bytes_are_read_as_the_reference_reads_them(
    body: bytes, of: CsvSource, limit: int, fields: int, block_bytes: int
) -> None:
    agree(Case(body, of.model_copy(update={"max_record_bytes": limit}), fields=fields), block_bytes)


HARD = {
    "CRLF": b"a,b\r\nc,d\r\n\r\n,\r\n",
    "CR": b"a,b\rc,d\r\r,\r",
    "all line ends": b"a,b\r\n\rc,d\n\r\r\n",
    "quotes over lines": b'"a\r\nb","c""\n"\n"","\r"\r\n',
    "a mark at the start": b"\xef\xbb\xbfa,b\n\xef\xbb\xbfc,d\n",
    "two marks": b"\xef\xbb\xbf\xef\xbb\xbfa,b\n",
    "no last line end": b"a,b\nc,d",
    "no last line end after quotes": b'a,b\nc,"d"',
    "a delimiter at the end": b"a,\n,b\n,",
    "all empty": b",\n,\n,\n",
    "a quote at the end": b'a,"',
    "nulls in quotes": b'"",NA\n"NA",\n',
    "blank lines only": b"\n\r\n\r\n\n",
    "one row": b"a,b",
    "nothing": b"",
    "a NUL where Arrow looks at eight bytes at once": b"abcdefg\0,abcdefghijklmnopqrstuvw\n" * 9,
    "a quote that takes lines along": b'a,b\n"c,d\ne,f\n"g,h"\ni,j\n',
    "a record too few, of two lines": b'"a\nb"\n"c\n",d\ne,"\n',
    "blanks around quotes": b'a, "b"\n"a" ,b\n',
    "quotes only": b'"""",""""""\n"","\n"\n',
}


@pytest.mark.parametrize("body", HARD.values(), ids=HARD.keys())
@pytest.mark.parametrize("fields", [1, 2])
def test_every_boundary_of_blocks_in_hard_text(body: bytes, fields: int) -> None:
    of = source(nulls=("", "NA"))
    agree(Case(body, of, fields=fields, piece=1), *range(1, len(body) + 2))
    agree(Case(body, of.model_copy(update={"max_record_bytes": 5}), fields=fields, piece=1), *range(1, len(body) + 2))


@pytest.mark.parametrize("body", [body for body in HARD.values() if len(body) < 40])
def test_every_cut_of_hard_text(body: bytes) -> None:
    for start, end, exact in product(range(len(body) + 1), range(len(body) + 1), (True, False)):
        if start <= end and (exact or start):
            agree(Case(body, source(), start=start, end=end, exact=exact), 4)


def test_a_blank_line_is_no_empty_value_of_a_single_column() -> None:
    found = agree(Case(b'\n""\n\n"a"\nb\n \n', source(), fields=1), 1, 3, 100)
    assert [row[3]["c0"] for row in found["rows"]] == [None, "a", "b", " "]
    assert found["skipped"] == 2


@pytest.mark.parametrize("length", range(LIMIT - 3, LIMIT + 4))
def test_records_of_about_the_bound(length: int) -> None:
    of = source(max_record_bytes=LIMIT)
    line = b"x" * (length - 2) + b",y"
    quoted = b'"' + b"x" * (length - 5) + b'\n",y'
    for end, record in product((b"\n", b"\r\n", b"\r", b""), (line, quoted)):
        agree(Case(b"a,b\n" + record + end + (b"c,d" if end else b""), of), 1, 4, LIMIT, 1 << 20)


def test_two_thousand_columns() -> None:
    row = ",".join(str(field) for field in range(2_000))
    body = f"{row}\n{row},\n{row}\n".encode()
    found = agree(Case(body, source(), fields=2_000), 5_000, 1 << 20)
    assert [row[3]["c1999"] for row in found["rows"]] == ["1999", "1999"]
    assert [bad.rules for bad in found["refused"]] == [("csv.fields",)]


def test_a_compressed_object_says_no_bytes_but_offsets() -> None:
    case = Case(b'a,b\nc\n"d\n",e\n', source(), codec="gzip")
    found = agree(case, 1, 5, 100)
    assert found["bytes"] == (None, None)
    assert [row[1] for row in found["rows"]] == [0, 6]


def test_clean_text_never_asks_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked for a single record")

    body = b'a,"b, ""c""\n\xc3\xa9"\r\n\r\n,"\\"\r\n' * 50_000
    case = Case(body, source())
    expected = told(lambda: read_csv(case.shard, case.source, case.dataset, case.stream))
    monkeypatch.setattr(csv_block, "read_record", refuse)
    assert told(lambda: read_csv_fast(case.shard, case.source, case.dataset, case.stream)) == expected


def test_blocks_are_as_large_as_they_should_be_and_fetch_little_beyond_the_shard() -> None:
    fetched: list[int] = []

    def stream(first: int, last: int) -> Iterator[bytes]:
        for piece in case.stream(first, last):
            fetched.append(len(piece))
            yield piece

    case = Case(b"abcdefghij,abcdefghij\n" * 10_000, source(), end=100_000, piece=1_000)
    batches = list(read_csv_fast(case.shard, case.source, case.dataset, stream, block_bytes=20_000))
    assert [len(batch.positions) for batch in batches[:-1]] == pytest.approx([1_300] * (len(batches) - 1), rel=0.5)
    assert batches[-1].stop == 100_012
    assert sum(fetched) == 101_000


def test_one_piece_of_many_blocks_is_read_in_blocks() -> None:
    case = Case(b"abcdefghij,abcdefghij\n" * 10_000, source(), piece=1 << 30)
    batches = list(read_csv_fast(case.shard, case.source, case.dataset, case.stream, block_bytes=22_000))
    assert [len(batch.positions) for batch in batches] == [2_000] * 5


@pytest.mark.parametrize("lie", ["loses a row", "finds a good record wrong", "fails"])
def test_where_arrow_disagrees_the_reference_reads(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = RowParser.parse

    def lying(self: RowParser, text: bytes, spans: Sequence[slice]) -> "tuple[pa.Table, list[int]]":
        table, wrong = parse(self, text, spans)
        if len(table) and lie == "loses a row":
            return table.slice(1), wrong
        if len(table) and lie == "finds a good record wrong":
            return table.slice(1), [0]
        if len(table):
            raise pa.ArrowInvalid("no")
        return table, wrong

    monkeypatch.setattr(RowParser, "parse", lying)
    found = agree(Case(b'a,b\nc\n\n"d\n",e\nf,"g', source()), 5, 100)
    assert [row[3]["c0"] for row in found["rows"]] == ["a", "d\n"]

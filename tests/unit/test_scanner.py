"""The scanner cuts between records and counts what the readers read: for any text, shard size and piece size."""

import csv
import io
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core.errors import CsvTruncatedError, EncodingError
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.readers import read
from nightlake.core.readers.csv import first_record
from nightlake.core.scanner import Span, scan
from nightlake.core.shard import Shard, SourceObject
from nightlake.core.source import CsvSource, JsonLinesSource

BASE = {"dataset": "t", "from": "s3", "path": "t/{date:%Y/%m/%d}/*", "ready": {"files": 1}}
DAY = date(2000, 1, 1)


def csv_source(shard_bytes: int, **more: Any) -> CsvSource:
    """A source whose shards may be smaller than a contract allows."""
    source = CsvSource.model_validate({**BASE, "format": "csv", **more})
    return source.model_copy(update={"shard_bytes": shard_bytes})


def jsonl_source(shard_bytes: int, **more: Any) -> JsonLinesSource:
    source = JsonLinesSource.model_validate({**BASE, "format": "jsonl", **more})
    return source.model_copy(update={"shard_bytes": shard_bytes})


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def spans(body: bytes, source: CsvSource | JsonLinesSource, piece: int = 7) -> list[Span]:
    return list(scan(pieces(body, piece), source, size=len(body), where="t.csv"))


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightlake.core.scanner._AT_ONCE", 5)


FIELDS = st.text(alphabet='ab",;|\n\r é"', max_size=6)
DELIMITERS = st.sampled_from([",", ";", "|", "\t", "§", "€", "a"])
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str]:
    """A well-formed CSV text and its delimiter; line ends are mixed, blank lines come, the last end may be missing."""
    delimiter = draw(DELIMITERS)
    text = io.StringIO(newline="")
    for row in draw(st.lists(st.lists(FIELDS, max_size=3), max_size=8)):
        csv.writer(text, delimiter=delimiter, lineterminator=draw(ENDS)).writerow(row)
    whole = text.getvalue()
    return delimiter, whole.rstrip("\r\n") if draw(st.booleans()) else whole


@st.composite
def anything(draw: st.DrawFn) -> tuple[str, str]:
    return draw(DELIMITERS), draw(st.text(alphabet='ab",;|\n\r"é"', max_size=40))


def records_of(text: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


@given(st.one_of(written(), anything()), st.integers(1, 30), st.integers(1, 9), st.sampled_from(["utf-8", "cp1252"]))
@settings(max_examples=400, deadline=None)
def test_the_shards_of_any_text_hold_the_records_of_the_whole(
    sample: tuple[str, str], shard_bytes: int, piece: int, encoding: str
) -> None:
    delimiter, text = sample
    body = text.encode(encoding)
    source = csv_source(shard_bytes, delimiter=delimiter, encoding=encoding)
    expected = records_of(text, delimiter)
    try:
        found = spans(body, source, piece)
    except CsvTruncatedError:
        with pytest.raises(csv.Error):  # strict csv finds the same, or another defect before it
            list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        return
    assert [span.start for span in found] == [0, *(span.end for span in found)][: len(found)]
    assert found == spans(body, source, 1000)  # receipts are found again however the network cuts the bytes
    assert sum(span.end - span.start for span in found) == len(body)
    assert all(span.end - span.start >= shard_bytes for span in found[:-1])
    parts = [body[span.start : span.end].decode(encoding) for span in found]
    assert [record for part in parts for record in records_of(part, delimiter)] == expected
    assert [span.records for span in found] == [len(records_of(part, delimiter)) for part in parts]
    lines = [sum(1 for _ in io.StringIO(part, newline="")) for part in parts]
    assert [span.line for span in found] == [1 + sum(lines[:index]) for index in range(len(found))]


@given(st.text(alphabet='{}"ab\n\r é', max_size=40), st.integers(1, 20), st.integers(1, 9))
@settings(deadline=None)
def test_json_lines_are_lines_whatever_is_in_them(text: str, shard_bytes: int, piece: int) -> None:
    body = text.encode()
    found = spans(body, jsonl_source(shard_bytes), piece)
    parts = [body[span.start : span.end] for span in found]
    assert b"".join(parts) == body
    assert [span.records for span in found] == [len(part.splitlines()) for part in parts]


@given(st.one_of(written(), anything()), st.integers(1, 30))
@settings(max_examples=200, deadline=None)
def test_the_reader_accounts_for_every_record_that_the_scanner_counted(
    sample: tuple[str, str], shard_bytes: int
) -> None:
    delimiter, text = sample
    body = text.encode()
    source = csv_source(shard_bytes, delimiter=delimiter, header=False, nulls=())
    dataset = Dataset(name="t", columns=(Column(name="x", type="string"), Column(name="y", type="string")))
    try:
        found = spans(body, source)
    except CsvTruncatedError:
        return
    rows: list[list[str]] = []
    for index, span in enumerate(found):
        shard = Shard(
            pipeline="p",
            dataset="t",
            date=DAY,
            index=index,
            object=SourceObject(key="t.csv", version_id="1", etag="e", size=len(body)),
            start=span.start,
            end=span.end,
            header=("x", "y"),
            records=span.records,
            line=span.line,
            fingerprint="f",
        )
        batches = list(read(shard, source, dataset, lambda start, end: pieces(body[start:end], 5)))
        assert sum(batch.records for batch in batches) == span.records
        rows += [list(row) for batch in batches for row in zip(batch.columns["x"], batch.columns["y"], strict=True)]
        positions = [position for batch in batches for position in batch.positions]
        assert positions == sorted(set(positions))
    strict = [record for record in records_of(text, delimiter) if len(record) == 2]
    assert [row for row in rows if row not in strict] == []
    if '"' not in text:
        assert rows == strict


def test_a_newline_inside_quotes_never_cuts_a_record() -> None:
    body = b'a,b\n1,"x\n""y"\n2,z\n'
    assert spans(body, csv_source(1)) == [Span(0, 4, 1, 1), Span(4, 14, 1, 2), Span(14, 18, 1, 4)]


def test_an_empty_object_has_no_span_and_a_lone_mark_has_one_without_records() -> None:
    assert spans(b"", csv_source(10)) == []
    assert spans(b"\xef\xbb\xbf", csv_source(10)) == [Span(0, 3, 0, 1)]


def test_a_byte_order_mark_does_not_hide_the_first_quote() -> None:
    body = '\ufeff"a\nb",c\n1,2\n'.encode()
    assert spans(body, csv_source(1)) == [Span(0, 11, 1, 1), Span(11, 15, 1, 3)]
    assert first_record(csv_source(1), [body], where="t.csv") == ["a\nb", "c"]


def test_quotes_that_never_close_are_told_with_their_line() -> None:
    with pytest.raises(CsvTruncatedError, match=r"t.csv ends inside the quotes that open in line 4"):
        spans(b'a,b\n1,"x\ny"\n2,"z\n3,4\n', csv_source(1 << 20))
    with pytest.raises(CsvTruncatedError, match="line 2"):
        spans(b'a\n"', csv_source(1 << 20))


def test_utf_16_is_one_span_whose_records_are_counted_as_text() -> None:
    body = 'a,b\n1,"x\n"\nė,2'.encode("utf-16")
    assert spans(body, csv_source(1, encoding="utf-16")) == [Span(0, len(body), 3, 1)]
    with pytest.raises(EncodingError, match=r"t\.csv is not written in utf-16"):
        spans(b"odd", csv_source(1, encoding="utf-16"))

"""JSON Lines are read the same however their bytes are cut into shards, pieces and blocks."""

import re
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from json_shard import JSONL, TEXTS, Outcome, batches, outcome, shard, source
from nightlake.core.errors import EncodingError
from nightlake.core.readers import read
from nightlake.core.readers.jsonl import read_jsonl

SMALL = source(format="jsonl", max_record_bytes=1024)
TEXT = [b"", b" ", b'{"x":1}', b'{"x":"\xc3\xa9"}', b"\xff", b"[]", b"x" * 1024, b"x" * 1025, b"y" * 3000]
ENDS = [b"\n", b"\r\n", b"\r", b"\n\r"]
BODIES = st.builds(
    lambda mark, lines, rest: mark + b"".join(text + end for text, end in lines) + rest,
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(st.tuples(st.sampled_from(TEXT), st.sampled_from(ENDS)), max_size=8),
    st.sampled_from([b"", b'{"y":2}', b"z" * 1500]),
)


def told(body: bytes) -> list[tuple[int, str]]:
    """Where the records of a text begin, and what becomes of them: said in another way than the reader finds it."""
    mark = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    lines = [found for found in re.compile(rb"([^\r\n]*)(?:\r\n|\r|\n|\Z)").finditer(body, mark) if found[0]]
    kinds = [(line.start(), _kind(line[1])) for line in lines]
    return [(start, kind) for start, kind in kinds if kind != "skipped"]


def _kind(line: bytes) -> str:
    if len(line) > 1024:
        return "json.too_long"
    if not line.strip():
        return "skipped"
    return "row" if line.startswith(b"{") else "json.object" if line == b"[]" else "json.syntax"


def found(outcome: Outcome) -> list[tuple[int | None, str]]:
    rows = [(offset, "row") for _, offset, _, _ in outcome.rows]
    return sorted(rows + [(bad.offset, bad.rules[0]) for bad in outcome.refused])


@given(BODIES, st.lists(st.integers(4, 6000), max_size=4), st.integers(1, 2000), st.integers(1, 3000), st.booleans())
@example(body=b"{}\r\n{}", cuts=[3], piece=1, block=1, guessed=True)
@example(body=b"{}\r\n{}", cuts=[3], piece=1, block=1, guessed=False)
@settings(deadline=None, max_examples=300)
def test_every_line_belongs_to_one_shard_whatever_the_cuts(
    body: bytes, cuts: list[int], piece: int, block: int, guessed: bool
) -> None:
    at = 0
    records: list[tuple[int | None, str]] = []
    lines = skipped = 0
    reader = partial(read_jsonl, block_bytes=block)
    for start, end in pairwise(sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})):
        if guessed:
            of = shard(len(body), start, end, exact=start == 0)
        elif at > end:
            continue
        else:
            of = shard(len(body), at, end)
        one = outcome(batches(body, SMALL, reader=reader, piece=piece, of=of), SMALL)
        assert one.span[0] == at
        at = one.span[1] or 0
        records += found(one)
        lines += one.lines
        skipped += one.skipped
    assert at == len(body) or not body
    assert records == told(body)
    assert lines == len(records) + skipped


@pytest.mark.parametrize("end", [1, 9, 10, 11, 5000])
def test_a_shard_fetches_little_more_than_its_own(end: int) -> None:
    body = b'{"x":"1"}\n' * 9_000
    fetched = []

    def stream(first: int, last: int) -> Iterator[bytes]:
        fetched.append(last - first)
        return iter([body[first:last]])

    list(read_jsonl(shard(len(body), 5, end + 5, exact=False), JSONL, TEXTS, stream))
    assert sum(fetched) <= end + (1 << 16)


def test_a_line_longer_than_a_record_may_be_is_refused_with_its_beginning() -> None:
    body = b'{"x":"1"}\n{"x":"' + b"a" * 9_000 + b'"}\n{"x":"2"}\n'
    one = outcome(batches(body, SMALL, piece=100), SMALL)
    assert [values[0] for _, _, _, values in one.rows] == ["'1'", "'2'"]
    (bad,) = one.refused
    assert (bad.position, bad.offset, bad.rules) == (2, 10, ("json.too_long",))
    assert bad.reasons == ("is longer than 1,024 bytes: deliver it shorter, or declare a larger max_record_bytes",)
    assert bad.raw == '{"x":"' + "a" * (len(bad.raw) - 6)
    assert len(bad.raw) <= 4096


def test_encodings_are_text_and_utf_16_is_read_as_a_whole() -> None:
    text = '{"x":"é"}\n\n{"x":"€"}\n'
    for encoding in ("utf-8", "cp1252", "utf-16"):
        declared = source(format="jsonl", encoding=encoding)
        one = outcome(batches(text.encode(encoding), declared), declared)
        assert [values[0] for _, _, _, values in one.rows] == ["'é'", "'€'"]
        assert (one.skipped, one.lines) == (1, 3)
        assert one.span == ((None, None) if encoding == "utf-16" else (0, len(text.encode(encoding))))
    with pytest.raises(EncodingError, match="t/1 is not written in utf-16"):
        batches(b"\xff\xfe{\x00}", source(format="jsonl", encoding="utf-16"), reader=read)

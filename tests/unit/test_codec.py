"""Compressed objects are told by their content; what is damaged, too large or of another codec is refused by name."""

import bz2
import gzip
from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightlake.core.errors import CompressedObjectError
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.readers import codec, read
from nightlake.core.readers.codec import check, decompress, detect
from nightlake.core.shard import Codec, Shard, SourceObject
from nightlake.core.source import AnyS3Source
from pydantic import TypeAdapter


def source(**fields: Any) -> AnyS3Source:
    adapter: TypeAdapter[AnyS3Source] = TypeAdapter(AnyS3Source)
    return adapter.validate_python(
        {"dataset": "t", "from": "s3", "path": "t/{date:%Y/%m/%d}/*", "ready": {"files": 1}, **fields}
    )


def zstd(text: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(text)
    return bytes(sink.getvalue())


CODECS = {"gzip": gzip.compress, "zstd": zstd, "bzip2": bz2.compress}
each_codec = pytest.mark.parametrize("name", CODECS)


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


@each_codec
@given(texts=st.lists(st.binary(max_size=300), min_size=1, max_size=4), size=st.integers(1, 50))
def test_text_comes_back_from_one_or_several_compressed_parts(name: Codec, texts: list[bytes], size: int) -> None:
    body = b"".join(map(CODECS[name], texts))
    assert detect(body[:16]) == name
    assert b"".join(decompress(pieces(body, size), name, where="o")) == b"".join(texts)


def test_a_zstd_object_may_begin_with_a_note() -> None:
    body = b"\x50\x2a\x4d\x18\x04\x00\x00\x00note" + zstd(b"text")
    assert detect(body[:16]) == "zstd"
    assert b"".join(decompress([body], "zstd", where="o")) == b"text"


@each_codec
def test_an_object_that_ends_anywhere_in_the_middle_is_refused(name: Codec) -> None:
    body = CODECS[name](b"some text, some text\n" * 9)
    for part in (body, body + body):
        for length in {*range(1, len(part))} - {len(body)}:
            with pytest.raises(CompressedObjectError, match="s3://raw/o is damaged or cut off"):
                list(decompress([part[:length]], name, where="s3://raw/o"))


@each_codec
def test_what_follows_the_end_is_refused(name: Codec) -> None:
    with pytest.raises(CompressedObjectError, match="damaged or cut off"):
        list(decompress([CODECS[name](b"text") + b"garbage"], name, where="o"))


@pytest.mark.parametrize("name", ["gzip", "bzip2"])
def test_a_changed_byte_of_text_is_noticed(name: Codec) -> None:
    body = CODECS[name](bytes(range(256)) * 5)
    for at in range(12, len(body)):
        changed = body[:at] + bytes((body[at] ^ 0x10,)) + body[at + 1 :]
        try:
            text = b"".join(decompress([changed], name, where="o"))
        except CompressedObjectError:
            continue
        assert text == bytes(range(256)) * 5


@each_codec
def test_a_bomb_is_stopped_in_small_pieces(name: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "TEXT_LIMIT", 3 << 20)
    body = CODECS[name](bytes(16 << 20))
    assert len(body) < 32_000
    seen: list[int] = []
    with pytest.raises(CompressedObjectError, match="holds more than 3,145,728 bytes of text"):
        seen.extend(map(len, decompress([body], name, where="o")))
    assert max(seen) <= 1 << 20
    assert sum(seen) <= 3 << 20


def test_an_error_of_the_stream_itself_stays_what_it_is() -> None:
    def broken() -> Iterator[bytes]:
        yield gzip.compress(b"text")[:9]
        raise ConnectionResetError("the network")

    with pytest.raises(ConnectionResetError, match="the network"):
        list(decompress(broken(), "gzip", where="o"))


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"PK\x03\x04\x14\x00", "zip"),
        (b"\xfd7zXZ\x00\x00", "xz"),
        (b"\x04\x22\x4d\x18\x64", "lz4"),
        (b"\xff\x06\x00\x00sNaPpY", "snappy"),
    ],
)
def test_other_codecs_are_refused_by_name(head: bytes, name: str) -> None:
    assert detect(head) is None
    with pytest.raises(CompressedObjectError, match=rf"o is compressed \({name}\); deliver it gzip, zstd or bzip2"):
        check(head, source(format="csv"), 100, where="o")


@each_codec
def test_an_object_that_one_worker_could_not_finish_is_refused(name: Codec) -> None:
    head = CODECS[name](b"text")[:16]
    limit = codec.SIZE_LIMITS[name]
    check(head, source(format="json"), limit, where="o")
    with pytest.raises(CompressedObjectError, match=f"o has {limit + 1:,} bytes of {name}"):
        check(head, source(format="json"), limit + 1, where="o")
    with pytest.raises(CompressedObjectError, match="deliver it as Parquet"):
        check(head, source(format="parquet"), 100, where="o")


@given(st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=["Cs"])))
def test_text_is_no_codec(text: str) -> None:
    assert detect(text.encode()) is None
    check(text.encode(), source(format="jsonl"), 1 << 40, where="o")


@each_codec
@pytest.mark.parametrize(
    ("kind", "text"),
    [("csv", b"x\n1\n\n2\n"), ("jsonl", b'{"x":"1"}\n\n{"x":"2"}\n'), ("json", b'[{"x":"1"},{"x":"2"}]')],
)
def test_every_reader_takes_compressed_text(name: Codec, kind: str, text: bytes) -> None:
    body = CODECS[name](text[:9]) + CODECS[name](text[9:])
    shard = Shard(
        pipeline="p",
        dataset="t",
        date=date(2000, 1, 1),
        index=0,
        object=SourceObject(key="t/1", version_id="1", etag="e", size=len(body)),
        start=0,
        end=len(body),
        codec=name,
        header=("x",),
        fingerprint="f",
    )
    dataset = Dataset(name="t", columns=(Column(name="x", type="string"),))
    batches = list(read(shard, source(format=kind), dataset, lambda start, end: pieces(body[start:end], 5)))
    assert [value for batch in batches for value in pa.array(batch.columns["x"]).to_pylist()] == ["1", "2"]
    assert [(batch.start, batch.stop) for batch in batches] == [(None, None)] * len(batches)
    assert sum(batch.skipped for batch in batches) == (kind != "json")

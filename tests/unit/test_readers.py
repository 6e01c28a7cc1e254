"""Every reader gives exact raw values by the contract's columns, and refuses record by record, with place and text."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from json_shard import source
from nightlake.core.errors import EncodingError, ParquetUnreadableError
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.readers import read
from nightlake.core.readers.batch import Batch
from nightlake.core.shard import Shard, SourceObject
from nightlake.core.source import AnyS3Source

DATASET = Dataset(name="t", columns=(Column(name="x", type="string"), Column(name="y", type="string")))


CSV = source(format="csv")


def batches(
    body: bytes,
    source: AnyS3Source,
    *,
    start: int = 0,
    header: tuple[str, ...] = ("x", "y"),
    piece: int = 3,
) -> list[Batch]:
    shard = Shard(
        pipeline="p",
        dataset="t",
        date=date(2000, 1, 1),
        index=0,
        object=SourceObject(key="t/1", version_id="1", etag="e", size=len(body)),
        start=start,
        end=len(body),
        header=header,
        fingerprint="f",
    )

    def stream(first: int, last: int) -> Iterator[bytes]:
        return (body[at : min(at + piece, last)] for at in range(first, last, piece))

    return [_plain(batch) for batch in read(shard, source, DATASET, stream)]


def _plain(batch: Batch) -> Batch:
    """The batch with lists for the arrays of text formats, so that it is what one sees."""
    if not isinstance(batch.positions, pa.Array):
        return batch
    columns = {name: values.to_pylist() for name, values in batch.columns.items()}
    return replace(batch, columns=columns, positions=batch.positions.to_pylist(), raw=list(batch.raw))


def one(body: bytes, source: AnyS3Source, **more: Any) -> Batch:
    (batch,) = batches(body, source, **more)
    return batch


def test_csv_is_read_by_name_with_places_and_texts() -> None:
    body = '\ufeffy,z,x\r\n1,,"a\n""b"""\r\n\r\né,2,'.encode()
    batch = one(body, CSV, header=("y", "z", "x"))
    assert batch.columns == {"x": ['a\n"b"', None], "y": ["1", "é"]}
    assert batch.positions == [2, 5]
    assert batch.raw == ['1,,"a\n""b"""', "é,2,"]
    assert (batch.header, batch.skipped, batch.records) == (1, 1, 4)


def test_a_later_shard_has_no_header_and_counts_its_own_lines() -> None:
    batch = one(b"x,y\n1,2\n3,4\n", CSV, start=4)
    assert (batch.columns, batch.positions, batch.header) == ({"x": ["1", "3"], "y": ["2", "4"]}, [1, 2], 0)
    assert (batch.start, batch.stop, batch.lines) == (4, 12, 2)


def test_declared_nulls_and_names_are_those_of_the_source() -> None:
    renamed = source(format="csv", nulls=("", "NA"), columns={"x": "Ex"}, header=False)
    assert one(b"NA,\nN,A\n", renamed, header=("Ex", "y")).columns == {"x": [None, "N"], "y": [None, "A"]}


def test_csv_records_are_refused_one_by_one() -> None:
    body = b'x,y\n1\n"a"b,"c\nd"\n2,\xff"\n1,2,3\n5,6\n7,"8'
    batch = one(body, CSV)
    assert batch.columns == {"x": ["5"], "y": ["6"]}
    assert [(bad.position, bad.rules, bad.raw) for bad in batch.refused] == [
        (2, ("csv.fields",), "1"),
        (3, ("csv.quote",), '"a"b,"c'),
        (4, ("csv.quote",), 'd"'),
        (5, ("csv.quote", "encoding"), '2,\\xff"'),
        (6, ("csv.fields",), "1,2,3"),
        (8, ("csv.quote",), '7,"8'),
    ]
    assert batch.refused[0].reasons == ("has 1 fields, not 2",)
    assert [bad.offset for bad in batch.refused] == [4, 6, 14, 17, 22, 32]
    assert batch.positions == [7]


def test_very_long_fields_and_null_bytes_are_kept() -> None:
    long = "a" * 300_000
    assert one(f"x,y\n{long},\0\n".encode(), CSV, piece=1 << 16).columns == {"x": [long], "y": ["\0"]}


def test_utf_16_is_read_as_text_and_broken_utf_16_is_told() -> None:
    wide = source(format="csv", encoding="utf-16")
    assert one("x,y\nė,2\n".encode("utf-16"), wide).columns == {"x": ["ė"], "y": ["2"]}
    with pytest.raises(EncodingError, match="t/1 is not written in utf-16"):
        one("x,y\n".encode("utf-16") + b"\n", wide)


def test_batches_of_csv_touch_and_have_some_megabytes_each() -> None:
    body = b"x,y\n" + (b"1" * 398 + b",2\n") * 25_000
    found = batches(body, CSV, piece=1 << 16)
    assert sum(batch.records for batch in found) == 25_001
    assert found[-1].positions[-1] == 25_001
    assert [batch.stop for batch in found] == [*(batch.start for batch in found[1:]), len(body)]
    assert 2 <= len(found) <= 4


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=4_000)
    return sink.getvalue()


def test_parquet_is_read_by_name_in_arrow_columns() -> None:
    body = parquet(pa.table({"z": [0] * 12_000, "Ex": range(12_000), "y": [Decimal("1.10")] * 12_000}))
    found = batches(body, source(format="parquet", columns={"x": "Ex"}), piece=1 << 16)
    assert [batch.records for batch in found] == [10_000, 2_000]
    assert found[1].columns["x"].to_pylist() == list(range(10_000, 12_000))
    assert (found[1].positions[0], found[1].extra_columns) == (10_001, {"z"})
    assert found[1].raw[0] == '{"z": 0, "Ex": 10000, "y": "1.10"}'


def test_a_parquet_object_that_is_cut_off_or_damaged_is_told() -> None:
    body = parquet(pa.table({"x": [str(number) for number in range(3000)], "y": ["b"] * 3000}))
    with pytest.raises(ParquetUnreadableError, match="t/1 is not readable as Parquet"):
        one(body[:-5], source(format="parquet"), piece=1 << 16)
    damaged = body[:4] + b"\xff" * 2000 + body[2004:]
    with pytest.raises(ParquetUnreadableError, match="t/1 cannot be read beyond row 0"):
        one(damaged, source(format="parquet"), piece=1 << 16)

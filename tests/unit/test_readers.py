"""Every reader gives exact raw values by the contract's columns, and refuses record by record, with place and text."""

import io
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nightlake.core.errors import EncodingError, JsonSyntaxError, JsonTruncatedError, ParquetUnreadableError
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.readers import read
from nightlake.core.readers.batch import Batch, Refused
from nightlake.core.shard import Shard, SourceObject
from nightlake.core.source import AnySource
from pydantic import TypeAdapter

DATASET = Dataset(name="t", columns=(Column(name="x", type="string"), Column(name="y", type="string")))


def source(**fields: Any) -> AnySource:
    adapter: TypeAdapter[AnySource] = TypeAdapter(AnySource)
    return adapter.validate_python(
        {"dataset": "t", "from": "s3", "path": "t/{date:%Y/%m/%d}/*", "ready": {"files": 1}, **fields}
    )


CSV = source(format="csv")
JSONL = source(format="jsonl")
JSON = source(format="json")


def batches(
    body: bytes,
    source: AnySource,
    *,
    start: int = 0,
    line: int = 1,
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
        line=line,
        fingerprint="f",
    )

    def stream(first: int, last: int) -> Iterator[bytes]:
        return (body[at : min(at + piece, last)] for at in range(first, last, piece))

    return list(read(shard, source, DATASET, stream))


def one(body: bytes, source: AnySource, **more: Any) -> Batch:
    (batch,) = batches(body, source, **more)
    return batch


def test_csv_is_read_by_name_with_places_and_texts() -> None:
    body = '\ufeffy,z,x\r\n1,,"a\n""b"""\r\n\r\né,2,'.encode()
    batch = one(body, CSV, header=("y", "z", "x"))
    assert batch.columns == {"x": ['a\n"b"', None], "y": ["1", "é"]}
    assert batch.positions == [2, 5]
    assert batch.raw == ['1,,"a\n""b"""', "é,2,"]
    assert (batch.header, batch.skipped, batch.records) == (1, 1, 4)


def test_a_later_shard_has_no_header_and_counts_lines_on() -> None:
    batch = one(b"x,y\n1,2\n3,4\n", CSV, start=4, line=2)
    assert (batch.columns, batch.positions, batch.header) == ({"x": ["1", "3"], "y": ["2", "4"]}, [2, 3], 0)


def test_declared_nulls_and_names_are_those_of_the_source() -> None:
    renamed = source(format="csv", nulls=("", "NA"), columns={"x": "Ex"}, header=False)
    assert one(b"NA,\nN,A\n", renamed, header=("Ex", "y")).columns == {"x": [None, "N"], "y": [None, "A"]}


def test_csv_records_are_refused_one_by_one() -> None:
    body = b'x,y\n1\n"a"b,"c\nd"\n2,\xff"\n1,2,3\n5,6\n7,"8'
    batch = one(body, CSV)
    assert batch.columns == {"x": ["5"], "y": ["6"]}
    assert [(bad.position, bad.rule, bad.raw) for bad in batch.refused] == [
        (2, "csv.fields", "1"),
        (3, "csv.quote", '"a"b,"c\nd"'),
        (5, "encoding", '2,\\xff"'),
        (6, "csv.fields", "1,2,3"),
        (8, "csv.quote", '7,"8'),
    ]
    assert batch.refused[0].reason == "has 1 fields, not 2"
    assert batch.positions == [7]


def test_very_long_fields_and_null_bytes_are_kept() -> None:
    long = "a" * 300_000
    assert one(f"x,y\n{long},\0\n".encode(), CSV, piece=1 << 16).columns == {"x": [long], "y": ["\0"]}


def test_utf_16_is_read_as_text_and_broken_utf_16_is_told() -> None:
    wide = source(format="csv", encoding="utf-16")
    assert one("x,y\nė,2\n".encode("utf-16"), wide).columns == {"x": ["ė"], "y": ["2"]}
    with pytest.raises(EncodingError, match="t/1 is not written in utf-16"):
        one("x,y\n".encode("utf-16") + b"\n", wide)


def test_batches_have_at_most_ten_thousand_records() -> None:
    found = batches(b"x,y\n" + b"1,2\n" * 25_000, CSV, piece=1 << 16)
    assert [batch.records for batch in found] == [10_000, 10_000, 5_001]
    assert found[2].positions[-1] == 25_001


@pytest.mark.parametrize(
    ("kind", "body"), [(JSONL, b'\xef\xbb\xbf{"y": 1.10, "x": {"a": [1]}}\r\n\n{"x": 12345678901234567890}\n'),
                         (JSON, b'\xef\xbb\xbf [ {"y": 1.10, "x": {"a": [1]}} ,\n{"x": 12345678901234567890}]\n')],
)  # fmt: skip
def test_json_keeps_numbers_exactly_and_values_nested(kind: AnySource, body: bytes) -> None:
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
    expected = Refused(2, *REFUSED[bad], bad.decode("utf-8", "backslashreplace"))
    for body, kind in ((b'{"x": 1}\n%b\n{"x": 3}\n', JSONL), (b'[{"x": 1},%b,{"x": 3}]', JSON)):
        batch = one(body % bad, kind)
        assert batch.columns["x"] == [1, 3]
        assert batch.refused == [expected]


def test_a_line_that_is_no_json_is_refused_alone() -> None:
    batch = one(b'{"x": 1}\n{"x": \n{"x": 3} 4\n{"x": "\\ud83d\\ude00"}', JSONL)
    assert [bad.position for bad in batch.refused] == [2, 3]
    assert all(bad.rule == "json.syntax" and "is not JSON" in bad.reason for bad in batch.refused)
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

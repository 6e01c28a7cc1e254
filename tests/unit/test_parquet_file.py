"""How rows are written: every value comes back, from Arrow and from DuckDB, and the encodings are those that fit."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nightlake.core.parquet_file import write_parquet

ROWS = 5000
NESTED = pa.struct([("tags", pa.list_(pa.string())), ("by_name", pa.map_(pa.string(), pa.int32()))])
TABLE = pa.table(
    {
        "number": pa.array(range(ROWS), pa.int64()),
        "tiny": pa.array([row % 100 for row in range(ROWS)], pa.int8()),
        "money": pa.array([Decimal(row) / 100 if row % 7 else None for row in range(ROWS)], pa.decimal128(12, 2)),
        "wide": pa.array([Decimal(10**30 + row) for row in range(ROWS)], pa.decimal128(38, 0)),
        "day": pa.array([date.fromordinal(row + 1) for row in range(ROWS)], pa.date32()),
        "moment": pa.array([row * 86_400_000 - 10**12 for row in range(ROWS)]).cast(pa.timestamp("ms")),
        "share": pa.array([row / 7 for row in range(ROWS)], pa.float64()),
        "flag": pa.array([row % 2 == 0 for row in range(ROWS)]),
        "text": pa.array([f"text {row}" for row in range(ROWS)]),
        "word": pa.array(["a", None, "b", "c", "d"] * (ROWS // 5)),
        "same": pa.DictionaryArray.from_arrays(pa.array([0] * ROWS, pa.int8()), ["s3://raw/a"]),
        "box": pa.array([{"tags": ["a", None], "by_name": [("n", row)]} for row in range(ROWS)], NESTED),
    }
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parquet") / "rows.parquet"
    with path.open("wb") as file:
        write_parquet(TABLE, file)
    return path


def test_every_value_comes_back(written: Path) -> None:
    plain = TABLE.set_column(TABLE.schema.get_field_index("same"), "same", TABLE["same"].cast(pa.string()))
    table = pq.read_table(written)
    assert table.schema.equals(plain.schema)
    assert table.to_pylist() == plain.to_pylist()


def test_another_engine_reads_the_same(written: Path) -> None:
    *columns, box = TABLE.column_names
    assert box == "box"
    found = [row[:-1] for row in duckdb.read_parquet(str(written)).fetchall()]
    assert found == list(zip(*(TABLE[name].to_pylist() for name in columns), strict=True))


def test_what_repeats_has_a_dictionary_and_what_counts_is_written_as_differences(written: Path) -> None:
    group = pq.ParquetFile(written).metadata.row_group(0)
    columns = {group.column(index).path_in_schema: group.column(index) for index in range(group.num_columns)}
    repeated = {name for name, column in columns.items() if "RLE_DICTIONARY" in column.encodings}
    differences = {name for name, column in columns.items() if "DELTA_BINARY_PACKED" in column.encodings}
    assert repeated == {
        "tiny",
        "word",
        "same",
        "box.tags.list.element",
        "box.by_name.key_value.key",
        "box.by_name.key_value.value",
    }
    assert differences == {"number", "money", "day", "moment"}
    assert all(column.is_stats_set and column.compression == "SNAPPY" for column in columns.values())
    assert columns["number"].total_compressed_size < ROWS

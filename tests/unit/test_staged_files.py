"""How many Parquet files rows become, and that they are written before memory fills."""

import io
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
from memory_objects import MemoryObjects
from nightlake.core.staged_files import StagedFiles

DAY = date(2017, 6, 12)
ROWS = pa.table({"n": pa.array(range(1000), pa.int64())})  # 8,000 bytes


def key(table: str, day: date, number: int) -> str:
    return f"{table}/{day.isoformat()}/{number}"


def test_rows_of_a_table_and_day_are_one_file_of_one_row_group() -> None:
    store = MemoryObjects()
    files = StagedFiles(store, key)
    for _ in range(3):
        files.add("a", DAY, ROWS)
    files.add("a", DAY + timedelta(1), ROWS)
    files.add("b", DAY, ROWS)
    assert list(store.list("")) == []
    staged = {(file.table, file.day): file for file in files.finish()}
    assert {target: file.rows for target, file in staged.items()} == {
        ("a", DAY): 3000,
        ("a", DAY + timedelta(1)): 1000,
        ("b", DAY): 1000,
    }
    file = pq.ParquetFile(io.BytesIO(store.get(staged["a", DAY].key)))
    assert (file.num_row_groups, file.read().num_rows) == (1, 3000)


def test_a_file_that_is_large_enough_is_written_at_once() -> None:
    store = MemoryObjects()
    files = StagedFiles(store, key, file_bytes=16_000)
    for _ in range(5):
        files.add("a", DAY, ROWS)
    assert len(list(store.list(""))) == 2
    assert [file.rows for file in files.finish()] == [2000, 2000, 1000]
    assert len(list(store.list(""))) == 3


def test_of_many_days_the_largest_are_written_when_all_together_are_too_much() -> None:
    store = MemoryObjects()
    files = StagedFiles(store, key, held_bytes=40_000)
    for _ in range(2):
        files.add("a", DAY, ROWS)
    for days in range(1, 4):
        files.add("a", DAY + timedelta(days), ROWS)
    assert [info.key for info in store.list("")] == ["a/2017-06-12/0", "a/2017-06-13/1"]  # half of it is left
    assert sum(file.rows for file in files.finish()) == 5000


def test_the_rare_rows_of_a_day_do_not_keep_in_memory_what_came_with_them() -> None:
    store = MemoryObjects()
    files = StagedFiles(store, key, file_bytes=1_000_000, held_bytes=2_000_000)
    before, most = pa.total_allocated_bytes(), 0
    for number in range(100):
        rows = pa.table({"n": pa.array(range(number * 50_000, (number + 1) * 50_000), pa.int64())})
        files.add("a", DAY, rows.slice(0, 49_000))
        files.add("a", DAY + timedelta(1), rows.slice(49_000))
        del rows
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 4_000_000  # of 40,000,000
    assert sum(file.rows for file in files.finish()) == 5_000_000

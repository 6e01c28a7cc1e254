"""Durations that are written as a clock shows them become seconds; what is none is quarantined with its reason."""

from io import BytesIO

import pyarrow.parquet as pq
import pytest
from http_world import Api, World, answer, dataset, source
from nightlake.core import column_type
from nightlake.core.cast import cast
from nightlake.core.value_parser import Reading, ValueParser

READING = Reading(durations=("length",)).of_column("length")
KIND = column_type.parse("int")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3:45", 225), ("03:45", 225), ("00:00", 0), ("59:59", 3599), ("75:30", 4530), ("1:02:03", 3723), (" 0:09 ", 9)],
)
def test_a_duration_is_so_many_seconds(text: str, seconds: int) -> None:
    assert ValueParser(READING).parse(KIND, text) == seconds
    assert cast([text] * 100, KIND, READING).values.to_pylist() == [seconds] * 100


@pytest.mark.parametrize(
    "text", ["3:5", "3:60", "345", "1:2:03", "1:60:00", "-3:45", "3:45.5", "", "3 45", "٣:٤٥", 225]
)
def test_what_is_no_duration_says_what_one_is(text: object) -> None:
    done = cast([text] * 100, KIND, READING)
    assert done.values.null_count == 100
    assert set(done.refused.values()) == {"not a duration: write M:SS or H:MM:SS"}


def test_one_that_is_too_long_for_its_column_is_refused() -> None:
    assert "out of range" in cast(["9999:59"], column_type.parse("smallint"), READING).refused[0]


def test_only_the_columns_that_are_named_hold_durations() -> None:
    records = [{"id": number, "length": f"{number}:0{number}"} for number in range(1, 5)]
    records += [{"id": "1:01", "length": "1:01"}, {"id": 6, "length": 61}, {"id": 7, "length": None}]
    world = World(source(durations=["length"]), Api(lambda _: answer(records)), dataset(id="bigint", length="int"))
    (receipt,) = world.receipts(world.extract())
    assert (receipt.rows, receipt.quarantined) == (5, 2)
    (key,) = (info.key for info in world.quarantine.list(""))
    refused = pq.read_table(BytesIO(world.quarantine.get(key))).column("reasons").to_pylist()
    assert refused == [
        ["id '1:01' is no bigint: not a number"],
        ["length Decimal('61') is no int: not a duration: write M:SS or H:MM:SS"],
    ]

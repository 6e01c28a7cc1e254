"""What a night costs and how long it takes: the arithmetic by hand."""

from collections import Counter
from typing import Any

import pytest
from nightlake.core.cost import Estimate, Night, estimate, needed_mb_per_second
from nightlake.core.load import Load, Throughput
from nightlake.core.prices import Prices, load_prices
from nightlake.core.shard_bill import conversion_bill
from nightlake.core.wall import Stage, Work

FAST = Throughput(mb_per_second=150, parquet_ratio=0.25, row_bytes=100, measured="here")
SLOW = Throughput(mb_per_second=40, parquet_ratio=0.25, row_bytes=100, measured="here")
FILES = Load(dataset="files", source_bytes=100 * 10**9, shard_bytes=64 << 20, speed=SLOW)
API = Load(dataset="api", kind="http", source_bytes=10**8, shard_bytes=16 << 20, speed=SLOW)
TABLE = Load(
    dataset="table", kind="postgres", source_bytes=50 * 10**9, shard_bytes=256 << 20, at_once=4, speed=SLOW,
    database_mb_per_second=125,
)  # fmt: skip
WORK = Work(tables=9, across=1, merges=1, views=1, reports=2)
THIRTY_MINUTES = 1800


def bill(*loads: Load, **changed: Any) -> Estimate:
    night = Night(loads=loads or (FILES,), work=WORK).model_copy(update=changed)
    # As many tasks as there are statements, and a child for each shard.
    made = Counter({"transitions": 2 * night.shards + 51, "lambda": night.shards + 17, "glue": 18, "athena": 5})
    return estimate(night, made, load_prices())


def usd(found: Estimate, name: str) -> float:
    return next(item.usd for item in (*found.items, *found.monthly, *found.instead) if item.name == name)


def stage(found: Estimate, name: str, source: str = "") -> Stage:
    return next(each for each in found.stages if (each.name, each.source) == (name, source))


def test_the_bill_of_a_hundred_gigabytes_by_hand() -> None:
    found = bill()
    assert found.shards == 1491  # 100e9 / 67,108,864, rounded up
    # 2,500 s of conversion, 40 cold starts of 3 s, 17 tasks of 2 s, at 1,769 MB
    assert usd(found, "Lambda, time") == pytest.approx((2500 + 120 + 34) * 1769 / 1024 * 0.0000133334)
    assert usd(found, "Step Functions") == pytest.approx((2 * 1491 + 51) * 0.000025)
    # five statements that read 25 GB of Parquet each
    assert usd(found, "Athena") == pytest.approx(5 * 25e9 / 2**40 * 5)
    assert usd(found, "S3, reading by Athena") == pytest.approx(5 * 1491 * 4 * 0.0000004)
    assert found.usd == pytest.approx(sum(item.usd for item in found.items))
    asked = usd(found, "Athena") + usd(found, "S3, reading by Athena")
    assert found.conversion_usd == pytest.approx(found.usd - asked)


def test_checks_in_many_parts_read_only_their_columns_and_take_turns() -> None:
    found = bill(work=WORK.model_copy(update={"across": 32}), across_share=0.25)
    assert usd(found, "Athena") == pytest.approx((32 * 0.25 + 4) * 25e9 / 2**40 * 5)
    assert stage(found, "check across").seconds == 32 / 4 * 60 + 2


def test_the_conversion_is_cheaper_than_athena_over_the_files_and_glue() -> None:
    found = bill()
    assert usd(found, "Athena CTAS over the files") == pytest.approx(100e9 / 2**40 * 5)
    assert usd(found, "Glue for Spark") == pytest.approx(100 / 60 * 0.44)
    assert found.conversion_usd < usd(found, "Athena CTAS over the files") < usd(found, "Glue for Spark")


def test_nothing_is_faster_than_the_network_card() -> None:
    assert FILES.model_copy(update={"speed": FAST}).seconds_a_shard == pytest.approx((64 << 20) / 78e6)
    assert FILES.seconds_a_shard == pytest.approx((64 << 20) / 40e6)


def test_conversion_is_bound_by_the_waves_or_by_the_starts_of_children() -> None:
    few = FILES.model_copy(update={"at_once": 10})
    assert few.convert_seconds == pytest.approx(150 * (64 << 20) / 40e6)  # 1,491 shards, ten at a time
    all_at_once = FILES.model_copy(update={"at_once": 10_000})
    assert all_at_once.convert_seconds == pytest.approx(14.91 + (64 << 20) / 40e6)  # the last one starts after 15 s


def test_connections_share_what_the_disks_of_a_database_give() -> None:
    assert TABLE.worker_mb_per_second == 125 / 4
    assert TABLE.extract_seconds == 400  # its rows are counted first
    assert TABLE.convert_seconds == pytest.approx(47 * (256 << 20) / (125e6 / 4))  # 187 shards, four at a time
    alone = TABLE.model_copy(update={"at_once": 1})
    assert alone.worker_mb_per_second == 40  # one core cannot take more


def test_an_api_is_asked_no_faster_than_declared_and_no_faster_than_it_answers() -> None:
    assert API.extract_seconds == 100  # a hundred answers of a second each, one at a time
    assert API.model_copy(update={"requests_at_once": 16}).extract_seconds == 20  # five a second
    assert API.model_copy(update={"least_requests": 300}).extract_seconds == 300  # as many things to ask for
    assert FILES.requests == 0


def test_sources_stand_beside_each_other_and_the_slowest_one_is_waited_for() -> None:
    found = bill(FILES, API, TABLE)
    begins = {each.begins for each in found.stages if each.name == "plan"}
    assert begins == {5 + 3 * 2}  # a cold start and Prepare, and nine tables four at a time
    assert stage(found, "convert", "table").begins == 11 + 5 + 400
    assert stage(found, "seal").begins == max(each.ends for each in found.stages if each.source)
    assert stage(found, "seal").begins == stage(found, "validate", "table").ends
    assert found.wall_seconds == stage(found, "complete").ends
    alone = bill(FILES)
    assert alone.wall_seconds < found.wall_seconds


def test_a_source_read_as_fast_as_it_needs_makes_the_night_end_in_time() -> None:
    night = bill(TABLE)
    needed = needed_mb_per_second(TABLE, night, THIRTY_MINUTES)
    assert needed is not None
    spared = THIRTY_MINUTES - night.wall_seconds
    at_that_speed = TABLE.source_bytes / 1e6 / needed
    # Converting at just that speed takes what it takes now, and all that is to spare.
    assert at_that_speed == pytest.approx(TABLE.convert_seconds + spared)
    assert needed_mb_per_second(TABLE, night, 300) is None


def test_a_database_needs_no_raw_bucket_and_an_endpoint() -> None:
    found = bill(TABLE)
    assert usd(found, "S3, raw data of 30 days") == 0
    assert usd(found, "Endpoint of Secrets Manager, two zones") == pytest.approx(2 * 730 * 0.01)
    assert usd(found, "Export of a snapshot of the table alone") == pytest.approx(50e9 / 2**30 * 0.01)
    names = {item.name for item in (*bill(FILES).monthly, *bill(FILES).instead)}
    assert not [name for name in names if "Endpoint" in name or "snapshot" in name]


def test_smaller_shards_cost_more_requests_and_transitions() -> None:
    small = bill(FILES.model_copy(update={"shard_bytes": 1 << 20}))
    for name in ("Step Functions", "S3, writing", "S3, reading", "Lambda, requests"):
        assert usd(small, name) > usd(bill(), name)


def test_two_years_of_storage() -> None:
    found = bill()
    gib = 100e9 / 2**30
    assert usd(found, "S3, raw data of 30 days") == pytest.approx(30 * gib * 0.023)
    assert usd(found, "S3, older raw data in Deep Archive") == pytest.approx(700 * gib * 0.00099)
    assert usd(found, "S3, Parquet of datasets and merges") == pytest.approx(2 * 730 * gib / 4 * 0.023)


def test_an_empty_night_costs_its_tasks() -> None:
    found = bill(FILES.model_copy(update={"source_bytes": 0}), work=Work())
    assert found.shards == 1
    assert 0 < found.usd < 0.01


def test_every_price_has_a_date_and_a_source() -> None:
    prices: Prices = load_prices()
    assert prices.region == "us-east-1"
    for price in prices.prices.values():
        assert price.usd > 0
        assert price.as_of[:4] in ("2025", "2026")
        assert price.source
        assert price.verified is ("from memory" not in price.source)


def test_what_a_conversion_came_to_is_priced_by_what_it_used() -> None:
    items = {item.name: item for item in conversion_bill(converted=4, gb_seconds=10, prices=load_prices())}
    assert items["Lambda, time"].usd == pytest.approx(10 * 0.0000133334)
    assert items["Step Functions"].quantity == 8
    assert sum(item.usd for item in conversion_bill(converted=0, gb_seconds=0, prices=load_prices())) == 0

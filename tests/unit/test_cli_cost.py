"""What a night costs: the arithmetic by hand, and the command."""

import json
from pathlib import Path
from typing import Any

import pytest
from nightlake.core.cost import Estimate, Night, Prices, Throughput, conversion_bill, estimate, load_prices
from typer.testing import CliRunner

from cli.cost import throughput
from cli.main import app

FAST = Throughput(mb_per_second=150, parquet_ratio=0.25, row_bytes=100, measured="here")
SLOW = Throughput(mb_per_second=40, parquet_ratio=0.25, row_bytes=100, measured="here")
NIGHT = Night(source_bytes=100 * 10**9, shard_bytes=64 << 20, merges=1, reports=2)


def bill(night: Night = NIGHT, speed: Throughput = SLOW) -> Estimate:
    return estimate(night, speed, load_prices())


def usd(found: Estimate, name: str) -> float:
    return next(item.usd for item in (*found.items, *found.monthly, *found.instead) if item.name == name)


def test_the_bill_of_a_hundred_gigabytes_by_hand() -> None:
    found = bill()
    assert found.shards == 1491  # 100e9 / 67,108,864, rounded up
    # 2,500 s of conversion, 40 cold starts of 3 s, 17 tasks of 2 s, at 1,769 MB
    assert usd(found, "Lambda, time") == pytest.approx((2500 + 120 + 34) * 1769 / 1024 * 0.0000133334)
    assert usd(found, "Step Functions") == pytest.approx((2 * 1491 + 3 * 17) * 0.000025)
    # five statements that read 25 GB of Parquet each
    assert usd(found, "Athena") == pytest.approx(5 * 25e9 / 2**40 * 5)
    assert usd(found, "S3, reading by Athena") == pytest.approx(5 * 1491 * 4 * 0.0000004)
    assert found.usd == pytest.approx(sum(item.usd for item in found.items))
    asked = usd(found, "Athena") + usd(found, "S3, reading by Athena")
    assert found.conversion_usd == pytest.approx(found.usd - asked)


def test_checks_in_many_parts_read_only_their_columns_and_take_turns() -> None:
    found = bill(NIGHT.model_copy(update={"across_queries": 32, "across_share": 0.25}))
    assert usd(found, "Athena") == pytest.approx((32 * 0.25 + 4) * 25e9 / 2**40 * 5)
    assert found.wall_seconds["athena"] == (32 / 4 + 3) * 60


def test_the_conversion_is_cheaper_than_athena_over_the_files_and_glue() -> None:
    found = bill()
    assert usd(found, "Athena CTAS over the files") == pytest.approx(100e9 / 2**40 * 5)
    assert usd(found, "Glue for Spark") == pytest.approx(100 / 60 * 0.44)
    assert found.conversion_usd < usd(found, "Athena CTAS over the files") < usd(found, "Glue for Spark")


def test_nothing_is_faster_than_the_network_card() -> None:
    assert bill(speed=FAST).seconds_a_shard == pytest.approx((64 << 20) / 78e6)
    assert bill(speed=SLOW).seconds_a_shard == pytest.approx((64 << 20) / 40e6)


def test_wall_time_is_bound_by_the_waves_or_by_the_starts_of_children() -> None:
    few_at_once = bill(NIGHT.model_copy(update={"concurrency": 10})).wall_seconds
    assert few_at_once["convert"] == pytest.approx(150 * (64 << 20) / 40e6)  # 1,491 shards, ten at a time
    all_at_once = bill(NIGHT.model_copy(update={"concurrency": 10_000})).wall_seconds
    assert all_at_once["convert"] == pytest.approx(14.91 + (64 << 20) / 40e6)  # the last one starts after 15 s
    assert all_at_once["athena"] == 4 * 60  # across, merge, its audit, and the reports beside each other
    assert all_at_once["all"] == pytest.approx(sum(value for name, value in all_at_once.items() if name != "all"))


def test_smaller_shards_cost_more_requests_and_transitions() -> None:
    small = bill(NIGHT.model_copy(update={"shard_bytes": 1 << 20}))
    for name in ("Step Functions", "S3, writing", "S3, reading", "Lambda, requests"):
        assert usd(small, name) > usd(bill(), name)


def test_two_years_of_storage() -> None:
    found = bill()
    gib = 100e9 / 2**30
    assert usd(found, "S3, raw data of 30 days") == pytest.approx(30 * gib * 0.023)
    assert usd(found, "S3, older raw data in Deep Archive") == pytest.approx(700 * gib * 0.00099)
    assert usd(found, "S3, Parquet of datasets and merges") == pytest.approx(2 * 730 * gib / 4 * 0.023)


def test_an_empty_night_costs_its_tasks() -> None:
    found = bill(Night(source_bytes=0, shard_bytes=64 << 20))
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


def nightlake(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["cost", *arguments])


def test_the_command_shows_the_bill_and_warns_of_tiny_shards() -> None:
    done = nightlake("sales", "--gb", "100", "--json")
    facts = json.loads(done.stdout)
    assert done.exit_code == 0
    assert facts["shards"] == 375  # those of the largest source, and one for each of the other two
    assert any("shard_bytes: 131,072" in note for note in facts["notes"])
    # a thousand million rows or so are as many keys, of which a query may hold 50 million: basket, product, customer
    assert facts["night"]["across_queries"] in (16, 32, 64)
    assert facts["night"]["across_share"] == pytest.approx(3 / 11)
    assert {"lambda_gb_second", "athena_tb", "glue_dpu_hour"} <= facts["prices"].keys()
    shown = nightlake("sales", "--gb", "100").stdout
    assert "Wall time" in shown
    assert "Glue for Spark" in shown


def test_shards_as_asked_need_no_warning() -> None:
    facts = json.loads(nightlake("sales", "--gb", "1", "--shard-mb", "0.125", "--json").stdout)
    assert facts["shards"] == 7632
    assert not any("shard_bytes" in note for note in facts["notes"])


def test_an_unknown_pipeline_is_named() -> None:
    done = nightlake("sails", "--gb", "1", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"] == "PipelineUnknownError"


def test_the_measured_throughput_is_read_where_there_is_one(tmp_path: Path) -> None:
    rows = [
        {"contestant": "pyarrow", "shape": "narrow", "cores": 1, "megabytes_per_second": 190, "parquet_megabytes": 9},
        {
            "contestant": "nightlake", "shape": "narrow", "cores": 1, "megabytes_per_second": 155,
            "parquet_megabytes": 9, "source_megabytes": 45, "rows": 500_000,
        },
    ]  # fmt: skip
    file = tmp_path / "benchmarks.json"
    assert "nowhere" in throughput(file).measured
    file.write_text(json.dumps({"measured_on": "2026-11-21", "machine": "2 cores", "rows": rows}))
    assert throughput(file) == Throughput(
        mb_per_second=155,
        parquet_ratio=0.2,
        row_bytes=90,
        measured="2026-11-21, 2 cores, one core, file 'narrow' of make bench",
    )
    file.write_text(json.dumps({"measured_on": "2026-11-21", "machine": "2 cores", "rows": rows[:1]}))
    assert "nowhere" in throughput(file).measured


def test_what_a_conversion_came_to_is_priced_by_what_it_used() -> None:
    items = {item.name: item for item in conversion_bill(converted=4, gb_seconds=10, prices=load_prices())}
    assert items["Lambda, time"].usd == pytest.approx(10 * 0.0000133334)
    assert items["Step Functions"].quantity == 8
    assert sum(item.usd for item in conversion_bill(converted=0, gb_seconds=0, prices=load_prices())) == 0

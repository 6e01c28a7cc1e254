"""`nightlake cost`: volumes as asked or declared, and what it says of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from nightlake.core.contract import load_pipeline
from nightlake.core.load import Throughput
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.shard_bill import SHARD_PUTS
from typer.testing import CliRunner

from cli.errors import VolumeUnknownError
from cli.main import app
from cli.volumes import loads, postgres_throughput, throughput, volumes

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
SALES = load_pipeline(PIPELINES / "sales")
# What 100 GB of sales may call a night: the machine grew if this is too little, and should it have?
TRANSITIONS_OF_100_GB = 950
OF_A_SMALL_NIGHT = {
    "transitions": 140,
    "lambda": 50,
    "glue": 20,
    "athena": 15,
    "events": 1,
    "s3 writing": 150,
    "s3 reading": 250,
}


def nightlake(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["cost", *arguments])


def facts(*arguments: str) -> Any:
    done = nightlake(*arguments, "--json")
    assert done.exit_code == 0, done.stdout
    return json.loads(done.stdout)


def refused(*arguments: str) -> str:
    done = nightlake(*arguments, "--json")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert answer["error"] == "VolumeUnknownError"
    return str(answer["reason"])


def test_a_total_is_reckoned_as_the_largest_source() -> None:
    found = facts("sales", "--gb", "100")
    assert found["shards"] == 375  # those of the largest source, and one for each of the other two
    # a thousand million rows or so are as many keys, of which a query may hold 50 million: basket, product, customer
    assert found["night"]["work"]["across"] in (16, 32, 64)
    assert found["night"]["across_share"] == pytest.approx(3 / 11)
    assert {"lambda_gb_second", "athena_tb", "glue_dpu_hour"} <= found["prices"].keys()
    shown = nightlake("sales", "--gb", "100").stdout
    assert "Wall time" in shown
    assert "of 30 minutes" in shown
    assert "Glue for Spark" in shown


def test_each_source_may_bring_its_own() -> None:
    found = facts("sales", "--gb", "transactions=50", "--gb", "customers=0.5")
    assert {each["dataset"]: each["gb"] for each in found["sources"]} == {
        "transactions": 50, "products": 0, "customers": 0.5,
    }  # fmt: skip
    assert found["gb"] == 50.5
    (note,) = [note for note in found["notes"] if "Nothing is said" in note]
    assert "products" in note


def test_the_calls_of_a_night_are_few_and_known() -> None:
    of_large, of_small = facts("sales", "--gb", "100"), facts("sales", "--gb", "0.01")
    large, small = of_large["calls"], of_small["calls"]
    assert large["transitions"] <= TRANSITIONS_OF_100_GB
    # Shards alone grow with the data: a child's start, its state and its function.
    shards = of_large["shards"] - of_small["shards"]
    parts = large["athena"] - small["athena"]
    assert large["lambda"] - small["lambda"] == shards + parts
    assert large["transitions"] - small["transitions"] == 2 * shards + 2 * parts
    assert large["glue"] == small["glue"] == 2 * 9  # as many tables: looked at, and made on the first night
    assert large["s3 writing"] - small["s3 writing"] == SHARD_PUTS * shards


@pytest.mark.parametrize("pipeline", sorted(path.parent.name for path in PIPELINES.glob("*/pipeline.yaml")))
def test_a_small_night_of_any_pipeline_calls_little(pipeline: str) -> None:
    made = facts(pipeline, "--gb", "0.001")["calls"]
    assert made.keys() == OF_A_SMALL_NIGHT.keys()
    assert {name: count for name, count in made.items() if count > OF_A_SMALL_NIGHT[name]} == {}


def test_a_night_that_cannot_be_in_time_says_so() -> None:
    found = facts("sales", "--gb", "100", "--concurrency", "1")
    assert found["wall_seconds"] > found["limit_seconds"]
    assert any("The night is late" in note for note in found["notes"])
    assert found["sources"][0]["mb_per_second_given"] < found["sources"][0]["mb_per_second_needed"]


def test_shards_are_as_large_as_asked() -> None:
    found = facts("sales", "--gb", "1", "--shard-mb", "0.125")
    assert found["shards"] == 7632


def test_volumes_are_declared_or_asked_for_and_refused_by_name() -> None:
    declared = tuple(
        source.model_copy(update={"expected_gb": 20.0}) if source.dataset == "customers" else source
        for source in SALES.sources
    )
    pipeline = SALES.model_copy(update={"sources": declared})
    assert volumes(pipeline, []) == {"transactions": 0, "products": 0, "customers": 20}
    assert volumes(pipeline, ["transactions=3"]) == {"transactions": 3, "products": 0, "customers": 20}
    assert volumes(pipeline, ["7"]) == {"transactions": 0, "products": 0, "customers": 7}
    with pytest.raises(VolumeUnknownError, match="expected_gb"):
        volumes(SALES, [])
    assert "no source 'users'" in refused("sales", "--gb", "users=1")
    for wrong in ("transactions=much", "-3", "nan", "inf"):
        assert "as a number" in refused("sales", f"--gb={wrong}")


def test_a_table_is_read_over_its_connections_and_one_snapshot_over_one_worker() -> None:
    source = PostgresSource.model_validate(
        {"from": "postgres", "dataset": "transactions", "database": "app", "table": "t", "watermark": "at"}
    )
    pipeline = SALES.model_copy(update={"sources": (source,)})

    def load(**changed: object) -> Any:
        changed_source = source.model_copy(update=changed)
        return loads(
            pipeline.model_copy(update={"sources": (changed_source,)}),
            {"transactions": 50.0},
            shard_bytes=None,
            concurrency=40,
            database_mb_per_second=125,
        )[0]

    assert (load().shards, load().workers) == (187, 4)
    assert (load(snapshot="source").shards, load(snapshot="source").workers) == (1, 1)


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


def test_the_measured_throughput_of_a_table_is_that_of_the_bytes_of_its_copy(tmp_path: Path) -> None:
    file = tmp_path / "benchmarks-postgres.json"
    assert "nowhere" in postgres_throughput(file).measured
    told = {"measured_on": "2026-11-21", "rows": 1_000_000, "megabytes": 400, "seconds": 8, "parquet_megabytes": 100}
    file.write_text(json.dumps(told))
    found = postgres_throughput(file)
    assert (found.mb_per_second, found.parquet_ratio, found.row_bytes) == (50, 0.25, 400)
    assert found.measured.startswith("2026-11-21")

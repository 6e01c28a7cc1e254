"""Refused rows of all datasets are queried as one table, whose partition of a day is the folders of one run."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from athena_lake import Lake, athena_lake
from nightlake.core import layout
from nightlake.core.quarantine import quarantine_table
from nightlake.core.table import table_input
from shop_shard import ORDERS, Shop

DAY = date(2017, 6, 12)
BAD = "id,email,amount,sold_at\nx,a@b,-1,\n1,a@b,1,\n2,secret,0,\n"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """Two runs refused rows of two datasets; the partition shows the second."""
    with athena_lake(tmp_path, monkeypatch) as made:
        made.glue.create_database(DatabaseInput={"Name": "bad"})
        definition = table_input(quarantine_table("shop"), "s3://refused/empty/")
        made.glue.create_table(DatabaseName="bad", TableInput=definition)
        for run_id in ("r1", "r2"):
            for dataset in ("orders", "returns"):
                shop = Shop(dataset=ORDERS)
                receipt = shop.convert(shop.land(BAD), run_id=run_id)
                assert receipt.quarantine is not None
                key = f"{layout.quarantined_rows('shop', run_id, dataset)}f.parquet"
                made.store.write(f"s3://refused/{key}", shop.quarantine.get(receipt.quarantine.key))
        place = f"s3://refused/{layout.quarantine('shop', 'r2')}"
        partition = {
            "Values": list(layout.partition_values(DAY)),
            "StorageDescriptor": {**definition["StorageDescriptor"], "Location": place},
        }
        made.glue.create_partition(DatabaseName="bad", TableName="shop", PartitionInput=partition)
        yield made


def test_a_day_shows_every_dataset_of_its_newest_run(lake: Lake) -> None:
    found = lake.rows("SELECT run_id, line, rules FROM shop WHERE day = '12' ORDER BY line", database="bad")
    assert found == [
        *[("r2", 2, ["orders.id.type", "orders.amount.minimum"])] * 2,
        *[("r2", 4, ["orders.email.pattern"])] * 2,
    ]


def test_rows_are_found_by_rule_and_shown_with_their_bytes_and_reasons(lake: Lake) -> None:
    query = "SELECT offset, reasons[1], raw FROM shop WHERE contains(rules, 'orders.email.pattern') AND offset > 0"
    assert (
        lake.rows(query, database="bad")
        == [
            (BAD.index("2,secret"), "email *** must match @", "2,***,0,"),
        ]
        * 2
    )


def test_rules_are_counted_one_by_one(lake: Lake) -> None:
    query = "SELECT rule, count(*) FROM shop CROSS JOIN UNNEST(rules) AS t (rule) GROUP BY rule ORDER BY rule"
    assert lake.rows(query, database="bad") == [
        ("orders.amount.minimum", 2),
        ("orders.email.pattern", 2),
        ("orders.id.type", 2),
    ]

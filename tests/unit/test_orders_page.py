"""The page of the pipeline orders says what is so, and its made-up exports are as messy as it says."""

import csv
import io
import re
from datetime import date
from pathlib import Path

import pytest
from nightlake.core.contract import load_pipeline
from shop_shard import Shop

from local.errors import DayNotSeedableError
from local.sources import orders

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/orders.md").read_text()
DAY = date(2021, 11, 21)


def exported(day: date) -> dict[str, dict[str, str]]:
    text = orders.deliveries(day)[0].body.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    found = {row["order_id"]: row for row in rows}
    assert len(found) == len(rows), "an export has an order once"
    return found


def test_what_it_makes_is_all_that_is_made() -> None:
    table = PAGE.partition("## What it makes")[2].partition("Reports are")[0]
    told = {row.split("|")[1].strip(" `") for row in table.splitlines() if row.startswith("| `")}
    assert told == {file.stem for file in (ROOT / "sql/orders").glob("*/*.sql") if file.parent.name != "tables"}


def test_the_declarations_are_those_of_the_pipeline() -> None:
    pipeline = load_pipeline(ROOT / "pipelines/orders")
    source = pipeline.source("orders")
    told = dict(re.findall(r"^\| `(\w+): (\w+)` \|", PAGE, re.MULTILINE))
    said = {name: getattr(source, name) for name in told if name != "on_delivery"}
    said["on_delivery"] = pipeline.schedule.on_delivery
    assert told == {name: str(value).lower() for name, value in said.items()}


def test_an_export_is_converted_but_for_the_order_of_2042() -> None:
    pipeline = load_pipeline(ROOT / "pipelines/orders")
    source = pipeline.source("orders")
    shop = Shop(source=source, dataset=pipeline.dataset("orders"))  # type: ignore[arg-type]
    body = orders.deliveries(DAY)[0].body
    header = [mapping.source for mapping in source.columns]
    receipt = shop.convert(shop.land(body, header=header))
    (refused,) = shop.refused(receipt)
    assert refused["rules"] == ["orders.order_date.maximum"]
    assert (receipt.rows, receipt.quarantined) == (len(exported(DAY)) - 1, 1)
    assert {rule.rule: rule.rows for rule in receipt.rules}["orders.voucher_status.valid_values"] == 1
    assert 12 < len({file.day for file in receipt.files}) < 120
    assert {file.day.day for file in receipt.files} == {1}


def test_the_next_export_tells_of_some_orders_again() -> None:
    first, second = exported(DAY), exported(date(2021, 11, 22))
    again = first.keys() & second.keys()
    assert again
    for order in again:
        assert first[order]["order_date"] == second[order]["order_date"]
    assert any(first[order]["order_status"] != second[order]["order_status"] for order in again)


def test_the_shop_has_a_first_day() -> None:
    assert exported(orders.FIRST)
    with pytest.raises(DayNotSeedableError, match="from 2012-01-01 on"):
        orders.deliveries(date(2011, 12, 31))

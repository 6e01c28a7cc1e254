"""The reports of orders: the rows that they answer, and on the real sample what plain DuckDB says of the file."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from athena_shop import SQL, Shop
from nightlake.core import column_type

DAY = "2021-03-31"
REPORTS = sorted(file.stem for file in (SQL / "orders" / "reports").glob("*.sql"))
SAMPLE = Path(__file__).resolve().parents[4] / "shared/data/orders/sample.csv"


def order(number: int, placed: str, *, waited: int | None = 5, **values: Any) -> dict[str, Any]:
    """An order of VVNL, paid `waited` minutes after it was placed, or never."""
    at = datetime.fromisoformat(placed)
    row = {"order_id": number, "customer_id": 1, "website": "VVNL", "order_date": at, "order_status": "UNKNOWN"}
    if waited is not None:
        paid_at = at + timedelta(minutes=waited)
        row |= {"order_status": "PAID", "payment_status": "PAID", "payment_id": number, "payment_date": paid_at}
    return row | {"_source": f"s3://raw/orders/{placed:.10}/a.csv", "_position": number} | values


def report(shop: Shop, name: str, orders: list[dict[str, Any]], *, on: str = DAY) -> list[tuple[Any, ...]]:
    shop.land("2021-01-01", orders=orders)
    shop.run("view", "current_orders", on)
    return [tuple(row.values()) for row in shop.run("report", name, on)]


def test_orders_by_website_count_what_was_paid_and_kept(shop: Shop) -> None:
    orders = [
        order(1, "2021-01-05", voucher_id=1),
        order(2, "2021-02-05", customer_id=2),
        order(3, "2021-02-06"),
        order(4, "2021-02-07", customer_id=3, payment_status="REFUNDED", order_status="CANCELED"),
        order(5, "2021-03-05", website="VVBE"),
        order(6, "2021-03-31 23:59:59", website="VVBE", waited=None),
    ]
    assert report(shop, "orders_by_website", orders) == [
        ("VVNL", 4, 3, 1, 1, Decimal("75.00"), 3, Decimal("1.00"), 1, date(2021, 1, 5), date(2021, 2, 7)),
        ("VVBE", 2, 1, 0, 0, Decimal("25.00"), 1, Decimal("1.00"), 0, date(2021, 3, 5), date(2021, 3, 31)),
        ("all", 6, 4, 1, 1, Decimal("100.00"), 3, Decimal("1.33"), 1, date(2021, 1, 5), date(2021, 3, 31)),
    ]


def test_orders_by_website_have_no_share_where_nobody_paid(shop: Shop) -> None:
    rows = report(shop, "orders_by_website", [order(1, "2021-01-05", waited=None)])
    assert [row[5] for row in rows] == [None, None]


def test_payment_conversion_is_a_row_for_each_month_and_website(shop: Shop) -> None:
    orders = [
        order(1, "2021-01-05"),
        order(2, "2021-01-31 23:59:59", waited=None, order_status="CANCELED"),
        order(3, "2021-01-06", payment_status="REFUNDED", order_status="CANCELED"),
        order(4, "2021-02-01", website="VVBE"),
    ]
    assert report(shop, "payment_conversion", orders) == [
        (date(2021, 1, 1), "VVNL", 3, 2, Decimal("66.67"), 1, 2, Decimal("66.67")),
        (date(2021, 2, 1), "VVBE", 1, 1, Decimal("100.00"), 0, 0, Decimal("0.00")),
    ]


def test_voucher_outcomes_are_shares_of_a_website(shop: Shop) -> None:
    told = ["USED", "PAID_TO_SUPPLIER", "EXPRIED", "EXPIRED", None]
    orders = [order(n, "2021-01-05", voucher_id=n, voucher_status=status) for n, status in enumerate(told, 1)]
    rows = report(shop, "voucher_outcomes", [*orders, order(9, "2021-01-05"), order(10, "2021-04-01", voucher_id=10)])
    assert rows == [
        ("VVNL", "EXPIRED", 2, Decimal("40.00"), Decimal("40.00")),
        ("VVNL", "NOT TOLD", 1, Decimal("20.00"), Decimal("40.00")),
        ("VVNL", "PAID_TO_SUPPLIER", 1, Decimal("20.00"), Decimal("40.00")),
        ("VVNL", "USED", 1, Decimal("20.00"), Decimal("40.00")),
    ]


def test_time_to_pay_has_exact_ranks_and_leaves_the_impossible_out(shop: Shop) -> None:
    waits = [100, 1, 2, 3, 59, 60, 4, 5, 6, 7]
    orders = [order(number, "2021-01-05", waited=wait) for number, wait in enumerate(waits, 1)]
    orders += [order(20, "2021-01-05", waited=-3), order(21, "2021-01-05", waited=-1, website="VVBE")]
    orders += [order(22, "2021-01-05", waited=None)]
    assert report(shop, "time_to_pay", orders) == [
        ("VVNL", 10, 5, 60, 100, Decimal("80.00"), 1),
        ("VVBE", 0, None, None, None, None, 1),
    ]


def test_cohorts_follow_customers_from_their_first_paid_month(shop: Shop) -> None:
    orders = [
        order(1, "2020-11-05"),
        order(2, "2020-11-06", customer_id=2),
        order(3, "2020-12-07", waited=None),
        order(4, "2021-01-31"),
        order(5, "2021-01-01"),
        order(6, "2021-03-05", customer_id=3),
    ]
    assert report(shop, "cohorts", orders) == [
        (date(2020, 11, 1), 0, 2, Decimal("100.00")),
        (date(2020, 11, 1), 2, 1, Decimal("50.00")),
        (date(2021, 3, 1), 0, 1, Decimal("100.00")),
    ]


@pytest.mark.parametrize("name", REPORTS)
def test_what_lies_ahead_of_the_business_date_is_left_out(shop: Shop, name: str) -> None:
    assert report(shop, name, [order(1, "2021-04-01", voucher_id=1), order(2, "2035-01-01", waited=-9)]) == []


SAID = {
    "orders_by_website": "SELECT website, count(*), count(*) FILTER (payment_status = 'PAID'), "
    "count(DISTINCT customer_id) FROM o GROUP BY 1 ORDER BY 3 DESC, 1",
    "time_to_pay": "SELECT website, count(*), quantile_disc(date_sub('minute', order_date, payment_date), 0.5), "
    "quantile_disc(date_sub('minute', order_date, payment_date), 0.9) "
    "FROM o WHERE payment_date >= order_date GROUP BY 1 ORDER BY 2 DESC, 1",
    "voucher_outcomes": "SELECT website, replace(voucher_status, 'EXPRIED', 'EXPIRED') AS outcome, count(*) "
    "FROM o WHERE voucher_id IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2",
}
COLUMNS = {"orders_by_website": (0, 1, 2, 6), "time_to_pay": (0, 1, 2, 3), "voucher_outcomes": (0, 1, 2)}


@pytest.mark.skipif(not SAMPLE.exists(), reason="the real sample is not here")
@pytest.mark.parametrize("name", SAID)
def test_the_real_sample_s_report_is_what_duckdb_says_of_the_file(shop: Shop, name: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE o AS SELECT * FROM read_csv('{SAMPLE}', nullstr = '') WHERE order_date < '2040-01-01'"  # noqa: S608
        )
        rows = connection.execute("FROM o").to_arrow_table().to_pylist()
        said = connection.execute(SAID[name]).fetchall()
    kinds = {column.name: column_type.parse(column.type).name for column in shop.pipeline.datasets[0].columns}
    for row in rows:
        row |= {name: int(row[name]) for name, kind in kinds.items() if kind == "bigint" and row[name] is not None}
    answered = [row for row in report(shop, name, rows, on="2026-11-20") if row[0] != "all"]
    assert [tuple(row[place] for place in COLUMNS[name]) for row in answered] == said

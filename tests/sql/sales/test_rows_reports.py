"""The reports of sales: the rows that they answer for a day, in their order."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from athena_shop import SQL, Shop
from nightlake.core.report_parameters import read_header

from infra.saved_queries import saved_reports

DAY = "2017-06-12"
PRODUCTS = [
    {"product_id": 10, "department": "GROCERY", "brand": "Private", "product_type": "MILK", "package_size": "1 GA"},
    {"product_id": 11, "department": "GROCERY", "brand": "National", "product_type": "EGGS"},
    {"product_id": 12, "department": "FUEL", "brand": "Private", "product_type": "GASOLINE"},
]
REPORTS = sorted(
    file.stem
    for file in (SQL / "sales" / "reports").glob("*.sql")
    if read_header(file.read_text(encoding="utf-8")).is_nightly
)


def sold(basket: int, product: int, value: str, customer: int = 7, **discounts: str) -> dict[str, Any]:
    row = {"basket_id": basket, "product_id": product, "customer_id": customer, "sales_value": value}
    return row | discounts


def report(shop: Shop, name: str, *, on: str = DAY, **days: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The report's rows once the days are published, each given as `d20170612=[rows of transactions]`."""
    for day, transactions in days.items():
        published = date.fromisoformat(day[1:]).isoformat()
        shop.land(published, transactions=transactions, products=PRODUCTS)
        shop.merge("sales_enriched", published)
    shop.run("view", "daily_revenue", on)
    return [tuple(row.values()) for row in shop.run("report", name, on)]


def test_revenue_by_department_ranks_and_shares_the_day(shop: Shop) -> None:
    rows = report(
        shop,
        "revenue_by_department",
        d20170611=[sold(9, 12, "99.00")],
        d20170612=[sold(1, 10, "2.00"), sold(1, 11, "1.00"), sold(2, 12, "3.00"), sold(3, 99, "1.00")],
    )
    assert rows == [
        (1, "FUEL", Decimal("3.00"), Decimal("42.86"), 1),
        (1, "GROCERY", Decimal("3.00"), Decimal("42.86"), 1),
        (3, "unknown", Decimal("1.00"), Decimal("14.29"), 1),
    ]


def test_revenue_by_department_has_no_share_of_nothing(shop: Shop) -> None:
    rows = report(shop, "revenue_by_department", d20170612=[sold(1, 10, "0.00")])
    assert rows == [(1, "GROCERY", Decimal("0.00"), None, 1)]


def test_top_products_are_ranked_by_revenue(shop: Shop) -> None:
    rows = report(
        shop,
        "top_products",
        d20170611=[sold(9, 99, "99.00")],
        d20170612=[sold(1, 10, "2.00"), sold(2, 10, "1.00"), sold(2, 12, "9.00"), sold(3, 11, "3.00")],
    )
    assert rows == [
        (1, 12, "GASOLINE", "unknown", "FUEL", "Private", Decimal("9.00"), 1),
        (2, 10, "MILK", "1 GA", "GROCERY", "Private", Decimal("3.00"), 2),
        (2, 11, "EGGS", "unknown", "GROCERY", "National", Decimal("3.00"), 1),
    ]


def test_top_products_are_twenty_and_those_level_with_the_last(shop: Shop) -> None:
    values = [*range(100, 81, -1), 50, 50, 49]
    rows = report(shop, "top_products", d20170612=[sold(1, 100 + n, f"{value}.00") for n, value in enumerate(values)])
    assert [row[0] for row in rows] == [*range(1, 21), 20]


def test_returning_customers_bought_in_both_weeks(shop: Shop) -> None:
    rows = report(
        shop,
        "returning_customers",
        d20170529=[sold(1, 10, "1.00", customer=4)],
        d20170530=[sold(1, 10, "1.00", customer=1), sold(2, 10, "1.00", customer=2)],
        d20170605=[sold(3, 10, "1.00", customer=3)],
        d20170606=[sold(4, 10, "1.00", customer=2), sold(5, 10, "1.00", customer=4)],
        d20170612=[sold(6, 10, "1.00", customer=2), sold(7, 10, "1.00", customer=3)],
    )
    assert rows == [(date(2017, 6, 12), 3, 3, 2, Decimal("66.67"), 2, 2)]


def test_returning_customers_of_a_first_week_are_no_share(shop: Shop) -> None:
    rows = report(shop, "returning_customers", d20170612=[sold(1, 10, "1.00")])
    assert rows == [(date(2017, 6, 12), 1, 0, 0, None, 1, 0)]


def test_basket_size_is_distributed_with_exact_medians(shop: Shop) -> None:
    rows = report(
        shop,
        "basket_size",
        d20170611=[sold(9, 10, "99.00")],
        d20170612=[
            sold(1, 10, "1.00"),
            sold(2, 10, "2.01"),
            *[sold(3, product, "3.00") for product in range(5)],
            *[sold(4, product, "4.00") for product in range(6)],
            *[sold(5, product, "1.00") for product in range(21)],
        ],
    )
    assert rows == [
        ("1", 2, Decimal("40.00"), Decimal("3.01"), Decimal("1.51"), Decimal("1.51")),
        ("2-5", 1, Decimal("20.00"), Decimal("15.00"), Decimal("15.00"), Decimal("15.00")),
        ("6-10", 1, Decimal("20.00"), Decimal("24.00"), Decimal("24.00"), Decimal("24.00")),
        ("over 20", 1, Decimal("20.00"), Decimal("21.00"), Decimal("21.00"), Decimal("21.00")),
        ("all", 5, Decimal("100.00"), Decimal("63.01"), Decimal("12.60"), Decimal("15.00")),
    ]


def test_discount_effect_tells_the_stores_part_from_the_manufacturers(shop: Shop) -> None:
    rows = report(
        shop,
        "discount_effect",
        d20170612=[
            sold(1, 10, "10.00"),
            sold(1, 11, "3.00", retail_disc="1.00"),
            sold(2, 10, "4.00", coupon_disc="1.50", coupon_match_disc="0.50"),
            sold(2, 11, "3.00", coupon_disc="1.00", retail_disc="0.50", coupon_match_disc="0.25"),
        ],
    )
    assert rows == [
        ("none", 1, Decimal("10.00"), Decimal("10.00"), Decimal(0), Decimal(0), Decimal(0), Decimal("50.00")),
        ("coupon", 1, Decimal("4.50"), Decimal("4.00"), Decimal("0.50"), Decimal("1.50"), *hundredths(1111, 2000)),
        ("card", 1, Decimal("4.00"), Decimal("3.00"), Decimal("1.00"), Decimal(0), *hundredths(2500, 1500)),
        (
            "card and coupon",
            1,
            *(Decimal("3.75"), Decimal("3.00"), Decimal("0.75"), Decimal("1.00")),
            *hundredths(2000, 1500),
        ),
    ]


def hundredths(*values: int) -> tuple[Decimal, ...]:
    return tuple(Decimal(value) / 100 for value in values)


def test_revenue_trend_averages_the_published_days_of_seven(shop: Shop) -> None:
    rows = report(
        shop,
        "revenue_trend",
        d20170513=[sold(1, 10, "500.00")],
        d20170605=[sold(2, 10, "4.00")],
        d20170606=[sold(3, 10, "1.00")],
        d20170612=[sold(4, 10, "2.00"), sold(5, 10, "3.00")],
        d20170613=[sold(6, 10, "7.00")],
    )
    assert rows == [
        (date(2017, 6, 5), Decimal("4.00"), 1, Decimal("4.00"), 1, None, None),
        (date(2017, 6, 6), Decimal("1.00"), 1, Decimal("2.50"), 2, None, None),
        (date(2017, 6, 12), Decimal("5.00"), 2, Decimal("3.00"), 2, Decimal("4.00"), Decimal("25.00")),
    ]


@pytest.mark.parametrize("name", [name for name in REPORTS if name not in ("returning_customers", "revenue_trend")])
def test_a_day_without_sales_has_no_rows(shop: Shop, name: str) -> None:
    assert report(shop, name, d20170611=[sold(1, 10, "1.00")], d20170612=[]) == []


SOLD = {
    "d20170611": [sold(9, 10, "5.00"), sold(9, 12, "99.00", customer=8)],
    "d20170612": [sold(1, 10, "2.00"), sold(1, 11, "1.00"), sold(2, 12, "3.00", customer=8), sold(3, 99, "1.00")],
}
MILK, EGGS = (10, "MILK", "Private"), (11, "EGGS", "National")


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        (None, [(*MILK, 1, Decimal("2.00")), (*EGGS, 1, Decimal("1.00"))]),
        ({}, [(*MILK, 1, Decimal("2.00")), (*EGGS, 1, Decimal("1.00"))]),
        ({"since": "2017-06-11"}, [(*MILK, 2, Decimal("7.00")), (*EGGS, 1, Decimal("1.00"))]),
        ({"brand": "National"}, [(*EGGS, 1, Decimal("1.00"))]),
        ({"department": "FUEL"}, [(12, "GASOLINE", "Private", 1, Decimal("3.00"))]),
        ({"department": "' OR '' = '"}, []),
        ({"department": "GROCERY' --"}, []),
        ({"department": "\\' OR 1 = 1 --"}, []),
        ({"department": "\u2019 OR \u2019\u2019 = \u2019"}, []),
    ],
)
def test_department_products_are_asked_by_department_brand_and_day(
    shop: Shop, values: dict[str, Any] | None, rows: list[tuple[Any, ...]]
) -> None:
    report(shop, "department_products", **SOLD)
    assert [tuple(row.values()) for row in shop.run("report", "department_products", DAY, values)] == rows


def test_household_baskets_are_those_of_the_household_that_is_named(shop: Shop) -> None:
    report(shop, "top_products", **SOLD)

    def baskets(**values: Any) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in shop.run("report", "household_baskets", DAY, values)]

    monday, sunday = date(2017, 6, 12), date(2017, 6, 11)
    assert baskets(customer_id=7) == [(monday, 1, 2, Decimal("3.00")), (monday, 3, 1, Decimal("1.00"))]
    assert baskets(customer_id=7, least="1.01") == [(monday, 1, 2, Decimal("3.00"))]
    assert baskets(customer_id=8, since="2017-06-11") == [
        (monday, 2, 1, Decimal("3.00")),
        (sunday, 9, 1, Decimal("99.00")),
    ]
    assert baskets(customer_id=10) == []


def test_the_saved_reports_run_as_they_are(shop: Shop) -> None:
    report(shop, "top_products", d20170612=[sold(1, 10, "2.00")])
    for query in saved_reports(shop.pipeline):
        parameters = ("7",) if "?" in query.sql else ()
        assert shop.lake(query.sql, database="served", parameters=parameters).table.num_rows <= 1

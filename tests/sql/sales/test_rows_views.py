"""The views of sales: what they answer over the published days."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from athena_shop import SQL, Shop
from nightlake.adapters.glue import Glue
from nightlake.core.view import is_current

MILK = {"product_id": 10, "manufacturer_id": 1, "department": "GROCERY", "brand": "Private"}


VIEWS = sorted(file.stem for file in (SQL / "sales" / "views").glob("*.sql"))


def sold(basket: int, customer: int, value: str, card: str = "0") -> dict[str, Any]:
    return {
        "basket_id": basket,
        "product_id": basket,
        "customer_id": customer,
        "sales_value": value,
        "retail_disc": card,
    }


def view(shop: Shop, name: str) -> list[dict[str, Any]]:
    """The rows of a view, in the order of their values."""
    shop.run("view", name, "2017-06-12")
    rows: list[dict[str, Any]] = shop.lake(f"TABLE {name}", database="served").table.to_pylist()
    return sorted(rows, key=str)


def test_daily_revenue_is_a_row_for_each_published_day(shop: Shop) -> None:
    shop.land("2017-06-11", transactions=[sold(1, 7, "1.00")])
    shop.land("2017-06-12", transactions=[sold(2, 7, "2.00", "0.50"), sold(3, 7, "3.00"), sold(4, 8, "5.01")])
    for day in ("2017-06-11", "2017-06-12"):
        shop.merge("sales_enriched", day)
    first, second = view(shop, "daily_revenue")
    assert first == {
        "sold_on": date(2017, 6, 11),
        "baskets": 1,
        "customers": 1,
        "revenue": Decimal("1.00"),
        "gross_revenue": Decimal("1.00"),
        "average_basket": Decimal("1.00"),
        "year": "2017",
        "month": "06",
        "day": "11",
    }
    assert second == {
        "sold_on": date(2017, 6, 12),
        "baskets": 3,
        "customers": 2,
        "revenue": Decimal("10.01"),
        "gross_revenue": Decimal("10.51"),
        "average_basket": Decimal("3.34"),
        "year": "2017",
        "month": "06",
        "day": "12",
    }


def test_current_products_are_those_of_the_newest_day(shop: Shop) -> None:
    shop.land("2017-06-30", products=[MILK, MILK | {"product_id": 11}])
    shop.land("2017-07-01", products=[MILK | {"package_size": "1 GA", "product_category": "FLUID MILK"}])
    assert view(shop, "current_products") == [
        {
            "product_id": 10,
            "manufacturer_id": 1,
            "department": "GROCERY",
            "brand": "Private",
            "product_category": "FLUID MILK",
            "product_type": "unknown",
            "package_size": "1 GA",
            "delivered_on": date(2017, 7, 1),
        }
    ]


def test_customer_activity_is_a_row_for_each_household(shop: Shop) -> None:
    shop.land("2017-06-11", transactions=[sold(1, 7, "1.00"), sold(2, 8, "4.00")])
    shop.land("2017-06-12", transactions=[sold(3, 7, "2.50")], customers=[{"customer_id": 7}])
    for day in ("2017-06-11", "2017-06-12"):
        shop.merge("sales_enriched", day)
    assert view(shop, "customer_activity") == [
        {
            "customer_id": 7,
            "is_known_customer": True,
            "first_bought_on": date(2017, 6, 11),
            "last_bought_on": date(2017, 6, 12),
            "baskets": 2,
            "revenue": Decimal("3.50"),
        },
        {
            "customer_id": 8,
            "is_known_customer": False,
            "first_bought_on": date(2017, 6, 11),
            "last_bought_on": date(2017, 6, 11),
            "baskets": 1,
            "revenue": Decimal("4.00"),
        },
    ]


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_that_was_created_needs_no_second_time(shop: Shop, name: str) -> None:
    shop.land("2017-06-12")
    shop.merge("sales_enriched", "2017-06-12")
    shop.run("view", name, "2017-06-12")
    statement = shop.statement("view", name, "2017-06-13").query
    assert is_current(Glue(shop.lake.glue), "served", name, statement)

"""The audits of sales_enriched: silent over a sound merge, each loud over what it is there for."""

from decimal import Decimal
from typing import Any

import pytest
from athena_shop import SQL, Shop

DAY = "2017-06-12"
AUDITS = sorted(file.stem for file in (SQL / "sales" / "audits").glob("*.sql"))
MILK = {"product_id": 10, "department": "GROCERY", "brand": "Private"}


def sold(basket: int, product: int = 10, value: str = "2.50") -> dict[str, Any]:
    return {"basket_id": basket, "product_id": product, "customer_id": 7, "sales_value": value}


@pytest.mark.parametrize("name", AUDITS)
def test_a_sound_merge_passes(shop: Shop, name: str) -> None:
    shop.land("2017-06-11", transactions=[sold(9)])
    shop.land(DAY, transactions=[sold(1), sold(2)], products=[MILK])
    shop.merge("sales_enriched", DAY)
    assert shop.run("audit", name, DAY) == []


@pytest.mark.parametrize("name", AUDITS)
def test_a_day_without_sales_passes(shop: Shop, name: str) -> None:
    shop.land(DAY)
    shop.merge("sales_enriched", DAY)
    assert shop.run("audit", name, DAY) == []


def test_sales_enriched_rows_names_what_is_lost_or_doubled(shop: Shop) -> None:
    shop.land(DAY, transactions=[sold(1), sold(2, product=11)], products=[MILK, MILK])
    shop.merge("sales_enriched", DAY)
    shop.land(DAY, transactions=[sold(1), sold(2, product=11), sold(3)])
    found = shop.run("audit", "sales_enriched_rows", DAY)
    assert sorted(found, key=str) == [
        {"basket_id": 1, "product_id": 10, "surplus": 1},
        {"basket_id": 3, "product_id": 10, "surplus": -1},
    ]


def test_sales_enriched_totals_sees_a_cent(shop: Shop) -> None:
    shop.land(DAY, transactions=[sold(1), sold(2)])
    shop.merge("sales_enriched", DAY)
    shop.land(DAY, transactions=[sold(1), sold(2, value="2.51")])
    expected = [{"revenue": Decimal("5.00"), "expected": Decimal("5.01")}]
    assert shop.run("audit", "sales_enriched_totals", DAY) == expected


def test_sales_enriched_totals_sees_that_all_is_gone(shop: Shop) -> None:
    shop.land(DAY)
    shop.merge("sales_enriched", DAY)
    shop.land(DAY, transactions=[sold(1)])
    expected = [{"revenue": None, "expected": Decimal("2.50")}]
    assert shop.run("audit", "sales_enriched_totals", DAY) == expected


def test_sales_enriched_keys_names_a_product_described_twice(shop: Shop) -> None:
    shop.land(DAY, transactions=[sold(1), sold(2, product=11)], products=[MILK, MILK | {"brand": "National"}])
    shop.merge("sales_enriched", DAY)
    assert shop.run("audit", "sales_enriched_keys", DAY) == [{"basket_id": 1, "product_id": 10, "copies": 2}]


@pytest.mark.parametrize(("known", "answer"), [(9, []), (8, [{"sold": 9, "unknown": 1}])])
def test_sales_enriched_products_allows_one_unknown_row_in_ten(
    shop: Shop, known: int, answer: list[dict[str, int]]
) -> None:
    rows = [sold(basket) for basket in range(known)]
    shop.land(DAY, transactions=[*rows, sold(100, product=11)], products=[MILK])
    shop.merge("sales_enriched", DAY)
    assert shop.run("audit", "sales_enriched_products", DAY) == answer

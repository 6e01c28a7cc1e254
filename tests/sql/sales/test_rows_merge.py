"""The merge of sales: each row of transactions once, with what is known of it, for the run's day alone."""

from datetime import datetime
from decimal import Decimal

from athena_shop import Shop

MILK = {"product_id": 10, "department": "GROCERY", "brand": "Private", "product_category": "MILK"}
HOUSEHOLD = {
    "customer_id": 7,
    "age": "45-54",
    "household_size": "2",
    "household_comp": "2 Adults No Kids",
    "kids_count": "0",
}
SOLD = {
    "basket_id": 1,
    "product_id": 10,
    "customer_id": 7,
    "store_id": 3,
    "quantity": 2,
    "sales_value": "2.50",
    "retail_disc": "0.49",
    "coupon_disc": "0.40",
    "coupon_match_disc": "0.10",
    "week": 24,
    "sold_at": datetime(2017, 6, 12, 9, 30),  # noqa: DTZ001 (UTC, as stored)
    "_run_id": "r1",
    "_source": "s3://raw/a.csv",
    "_position": 2,
}


def test_sales_enriched_adds_what_is_known_of_product_and_customer(shop: Shop) -> None:
    shop.land("2017-06-12", transactions=[SOLD], products=[MILK], customers=[HOUSEHOLD])
    (row,) = shop.merge("sales_enriched", "2017-06-12")
    assert row == {
        "basket_id": 1,
        "product_id": 10,
        "customer_id": 7,
        "store_id": 3,
        "sold_at": SOLD["sold_at"],
        "week": 24,
        "department": "GROCERY",
        "product_category": "MILK",
        "product_type": "unknown",
        "brand": "Private",
        "is_known_product": True,
        "customer_age": "45-54",
        "household_size": "2",
        "household_comp": "2 Adults No Kids",
        "kids_count": "0",
        "is_known_customer": True,
        "quantity": 2,
        "sales_value": Decimal("2.50"),
        "gross_value": Decimal("3.09"),
        "retail_disc": Decimal("0.49"),
        "coupon_disc": Decimal("0.40"),
        "coupon_match_disc": Decimal("0.10"),
        "_run_id": "r1",
        "_loaded_at": None,
        "_source": "s3://raw/a.csv",
        "_position": 2,
        "year": "2017",
        "month": "06",
        "day": "12",
    }


def test_sales_enriched_keeps_rows_of_unknown_products_and_customers(shop: Shop) -> None:
    shop.land("2017-06-12", transactions=[SOLD | {"product_id": 99, "customer_id": 98}], products=[MILK])
    (row,) = shop.merge("sales_enriched", "2017-06-12")
    assert (row["is_known_product"], row["is_known_customer"]) == (False, False)
    assert (row["department"], row["brand"], row["customer_age"]) == ("unknown", "unknown", "unknown")
    assert row["sales_value"] == Decimal("2.50")


def test_sales_enriched_is_of_the_runs_day_on_all_sides(shop: Shop) -> None:
    shop.land("2017-06-11", transactions=[SOLD | {"basket_id": 2}], products=[MILK], customers=[HOUSEHOLD])
    shop.land("2017-06-12", transactions=[SOLD], products=[MILK | {"department": "DAIRY"}])
    (row,) = shop.merge("sales_enriched", "2017-06-12")
    assert (row["basket_id"], row["department"], row["is_known_customer"]) == (1, "DAIRY", False)


def test_sales_enriched_is_snappy_parquet_by_day_without_private_columns(shop: Shop) -> None:
    shop.land("2017-06-12", transactions=[SOLD], products=[MILK], customers=[HOUSEHOLD])
    shop.merge("sales_enriched", "2017-06-12")
    (attempt,) = shop.attempts
    files = shop.lake.files(f"s3://lake/{attempt.location}")
    assert [file.rsplit("/", 1)[0] for file in files] == [f"s3://lake/{attempt.location}year=2017/month=06/day=12"]
    made = shop.lake.glue.get_table(DatabaseName="staging", Name=attempt.table)["Table"]
    types = {column["Name"]: column["Type"] for column in made["StorageDescriptor"]["Columns"]}
    assert (types["sales_value"], types["gross_value"], types["department"]) == (
        "decimal(12,2)",
        "decimal(14,2)",
        "string",
    )
    assert not {"income", "marital_status"} & types.keys()
    assert made["Parameters"]["parquet.compression"] == "SNAPPY"

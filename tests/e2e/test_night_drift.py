"""A day brings a field that no contract declares, the next one does not: Athena and the API read all the days."""

import json
import ssl
import urllib.request
from datetime import date
from typing import Any

import pytest

from local.aws import Endpoint

pytestmark = pytest.mark.e2e

DAYS = [date(2017, 9, 4), date(2017, 9, 5), date(2017, 9, 6)]
WRITTEN = '{"grade": 1.50, "by": ["EU"]}'


def test_a_column_that_one_day_brought_is_read_in_all_days(
    nightlake: Any, cloud: Endpoint, outputs: dict[str, str], api_key: str
) -> None:
    def told(*arguments: str) -> Any:
        done = nightlake(*arguments, "--json")
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout)

    told("seed", "sales", "--from", DAYS[0].isoformat(), "--days", "3")
    s3, bucket = cloud.client("s3"), outputs["RawBucket"]
    (landed,) = s3.list_objects_v2(Bucket=bucket, Prefix=f"sales/products/{DAYS[1]:%Y/%m/%d}/")["Contents"]
    products = json.loads(s3.get_object(Bucket=bucket, Key=landed["Key"])["Body"].read())
    text = json.dumps([{**product, "Eco Label": "here"} for product in products]).replace('"here"', WRITTEN)
    s3.put_object(Bucket=bucket, Key=landed["Key"], Body=text.encode())

    nights = [told("run", "sales", "--date", day.isoformat()) for day in DAYS]
    warned = [
        {each["rule"] for source in night["sources"] if source["dataset"] == "products" for each in source["warnings"]}
        for night in nights
    ]
    assert ["products.extra_columns" in rules for rules in warned] == [False, True, False]

    days = ", ".join(f"'{day:%d}'" for day in DAYS)
    counted = "SELECT day, count(*), count(eco_label), max(eco_label) FROM products"
    where = f"WHERE year = '2017' AND month = '09' AND day IN ({days}) GROUP BY day ORDER BY day"
    many = len(products)
    found = told("query", f"{counted} {where}")["rows"]
    assert found == [["04", many, 0, None], ["05", many, many, WRITTEN], ["06", many, 0, None]]

    api, context = nights[-1]["api"], ssl.create_default_context(cafile=str(cloud.ca_bundle))

    def ask(path: str) -> Any:
        url = f"{api['url']}/v1/datasets/products{path}"
        request = urllib.request.Request(url, headers={"x-api-key": api_key})  # noqa: S310
        with urllib.request.urlopen(request, context=context) as reply:  # noqa: S310
            return json.load(reply)

    assert [column["name"] for column in ask("")["columns"] if column["drift"]] == ["eco_label"]
    for day, value in zip(DAYS, (None, WRITTEN, None), strict=True):
        assert ask(f"/rows?date={day}&select=eco_label&limit=1")["rows"] == [{"eco_label": value}]

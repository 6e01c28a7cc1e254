"""The Athena API's own rules: states, locations, tokens, quotas, reuse and pages, over a runner that obeys its text."""

import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.athena import service, types
from local.athena.errors import ColumnNotFoundError, NotSupportedError, QuerySyntaxError
from local.athena.execution import Result, Statement
from local.athena.service import Athena, RequestError, Stores
from local.athena.session import QueryCancelledError, ScanLimitError, Session

OUT: dict[str, Any] = {"OutputLocation": "s3://results/mine"}
Call = Callable[..., dict[str, Any]]


class Obedient:
    """A runner whose statements say what becomes of them: `rows 3`, `fail`, `wait`, `scan 100`, `ddl`, `insert 7`."""

    catalog: Any = None

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.running = threading.Semaphore(0)
        self.go_on = threading.Event()

    def parse(self, sql: str, session: Session) -> Statement:  # noqa: ARG002 (the protocol has it)
        if sql.startswith("SELEC "):
            raise QuerySyntaxError("mismatched input 'SELEC'", (1, 1))
        if sql == "unknown":
            raise NotSupportedError("GRANT")
        verb, _, count = sql.partition(" ")
        kinds = {"ddl": ("DDL", "SHOW_TABLES"), "insert": ("DML", "INSERT"), "ctas": ("DDL", "CREATE_TABLE_AS_SELECT")}
        kind, substatement = kinds.get(verb, ("DML", "SELECT"))
        return Statement(kind, substatement, (verb, int(count or 0)))  # type: ignore[arg-type]

    def run(self, statement: Statement, session: Session, csv: Path | None = None) -> Result:
        self.sessions.append(session)
        verb, count = statement.tree
        if verb == "fail":
            raise ColumnNotFoundError("Column 'x' cannot be resolved", (1, 8))
        if verb == "break":
            raise ZeroDivisionError("a defect")
        if verb == "scan" and count > (session.scan_limit or count):
            error = ScanLimitError()
            error.scanned_bytes = count
            raise error
        if verb == "wait":
            stopped = threading.Event()
            session.cancellation.attach(stopped.set)
            self.running.release()
            while not self.go_on.is_set():
                if stopped.wait(0.01):
                    raise QueryCancelledError
        if verb == "ddl":
            return Result([("tab_name", types.VARCHAR)], lines=["days", "sales"])
        if verb in ("insert", "ctas"):
            return Result([("rows", types.BIGINT)], manifest="s3://results/m.csv", update_count=count)
        assert csv is not None
        csv.write_text('"n"\n' + "".join(f'"{number}"\n' for number in range(count)))
        return Result([("n", types.INTEGER)], row_count=count, scanned_bytes=10 * count)


@pytest.fixture
def runner() -> Obedient:
    return Obedient()


@pytest.fixture
def stores() -> Stores:
    primary = {"Name": "primary", "State": "ENABLED", "Configuration": {}}
    return Stores({}, {"primary": primary}, {})


@pytest.fixture
def ended() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def athena(
    runner: Obedient, stores: Stores, ended: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Athena]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="results")
        served = Athena(stores, lambda: runner, lambda: s3, ended.append)
        yield served
        runner.go_on.set()
        served.close()


@pytest.fixture
def start(athena: Athena) -> Callable[..., str]:
    def run(sql: str, **request: Any) -> str:
        answer = athena.call("StartQueryExecution", {"QueryString": sql, "ResultConfiguration": OUT} | request)
        return str(answer["QueryExecutionId"])

    return run


@pytest.fixture
def finish(athena: Athena, start: Callable[..., str]) -> Call:
    """Start a query, wait for its end, give its execution."""

    def run(sql: str, **request: Any) -> dict[str, Any]:
        return wait(athena, start(sql, **request))

    return run


def wait(athena: Athena, identifier: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        execution: dict[str, Any] = athena.call("GetQueryExecution", {"QueryExecutionId": identifier})["QueryExecution"]
        if execution["Status"]["State"] in service.FINAL:
            return execution
        time.sleep(0.01)
    raise AssertionError(execution)


def results_of(athena: Athena, execution: dict[str, Any], **request: Any) -> dict[str, Any]:
    return athena.call("GetQueryResults", {"QueryExecutionId": execution["QueryExecutionId"]} | request)


def texts(answer: dict[str, Any]) -> list[str | None]:
    return [row["Data"][0].get("VarCharValue") for row in answer["ResultSet"]["Rows"]]


def test_a_query_succeeds_and_its_result_lies_where_the_caller_said(athena: Athena, finish: Call) -> None:
    execution = finish("rows 2")

    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["Status"]["CompletionDateTime"] >= execution["Status"]["SubmissionDateTime"]
    assert execution["StatementType"] == "DML"
    assert execution["SubstatementType"] == "SELECT"
    assert execution["Statistics"]["DataScannedInBytes"] == 20
    assert (
        execution["ResultConfiguration"]["OutputLocation"] == f"s3://results/mine/{execution['QueryExecutionId']}.csv"
    )
    assert texts(results_of(athena, execution)) == ["n", "0", "1"]
    assert not any(name.startswith("_") for name in execution)


def test_results_come_in_pages_the_header_once(athena: Athena, finish: Call) -> None:
    execution = finish("rows 5")
    pages, token = [], {}

    while True:
        answer = results_of(athena, execution, MaxResults=2, **token)
        pages.append(texts(answer))
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}

    assert pages == [["n", "0"], ["1", "2"], ["3", "4"]]


def test_text_results_have_no_header(athena: Athena, finish: Call) -> None:
    execution = finish("ddl")

    assert execution["ResultConfiguration"]["OutputLocation"].endswith(".txt")
    assert texts(results_of(athena, execution)) == ["days", "sales"]


@pytest.mark.parametrize(("sql", "folder"), [("insert 7", ""), ("ctas 7", "tables/")])
def test_a_writing_statement_gives_a_manifest_and_a_count(athena: Athena, finish: Call, sql: str, folder: str) -> None:
    execution = finish(sql)
    answer = results_of(athena, execution)

    where = f"s3://results/mine/{folder}{execution['QueryExecutionId']}"
    assert execution["ResultConfiguration"]["OutputLocation"] == where
    assert execution["Statistics"]["DataManifestLocation"] == "s3://results/m.csv"
    assert (answer["UpdateCount"], answer["ResultSet"]["Rows"]) == (7, [])


def test_a_failed_query_says_why_as_athena_does(athena: Athena, finish: Call) -> None:
    execution = finish("fail")

    why = "COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved"
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["StateChangeReason"] == why
    error = execution["Status"]["AthenaError"]
    assert (error["ErrorCategory"], error["Retryable"], error["ErrorMessage"]) == (2, False, why)
    with pytest.raises(RequestError, match=r"did not finish successfully. Final query state: FAILED"):
        results_of(athena, execution)


def test_a_defect_of_the_engine_fails_the_query_as_the_systems_fault(finish: Call) -> None:
    execution = finish("break")

    assert execution["Status"]["AthenaError"]["ErrorCategory"] == 1
    assert "GENERIC_INTERNAL_ERROR: ZeroDivisionError: a defect" in execution["Status"]["StateChangeReason"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"QueryString": "SELEC 1"}, r"^line 1:1: mismatched input 'SELEC'"),
        ({"QueryString": "unknown"}, "NOT_SUPPORTED: GRANT"),
        ({"QueryString": "  "}, "must not be empty"),
        ({"QueryString": "rows 1" + " " * 262_144}, "longer than 262144 bytes"),
        ({"QueryString": "rows 1", "ResultConfiguration": {}}, "No output location provided"),
        ({"QueryString": "rows 1", "ResultConfiguration": {"OutputLocation": "results/"}}, "not a valid S3 path"),
        (
            {
                "QueryString": "rows 1",
                "ResultConfiguration": {**OUT, "EncryptionConfiguration": {"EncryptionOption": "CSE_KMS"}},
            },
            "use SSE_KMS",
        ),
        ({"QueryString": "rows 1", "WorkGroup": "nobody"}, "WorkGroup nobody is not found"),
        ({"QueryString": "rows 1", "ClientRequestToken": "short"}, "at least 32"),
    ],
)
def test_what_the_api_refuses(athena: Athena, request_: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        athena.call("StartQueryExecution", {"ResultConfiguration": OUT} | request_)

    assert caught.value.code == "InvalidRequestException"


@pytest.mark.parametrize(("enforce", "folder"), [({"EnforceWorkGroupConfiguration": False}, "mine"), ({}, "theirs")])
def test_a_workgroup_enforces_its_location_unless_it_says_otherwise(
    stores: Stores, runner: Obedient, finish: Call, enforce: dict[str, bool], folder: str
) -> None:
    theirs = {
        "OutputLocation": "s3://results/theirs/",
        "EncryptionConfiguration": {
            "EncryptionOption": "SSE_KMS",
            "KmsKey": "arn:aws:kms:us-east-1:000000000000:key/k",
        },
    }
    stores.workgroups["team"] = {"Name": "team", "Configuration": {"ResultConfiguration": theirs} | enforce}

    execution = finish("rows 1", WorkGroup="team")

    assert execution["ResultConfiguration"]["OutputLocation"].startswith(f"s3://results/{folder}/")
    assert execution["ResultConfiguration"]["EncryptionConfiguration"] == theirs["EncryptionConfiguration"]
    assert runner.sessions[0].enforced == (not enforce)


def test_a_workgroup_is_shown_with_the_values_it_has_unasked(athena: Athena, stores: Stores) -> None:
    stores.workgroups["team"] = {"Name": "team", "Configuration": {"BytesScannedCutoffPerQuery": 10_000_000}}

    shown = {
        name: athena.call("GetWorkGroup", {"WorkGroup": name})["WorkGroup"]["Configuration"]
        for name in ("team", "primary")
    }

    assert shown["team"]["BytesScannedCutoffPerQuery"] == 10_000_000
    assert [each["EnforceWorkGroupConfiguration"] for each in shown.values()] == [True, False]


def test_a_workgroups_cutoff_cancels_the_query(stores: Stores, finish: Call) -> None:
    stores.workgroups["primary"]["Configuration"]["BytesScannedCutoffPerQuery"] = 10_000_000

    execution = finish("scan 20000000")

    assert execution["Status"]["State"] == "CANCELLED"
    assert execution["Status"]["StateChangeReason"] == "Bytes scanned limit was exceeded"
    assert execution["Statistics"]["DataScannedInBytes"] == 20_000_000


def test_a_running_query_is_stopped(athena: Athena, runner: Obedient, start: Callable[..., str]) -> None:
    identifier = start("wait")
    assert runner.running.acquire(timeout=30)
    with pytest.raises(RequestError, match=r"Query has not yet finished. Current state: RUNNING"):
        athena.call("GetQueryResults", {"QueryExecutionId": identifier})

    athena.call("StopQueryExecution", {"QueryExecutionId": identifier})

    status = wait(athena, identifier)["Status"]
    assert (status["State"], status["StateChangeReason"]) == ("CANCELLED", "Query was cancelled by user")


def test_eight_queries_run_at_once_and_the_ninth_waits(
    athena: Athena, runner: Obedient, start: Callable[..., str]
) -> None:
    identifiers = [start("wait") for _ in range(9)]
    for _ in range(8):
        assert runner.running.acquire(timeout=30)

    found = athena.call("BatchGetQueryExecution", {"QueryExecutionIds": [*identifiers, "none"]})
    states = sorted(execution["Status"]["State"] for execution in found["QueryExecutions"])
    athena.call("StopQueryExecution", {"QueryExecutionId": identifiers[-1]})
    runner.go_on.set()

    assert states == ["QUEUED", *["RUNNING"] * 8]
    assert [missing["QueryExecutionId"] for missing in found["UnprocessedQueryExecutionIds"]] == ["none"]
    ends = [wait(athena, identifier)["Status"]["State"] for identifier in identifiers]
    assert ends == [*["SUCCEEDED"] * 8, "CANCELLED"]


def test_the_accounts_quota_is_kept(
    monkeypatch: pytest.MonkeyPatch, runner: Obedient, start: Callable[..., str]
) -> None:
    monkeypatch.setitem(service.QUOTAS, "DML", 2)
    start("wait")
    start("wait")

    with pytest.raises(RequestError, match="exceeded the limit for the number of queries") as caught:
        start("wait")

    assert caught.value.code == "TooManyRequestsException"
    assert caught.value.extra == {"Reason": "CONCURRENT_QUERY_LIMIT_EXCEEDED"}


def test_the_same_token_is_the_same_query(runner: Obedient, finish: Call, start: Callable[..., str]) -> None:
    token = "t" * 32
    execution = finish("rows 1", ClientRequestToken=token)

    assert start("rows 1", ClientRequestToken=token) == execution["QueryExecutionId"]
    assert len(runner.sessions) == 1
    with pytest.raises(RequestError, match="Idempotent parameters do not match"):
        start("rows 2", ClientRequestToken=token)


def test_a_result_is_reused_while_it_is_young_and_there(athena: Athena, runner: Obedient, finish: Call) -> None:
    reuse = {"ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 60}}}
    first = finish("rows 2")

    again = finish("rows 2", **reuse)
    other = finish("rows 2", QueryExecutionContext={"Database": "other"}, **reuse)
    boto3.client("s3", region_name="us-east-1").delete_object(
        Bucket="results", Key=f"mine/{other['QueryExecutionId']}.csv"
    )
    gone = finish("rows 2", QueryExecutionContext={"Database": "other"}, **reuse)

    told = [
        execution["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"]
        for execution in (first, again, other, gone)
    ]
    assert told == [False, True, False, False]
    assert (again["Statistics"]["DataScannedInBytes"], len(runner.sessions)) == (0, 3)
    assert texts(results_of(athena, again)) == ["n", "0", "1"]


def test_a_query_that_ran_when_the_local_aws_ended_has_failed(
    athena: Athena, stores: Stores, runner: Obedient, start: Callable[..., str]
) -> None:
    identifier = start("wait")
    assert runner.running.acquire(timeout=30)
    restarted = Athena(stores, lambda: runner, lambda: None, print)

    status = restarted.call("GetQueryExecution", {"QueryExecutionId": identifier})["QueryExecution"]["Status"]

    restarted.close()
    assert (status["State"], "was stopped while the query ran" in status["StateChangeReason"]) == ("FAILED", True)


def test_executions_are_listed_newest_first_by_pages(athena: Athena, finish: Call) -> None:
    made = [finish("rows 1")["QueryExecutionId"] for _ in range(3)]

    first = athena.call("ListQueryExecutions", {"MaxResults": 2})
    second = athena.call("ListQueryExecutions", {"MaxResults": 2, "NextToken": first["NextToken"]})

    assert first["QueryExecutionIds"] + second["QueryExecutionIds"] == made[::-1]
    assert "NextToken" not in second


def test_whoever_wants_to_know_is_told_of_every_end(finish: Call, ended: list[dict[str, Any]]) -> None:
    finish("rows 1")
    finish("fail")

    assert [record["Status"]["State"] for record in ended] == ["SUCCEEDED", "FAILED"]


def test_run_time_statistics_are_those_of_the_execution(athena: Athena, finish: Call) -> None:
    execution = finish("rows 3")

    found = athena.call("GetQueryRuntimeStatistics", {"QueryExecutionId": execution["QueryExecutionId"]})

    rows = found["QueryRuntimeStatistics"]["Rows"]
    assert rows == {"InputBytes": 30, "OutputBytes": len('"n"\n"0"\n"1"\n"2"\n'), "OutputRows": 3}
    timeline = found["QueryRuntimeStatistics"]["Timeline"]
    assert timeline["TotalExecutionTimeInMillis"] == execution["Statistics"]["TotalExecutionTimeInMillis"]


def test_a_prepared_statements_life(athena: Athena, runner: Obedient, finish: Call) -> None:
    name = {"StatementName": "Daily", "WorkGroup": "primary"}
    athena.call("CreatePreparedStatement", {**name, "QueryStatement": "SELECT 1"})
    with pytest.raises(RequestError, match="already exists"):
        athena.call("CreatePreparedStatement", {**name, "QueryStatement": "SELECT 1"})

    athena.call("UpdatePreparedStatement", {**name, "QueryStatement": "SELECT 2"})
    finish("rows 1")

    assert runner.sessions[0].prepared == {"daily": "SELECT 2"}
    assert athena.call("GetPreparedStatement", name)["PreparedStatement"]["QueryStatement"] == "SELECT 2"
    listed = athena.call("ListPreparedStatements", {"WorkGroup": "primary"})["PreparedStatements"]
    assert [statement["StatementName"] for statement in listed] == ["Daily"]
    athena.call("DeletePreparedStatement", name)
    with pytest.raises(RequestError, match="was not found") as caught:
        athena.call("GetPreparedStatement", name)
    assert caught.value.code == "ResourceNotFoundException"


def test_what_a_session_prepares_the_api_shows(athena: Athena, runner: Obedient, finish: Call) -> None:
    finish("rows 1")
    prepared = runner.sessions[0].prepared
    assert isinstance(prepared, MutableMapping)

    prepared["Weekly"] = "SELECT 7"

    shown = athena.call("GetPreparedStatement", {"StatementName": "Weekly", "WorkGroup": "primary"})
    assert shown["PreparedStatement"]["QueryStatement"] == "SELECT 7"
    assert prepared["weekly"] == "SELECT 7"
    del prepared["weekly"]
    assert athena.call("ListPreparedStatements", {"WorkGroup": "primary"})["PreparedStatements"] == []


def test_a_page_is_of_the_results_that_its_token_was_given_for(athena: Athena, finish: Call) -> None:
    one, other = finish("rows 3"), finish("rows 3")
    token = results_of(athena, one, MaxResults=1)["NextToken"]
    for wrong in (token, "4", f"{other['QueryExecutionId']}:999999"):
        with pytest.raises(RequestError, match="Invalid NextToken"):
            results_of(athena, other, NextToken=wrong)


def test_a_workgroup_is_updated_member_by_member(athena: Athena) -> None:
    changes: dict[str, Any] = {
        "BytesScannedCutoffPerQuery": 10_000_000,
        "ResultConfigurationUpdates": {"OutputLocation": "s3://results/a/", "AclConfiguration": {"S3AclOption": "x"}},
    }
    athena.call("UpdateWorkGroup", {"WorkGroup": "primary", "ConfigurationUpdates": changes})
    changes = {
        "RemoveBytesScannedCutoffPerQuery": True,
        "ResultConfigurationUpdates": {"RemoveOutputLocation": True},
    }
    athena.call("UpdateWorkGroup", {"WorkGroup": "primary", "ConfigurationUpdates": changes, "Description": "d"})

    found = athena.call("GetWorkGroup", {"WorkGroup": "primary"})["WorkGroup"]

    assert found["Description"] == "d"
    assert "BytesScannedCutoffPerQuery" not in found["Configuration"]
    assert found["Configuration"]["ResultConfiguration"] == {"AclConfiguration": {"S3AclOption": "x"}}
    with pytest.raises(RequestError, match="WorkGroup nope is not found"):
        athena.call("UpdateWorkGroup", {"WorkGroup": "nope"})


def test_results_are_not_reused_after_more_than_a_week(start: Callable[..., str]) -> None:
    reuse = {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 10_081}}
    with pytest.raises(RequestError, match="MaxAgeInMinutes"):
        start("rows 1", ResultReuseConfiguration=reuse)


def test_a_bucket_for_results_has_to_be_there(start: Callable[..., str]) -> None:
    with pytest.raises(RequestError, match="Unable to verify/create output bucket nowhere"):
        start("rows 1", ResultConfiguration={"OutputLocation": "s3://nowhere/x/"})

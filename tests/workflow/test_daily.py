"""The daily state machine as moto's interpreter runs it: what a night does, in which order, and how it ends."""

import json
from typing import Any

import boto3
import pytest
from moto.glue.exceptions import TableNotFoundException
from moto.glue.models import GlueBackend
from nightlake.core import layout
from nightlake.core.table import empty_location, table_input, tables

SERVED, STAGING, QUARANTINE = "nightlake_test", "nightlake_test_staging", "nightlake_test_quarantine"
TRIGGER = {"scheduled_time": "2026-11-21T03:00:00Z"}


def test_a_night_creates_every_table_of_the_contract_in_each_database(night: Any) -> None:
    ended = night.run(**TRIGGER)
    assert (ended.status, ended.error) == ("SUCCEEDED", None)
    expected = {
        table.name: table_input(table, empty_location("nightlake-test-lake", night.pipeline, table))
        for dataset in night.pipeline.datasets
        for table in tables(dataset)
    }
    for database in (SERVED, STAGING):
        created = night.tables(database)
        assert created.keys() == expected.keys()
        for name, table in expected.items():
            assert {key: created[name][key] for key in table} == table
    assert night.tables(QUARANTINE).keys() == {night.pipeline.name}
    assert night.alerts() == []


def test_a_night_knows_its_day_and_run(night: Any) -> None:
    run = night.run(**TRIGGER).output
    assert (run["pipeline"], run["date"]) == ("sales", "2026-11-20")
    assert (run["year"], run["month"], run["day"]) == ("2026", "11", "20")
    assert run["contract_hash"] == night.pipeline.contract_hash


def test_a_night_goes_through_its_states_in_order(night: Any) -> None:
    states = night.run(**TRIGGER).states
    outermost = [
        *("Begin", "Prepare", "IsDuplicate", "EnsureTables", "IngestSources", "AreAllSourcesGood", "Seal"),
        *("CheckAcross", "AuditAcross", "Merge", "AuditMerges", "Publish", "CreateViews"),
        *("BuildReports", "Complete", "Succeeded"),
    ]
    assert [state for state in states if state in outermost] == outermost


def test_each_task_is_told_what_its_handler_asks_for(night: Any) -> None:
    run = night.run(**TRIGGER).output
    known = {key: run[key] for key in ("pipeline", "date", "run_id")}
    names = [source.dataset for source in night.pipeline.sources]
    (merge,) = night.pipeline.merge
    expected = {
        "plan": [{**known, "dataset": name, "attempt": 1, "previous": None} for name in names],
        "convert": [{"shard": {"index": index}, "run_id": run["run_id"]} for _ in names for index in (0, 1)],
        "validate": [{**known, "dataset": name, "attempt": 1} for name in names],
        "seal": [{**known, "validations": [f"verdict/{name}" for name in names]}],
        "statement": [
            *({**known, "kind": "across", "part": {"part": part, "parts": 2}} for part in (0, 1)),
            *({**known, "kind": kind, "name": merge} for kind in ("merge", "audit")),
            *({**known, "kind": "view", "name": name} for name in run["views"]),
            *({**known, "kind": "report", "name": name} for name in run["reports"]),
        ],
        "audit_across": [{**known, "query_ids": ["id of across None"] * 2}],
        "audit_merge": [{**known, "merge": merge, "query_id": f"id of audit {merge}"}],
        "publish": [{**known, "contract_hash": run["contract_hash"]}],
        "report": [
            {**known, "name": name, "snapshot": 7, "query_id": f"id of report {name}"} for name in run["reports"]
        ],
        "complete": [{**known, "outcome": "succeeded"}],
    }
    for function, events in expected.items():
        keys = {key for event in events for key in event}
        told = [{key: event[key] for key in event if key in keys} for event in night.function.events(function)]
        assert sorted(told, key=_text) == sorted(events, key=_text), function
    (audited,) = night.function.events("audit_merge")
    (made,) = [event for event in night.function.events("athena") if event["QueryString"] == f"merge {merge}"]
    assert made["WorkGroup"] == "nightlake-test-pipeline"
    assert audited["table"].startswith(f"{merge}__")
    assert audited["location"] == "staging/somewhere/"


def _text(event: dict[str, Any]) -> str:
    return json.dumps(event, sort_keys=True)


def test_the_end_is_written_down_and_the_locks_are_free(night: Any) -> None:
    run = night.run(**TRIGGER).output
    (record,) = night.objects(layout.record(run["pipeline"], run["run_id"])).values()
    assert (record["outcome"], record["error"]) == ("succeeded", None)
    assert [report["name"] for report in record["reports"]] == run["reports"]
    assert night.held_locks() == []


def test_what_is_published_is_announced_once_and_a_night_that_fails_is_not(night: Any) -> None:
    sqs, events = boto3.client("sqs"), boto3.client("events")
    queue = sqs.create_queue(QueueName="announced")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["nightlake"], "detail-type": ["Night Succeeded"], "detail": {"pipeline": ["sales"]}}
    events.put_rule(Name="night", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="night", Targets=[{"Id": "queue", "Arn": arn}])
    night.function.fail("seal", "SomethingBroke", times=1)
    assert night.run(**TRIGGER).status == "FAILED"
    run = night.run(**TRIGGER).output
    night.run(**TRIGGER)  # the second delivery
    (message,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    known = {key: run[key] for key in ("pipeline", "date", "run_id")}
    # Nothing is published here, so no day is the newest one.
    told = {"stage": "test", **known, "snapshot": 7, "newest": False, "backfill": False}
    assert json.loads(message["Body"])["detail"] == told


def test_the_second_delivery_of_a_firing_ends_well_and_does_nothing(night: Any) -> None:
    night.run(**TRIGGER)
    before = night.function.count()
    again = night.run(**TRIGGER)
    assert (again.status, again.states[-1]) == ("SUCCEEDED", "Duplicate")
    assert night.function.count() - before == {"prepare": 1}


def test_a_second_night_changes_no_table(night: Any) -> None:
    assert {"DefineTable", "CreateTable"} <= set(night.run(date="2026-11-19").states)
    before = night.tables(SERVED), night.tables(STAGING)
    again = night.run(date="2026-11-20")
    assert again.status == "SUCCEEDED"
    assert {"CreateTable", "UpdateTable"}.isdisjoint(again.states)
    assert (night.tables(SERVED), night.tables(STAGING)) == before


def test_a_missing_table_is_created_again_and_its_sisters_are_left_alone(night: Any) -> None:
    night.run(date="2026-11-20")
    boto3.client("glue").delete_table(DatabaseName=STAGING, Name="transactions")
    again = night.run(date="2026-11-20")
    assert again.states.count("CreateTable") == 1
    assert "transactions" in night.tables(STAGING)


def test_a_table_that_is_not_as_its_contract_says_is_brought_in_line(night: Any) -> None:
    night.run(date="2026-11-20")
    wanted = night.tables(STAGING)["transactions"]["StorageDescriptor"]
    glue = boto3.client("glue")
    for database, name in ((STAGING, "transactions"), (QUARANTINE, "sales")):
        found = night.tables(database)[name]
        kept = {key: found[key] for key in ("Name", "TableType", "PartitionKeys", "Parameters")}
        narrow = found["StorageDescriptor"] | {"Columns": found["StorageDescriptor"]["Columns"][1:]}
        glue.update_table(DatabaseName=database, TableInput=kept | {"StorageDescriptor": narrow})
    again = night.run(date="2026-11-20")
    assert (again.status, again.states.count("UpdateTable")) == ("SUCCEEDED", 2)
    assert night.tables(STAGING)["transactions"]["StorageDescriptor"] == wanted


def test_a_table_that_another_execution_created_meanwhile_is_well(night: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    night.run(date="2026-11-20")

    def not_there_yet(self: GlueBackend, database: str, name: str) -> None:
        raise TableNotFoundException(name)

    monkeypatch.setattr(GlueBackend, "get_table", not_there_yet)
    again = night.run(date="2026-11-20")
    assert "CreateTable" in again.states
    assert again.status == "SUCCEEDED"


def test_a_view_whose_text_is_the_same_is_left_as_it_is(night: Any) -> None:
    before = night.function.answers.get("statement")
    assert before is None
    from_default = {"name": "a", "query": "q", "database": "d", "table": "t", "location": "l", "changed": False}
    night.function.answers["statement"] = lambda event: {**from_default, "query": event["kind"]}
    ended = night.run(**TRIGGER)
    assert ended.status == "SUCCEEDED"
    assert "RunView" not in ended.states
    assert "view" not in {event["QueryString"] for event in night.function.events("athena")}

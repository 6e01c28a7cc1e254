"""The daily state machine as moto's interpreter runs it with our handlers: what a night does and how it fails."""

import json
import subprocess
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from moto.glue.exceptions import TableNotFoundException
from moto.glue.models import GlueBackend
from nightlake.core.asl import SUBSTITUTIONS, lint_asl
from nightlake.core.asl_states import machines
from nightlake.core.table import table_inputs
from statelint.linter import Linter

ROOT = Path(__file__).parents[2]
DAILY = ROOT / "statemachines" / "daily.asl.json"
DEFINITIONS = sorted(DAILY.parent.glob("*.asl.json"))
SERVED, STAGING = "nightlake_test", "nightlake_test_staging"


def test_a_night_creates_every_table_of_the_contract_in_both_databases(night: Any) -> None:
    ended = night.run(scheduled_time="2026-11-21T03:00:00Z")
    assert (ended.status, ended.error) == ("SUCCEEDED", None)
    for database in (SERVED, STAGING):
        created = night.tables(database)
        expected = {table["Name"]: table for table in table_inputs(night.pipeline, "nightlake-test-lake")}
        assert created.keys() == expected.keys()
        for name, table in expected.items():
            assert {key: created[name][key] for key in table} == table
    assert night.alerts() == []


def test_a_night_knows_its_day_and_run_and_carries_no_definitions_on(night: Any) -> None:
    run = night.run(scheduled_time="2026-11-21T03:00:00Z").output
    assert (run["pipeline"], run["date"]) == ("sales", "2026-11-20")
    assert (run["year"], run["month"], run["day"]) == ("2026", "11", "20")
    assert run["contract_hash"] == night.pipeline.contract_hash
    assert {frozenset(table) for table in run["tables"]} == {frozenset({"database", "name"})}
    assert len(run["tables"]) == 2 * len(night.tables(SERVED))


def test_a_second_night_changes_no_table(night: Any) -> None:
    assert {"DefineTable", "CreateTable"} <= set(night.run(date="2026-11-19").states)
    before = night.tables(SERVED), night.tables(STAGING)
    again = night.run(date="2026-11-20")
    assert again.status == "SUCCEEDED"
    assert {"DefineTable", "CreateTable"}.isdisjoint(again.states)
    assert (night.tables(SERVED), night.tables(STAGING)) == before


def test_a_missing_table_is_created_again_and_its_sisters_are_left_alone(night: Any) -> None:
    night.run(date="2026-11-20")
    boto3.client("glue").delete_table(DatabaseName=STAGING, Name="transactions")
    again = night.run(date="2026-11-20")
    assert again.states.count("CreateTable") == 1
    assert "transactions" in night.tables(STAGING)


def test_a_table_that_another_execution_created_meanwhile_is_well(night: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    night.run(date="2026-11-20")

    def not_there_yet(self: GlueBackend, database: str, name: str) -> None:
        raise TableNotFoundException(name)

    monkeypatch.setattr(GlueBackend, "get_table", not_there_yet)
    again = night.run(date="2026-11-20")
    assert "CreateTable" in again.states
    assert again.status == "SUCCEEDED"


def test_a_wrong_date_ends_failed_with_our_error_after_one_alert_that_a_person_can_read(night: Any) -> None:
    ended = night.run(date="2026-02-30")
    assert (ended.status, ended.error) == ("FAILED", "InvalidDateError")
    assert json.loads(ended.cause)["errorMessage"].startswith("'2026-02-30' is not a day of the calendar")
    assert len(night.function.calls) == 1
    assert night.tables(SERVED) == {}
    (alert,) = night.alerts()
    assert alert["Subject"] == "Nightlake: sales failed"
    told = alert["Message"]
    assert told.startswith("Pipeline sales failed with InvalidDateError for a day not yet known. Run ")
    console = "https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1#/v2/executions/details/"
    assert console + ended.arn in told
    assert "write it like 2026-11-20" in told


def test_a_failure_after_prepare_names_the_day_and_the_run(night: Any) -> None:
    boto3.client("glue").delete_database(Name=STAGING)
    ended = night.run(date="2026-11-20")
    assert (ended.status, ended.error) == ("FAILED", "Glue.EntityNotFoundException")
    (alert,) = night.alerts()
    assert "failed with Glue.EntityNotFoundException for 2026-11-20. Run 20" in alert["Message"]


def test_an_alert_that_cannot_be_sent_does_not_make_the_night_good(night: Any) -> None:
    boto3.client("sns").delete_topic(TopicArn=night.topic)
    ended = night.run(date="2026-02-30")
    assert (ended.status, ended.error) == ("FAILED", "InvalidDateError")


def test_throttling_is_waited_out(night: Any) -> None:
    night.function.throttled = 3
    ended = night.run(date="2026-11-20")
    assert ended.status == "SUCCEEDED"
    assert night.function.calls[0]["input"] == {"date": "2026-11-20"}
    assert night.alerts() == []


@pytest.mark.parametrize("crash", ["Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"])
def test_two_crashes_of_the_sandbox_are_tried_again_and_a_third_is_not(night: Any, crash: str) -> None:
    night.function.crashes = [crash] * 2
    assert night.run(date="2026-11-20").status == "SUCCEEDED"
    night.function.crashes = [crash] * 3
    ended = night.run(date="2026-11-20")
    assert (ended.status, ended.error) == ("FAILED", crash)
    assert len(night.alerts()) == 1


def test_throttling_without_end_is_a_failure_by_its_name(night: Any) -> None:
    night.function.throttled = 100
    ended = night.run(date="2026-11-20")
    assert (ended.status, ended.error) == ("FAILED", "Lambda.TooManyRequestsException")
    assert night.function.throttled == 100 - 7
    assert len(night.alerts()) == 1


def asl_validator(definition: Path) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "node_modules/.bin/asl-validator"), "--json-path", str(definition)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda path: path.name)
def test_our_linter_statelint_and_asl_validator_find_nothing(definition: Path) -> None:
    assert lint_asl(definition) == ()
    assert Linter.validate(json.loads(definition.read_text())) == []
    done = asl_validator(definition)
    assert done.returncode == 0, done.stdout + done.stderr


def test_asl_validator_finds_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "daily.asl.json"
    broken.write_text(DAILY.read_text().replace('"Next": "Prepare"', '"Next": "Nowhere"'))
    done = asl_validator(broken)
    assert done.returncode != 0
    assert "Nowhere" in done.stdout + done.stderr


def test_the_definition_uses_the_names_that_the_linter_knows() -> None:
    text = DAILY.read_text()
    assert [name for name in SUBSTITUTIONS if f"${{{name}}}" not in text] == []


def test_the_errors_of_glue_that_it_names_are_errors_of_the_action() -> None:
    glue = botocore.session.get_session().get_service_model("glue")
    # Every action of an SDK integration can end in these; ThrottlingException is common to all of AWS.
    common = {"GlueException", "SdkClientException", "ThrottlingException"}
    named = 0
    for machine in machines(json.loads(DAILY.read_text())):
        for state in machine.states.values():
            action = str(state.body.get("Resource")).partition(":aws-sdk:glue:")[2]
            if not action:
                continue
            known = {shape.name for shape in glue.operation_model(action[0].upper() + action[1:]).error_shapes} | common
            handlers = [handler for key in ("Retry", "Catch") for _, handler in state.items(key)]
            names = {name.removeprefix("Glue.") for handler in handlers for name in handler["ErrorEquals"]}
            assert names <= known, state.name
            named += len(names)
    assert named

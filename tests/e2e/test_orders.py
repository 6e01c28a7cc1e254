"""Exports of orders on the local AWS, with IAM enforced: each starts its own run, and orders are as exported last."""

import csv
import io
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from local import aws
from local.sources import orders

pytestmark = pytest.mark.e2e

FIRST, SECOND = date(2021, 11, 21), date(2021, 11, 22)
PUBLISHED = "SELECT order_id, order_status, year || '-' || month FROM orders ORDER BY order_id"
Answer = dict[str, Any]


def export(day: date) -> dict[str, tuple[str, str]]:
    """The status and the month of every order of an export, but for those of 2042."""
    rows = csv.DictReader(io.StringIO(orders.deliveries(day)[0].body.decode()))
    return {
        row["order_id"]: (row["order_status"], row["order_date"][:7])
        for row in rows
        if not row["order_date"].startswith("2042")
    }


@pytest.fixture(scope="module")
def deliver(
    nightlake: Any, outputs: dict[str, str], cloud: aws.Endpoint, until: Callable[..., Any]
) -> Callable[[date], Answer]:
    """deliver(day): what became of the run that the export of the day has started, and nobody else."""
    machines = cloud.client("stepfunctions")
    (machine,) = [
        each["stateMachineArn"]
        for each in machines.list_state_machines()["stateMachines"]
        if each["name"].endswith("orders-daily")
    ]

    def run(day: date) -> Answer:
        before = {each["executionArn"] for each in machines.list_executions(stateMachineArn=machine)["executions"]}
        done = nightlake("seed", "orders", "--from", day.isoformat(), "--json")
        assert done.returncode == 0, done.stderr
        (started,) = until(
            lambda: [
                each["executionArn"]
                for each in machines.list_executions(stateMachineArn=machine)["executions"]
                if each["executionArn"] not in before
            ]
        )
        ended: Answer = until(
            lambda: machines.describe_execution(executionArn=started),
            lambda execution: execution["status"] != "RUNNING",
            seconds=900,
        )
        return ended

    return run


def published(nightlake: Any) -> dict[str, tuple[str, str]]:
    done = nightlake("query", PUBLISHED, "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    found = {str(order): (status, month) for order, status, month in rows}
    assert len(found) == len(rows), "no order is there twice"
    return found


def test_an_export_that_lands_is_published_and_the_next_one_replaces_what_it_tells_anew(
    deliver: Callable[[date], Answer], nightlake: Any
) -> None:
    first, second = export(FIRST), export(SECOND)
    assert any(first[order] != second[order] for order in first.keys() & second.keys())
    ended = deliver(FIRST)
    assert (ended["status"], ended.get("error"), ended.get("cause")) == ("SUCCEEDED", None, None)
    assert published(nightlake) == first
    ended = deliver(SECOND)
    assert (ended["status"], ended.get("error"), ended.get("cause")) == ("SUCCEEDED", None, None)
    assert published(nightlake) == first | second

"""Executions as the locks ask for them."""

import json

import boto3
from moto import mock_aws
from nightlake.adapters.states import States

DEFINITION = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
ROLE = "arn:aws:iam::123456789012:role/night"


def test_an_execution_that_runs_one_that_was_stopped_and_one_that_nobody_remembers() -> None:
    with mock_aws():
        client = boto3.client(
            "stepfunctions", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        machine = client.create_state_machine(name="night", definition=json.dumps(DEFINITION), roleArn=ROLE)
        started = client.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
        states = States(client)
        assert states.status(started) == "RUNNING"
        client.stop_execution(executionArn=started)
        assert states.status(started) == "ABORTED"
        assert states.status(started[:-1] + "x") is None

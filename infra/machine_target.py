"""A state machine that an event starts, and where a start goes that cannot be delivered."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn

RETRY_ATTEMPTS = 185


def machine_target(
    machine: sfn.IStateMachine, given: Mapping[str, Any], *, dead_letters: sqs.IQueue, max_event_age: Duration
) -> targets.SfnStateMachine:
    """Starts the machine with `given`, in which event fields are filled in, unless the event is older than that."""
    return targets.SfnStateMachine(
        machine,
        input=events.RuleTargetInput.from_object(given),
        dead_letter_queue=dead_letters,
        max_event_age=max_event_age,
        retry_attempts=RETRY_ATTEMPTS,
    )

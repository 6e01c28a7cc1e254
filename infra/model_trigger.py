"""What starts the machines of a model: a night that has published something newer, and a schedule."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.dead_letters import dead_letter_queue
from infra.machine_target import machine_target

# What starts later than this is overtaken by the next night.
_MAX_EVENT_AGE = Duration.hours(12)


class ModelTrigger(Construct):
    """Starts `recommend` with `{"reason", "night"}` after the newest night of `pipeline`, `retrain` with `{"reason"}`.

    A night of a past day, and one of a backfill, starts nothing. `cron` is in UTC; None: no schedule. Delivery is at
    least once.

    Attributes:
        dead_letters: Where a start goes that could not be delivered.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: str,
        pipeline: str,
        cron: str | None,
        recommend: sfn.IStateMachine,
        retrain: sfn.IStateMachine,
    ) -> None:
        super().__init__(scope, construct_id)
        name = f"nightlake-{stage}-{pipeline}"
        self.dead_letters = dead_letter_queue(self, "DeadLetters", name=f"{name}-model-dead-letters")
        field = events.EventField.from_path
        night = {key: field(f"$.detail.{key}") for key in ("date", "run_id", "snapshot")}
        events.Rule(
            self,
            "Night",
            rule_name=f"{name}-recommend",
            description="Recommends from what a night has published",
            event_pattern=events.EventPattern(
                source=["nightlake"],
                detail_type=["Night Succeeded"],
                detail={"stage": [stage], "pipeline": [pipeline], "newest": [True], "backfill": [False]},
            ),
            targets=[self._target(recommend, {"reason": "a night was published", "night": night})],
        )
        if cron is not None:
            events.Rule(
                self,
                "Schedule",
                rule_name=f"{name}-retrain",
                description="Trains a challenger",
                schedule=events.Schedule.expression(f"cron({cron})"),
                targets=[self._target(retrain, {"reason": "scheduled", "scheduled_time": events.EventField.time})],
            )

    def _target(self, machine: sfn.IStateMachine, given: Mapping[str, Any]) -> targets.SfnStateMachine:
        return machine_target(machine, given, dead_letters=self.dead_letters, max_event_age=_MAX_EVENT_AGE)

"""What starts a pipeline's night: a rule in UTC, a schedule in another time zone, and by declaration a delivery."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration, RemovalPolicy, TimeZone
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as scheduler_targets
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct
from nightlake.core.pipeline import Schedule

from infra.dead_letters import dead_letter_queue
from infra.machine_target import RETRY_ATTEMPTS, machine_target

# A night that starts later than this would end in the working day: better a dead letter and a person who looks.
_MAX_EVENT_AGE = Duration.hours(2)


class Trigger(Construct):
    """Starts `machine` on `schedule` with `{"scheduled_time": "<ISO 8601, UTC>"}`.

    The scheduled time, not the time of delivery, so that a retried delivery means the same business date. Delivery is
    at least once.

    With `on_delivery` every object of the bucket whose key is like one of `arrivals` (`*` for any characters) starts it
    with `{"delivered": {"key", "sequencer", "at"}}`, where the sequencer is the same each time the same event comes.

    Attributes:
        dead_letters: Where a start goes that could not be delivered.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        schedule: Schedule,
        machine: sfn.IStateMachine,
        bucket: str,
        arrivals: Sequence[str],
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = dead_letter_queue(self, "DeadLetters", name=f"{name}-dead-letters")
        if schedule.cron is not None and schedule.timezone == "UTC":
            events.Rule(
                self,
                "Rule",
                rule_name=name,
                description="Starts the night; the input carries the scheduled time",
                schedule=events.Schedule.expression(f"cron({schedule.cron})"),
                targets=[self._target(machine, {"scheduled_time": events.EventField.time})],
            )
        elif schedule.cron is not None:
            self._add_schedule(name, schedule, machine)
        if schedule.on_delivery:
            self._add_deliveries(name, machine, bucket, arrivals)

    def _add_deliveries(self, name: str, machine: sfn.IStateMachine, bucket: str, arrivals: Sequence[str]) -> None:
        field = events.EventField.from_path
        delivered = {"key": field("$.detail.object.key"), "sequencer": field("$.detail.object.sequencer")}
        events.Rule(
            self,
            "Deliveries",
            rule_name=f"{name}-deliveries",
            description="Starts a run of the day whose delivery has landed",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [bucket]},
                    # A backslash would take the meaning of what follows it.
                    "object": {"key": [{"wildcard": each.replace("\\", "\\\\")} for each in arrivals]},
                },
            ),
            targets=[self._target(machine, {"delivered": {**delivered, "at": events.EventField.time}})],
        )

    def _target(self, machine: sfn.IStateMachine, given: Mapping[str, Any]) -> targets.SfnStateMachine:
        return machine_target(machine, given, dead_letters=self.dead_letters, max_event_age=_MAX_EVENT_AGE)

    def _add_schedule(self, name: str, schedule: Schedule, machine: sfn.IStateMachine) -> None:
        """A rule knows UTC only. The group is the pipeline's own, because Scheduler's metrics are kept by group."""
        scheduler.Schedule(
            self,
            "Schedule",
            schedule_name=name,
            description="Starts the night; the input carries the scheduled time",
            schedule_group=scheduler.ScheduleGroup(
                self, "Group", schedule_group_name=name, removal_policy=RemovalPolicy.DESTROY
            ),
            schedule=scheduler.ScheduleExpression.expression(f"cron({schedule.cron})", TimeZone.of(schedule.timezone)),
            target=scheduler_targets.StepFunctionsStartExecution(
                machine,
                input=scheduler.ScheduleTargetInput.from_object(
                    {"scheduled_time": scheduler.ContextAttribute.scheduled_time}
                ),
                dead_letter_queue=self.dead_letters,
                max_event_age=_MAX_EVENT_AGE,
                retry_attempts=RETRY_ATTEMPTS,
            ),
        )

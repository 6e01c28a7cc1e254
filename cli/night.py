"""One night of a pipeline: started, followed to its end, and what it came to."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Any

from nightlake.core import layout
from nightlake.core.brief import reason
from nightlake.core.dates import run_id
from nightlake.core.errors import SourceRejectedError
from nightlake.core.run_record import RunRecord
from nightlake.core.table import partition_keys

from cli.cloud import Cloud
from cli.errors import PipelineUnknownError
from cli.execution import Ended, follow, payload_of, start
from cli.lake import Lake
from cli.pipelines import read_pipeline


@dataclass(frozen=True)
class Night:
    """An execution that has ended and the record of its run; None where the run ended before it could write one."""

    pipeline: str
    ended: Ended
    record: RunRecord | None

    def facts(self, cloud: Cloud) -> dict[str, Any]:
        """All there is to know of it, as `--json` prints it."""
        outputs = cloud.outputs()
        record = (
            self.record.model_dump(mode="json", exclude={"pipeline", "error", "execution_id", "conversion"})
            if self.record
            else {}
        )
        return {
            "pipeline": self.pipeline,
            **self.ended.facts,
            "rejected": list(self._rejected()),
            **record,
            "states": [asdict(state) for state in self.ended.states],
            "calls": dict(self.ended.calls),
            "quarantine": list(self._refused(outputs)),
            "cost": self._cost(),
            "api": _api(cloud, outputs, self.record),
        }

    def _cost(self) -> dict[str, Any] | None:
        """What the conversion used, and what that costs at the prices of the price file; Athena's part is not in it."""
        if self.record is None:
            return None
        bill = self.record.conversion
        return {"conversion_usd": sum(item.usd for item in bill), "items": [item.model_dump() for item in bill]}

    def _rejected(self) -> Iterator[dict[str, str]]:
        """The sources for which the night failed, and why: the state machine tells them in the cause."""
        if self.ended.error != SourceRejectedError.__name__:
            return
        try:
            sources = json.loads(self.ended.cause or "[]")
        except ValueError:  # longer than Step Functions keeps it
            return
        for source in sources:
            if source["status"] == "rejected":
                told = source["error"]
                yield {"dataset": source["dataset"], "error": told["Error"], "cause": reason(told["Cause"])}

    def _refused(self, outputs: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Where the refused rows of each source lie, and how they are looked at."""
        if self.record is None or self.record.date is None:
            return
        day = self.record.date
        for source in self.record.sources:
            if source.quarantined:
                values = ("dataset", source.dataset), *partition_keys(day).items()
                where = " AND ".join(f"{name} = '{value}'" for name, value in values)
                query = f"SELECT line, rules, reasons, raw FROM {self.pipeline} WHERE {where} LIMIT 20"  # noqa: S608 - ours
                prefix = layout.quarantined_rows(self.pipeline, self.record.run_id, source.dataset)
                database = outputs["QuarantineDatabase"]
                yield {
                    "dataset": source.dataset,
                    "rows": source.quarantined,
                    "location": f"s3://{outputs['QuarantineBucket']}/{prefix}",
                    "command": shlex.join(["nightlake", "query", "--database", database, query]),
                }


def run_night(cloud: Cloud, pipeline: str, payload: Mapping[str, Any]) -> Night:
    """Starts a night, unless a delivery has started it already, and follows it to its end.

    Raises:
        PipelineUnknownError: the stage has no such pipeline.
        NotDeployedError: the stage is not deployed.
    """
    outputs = cloud.outputs()
    client = cloud.client("stepfunctions")
    daily = machine(cloud, outputs, pipeline, "daily")
    ended = follow(client, delivered(client, daily, pipeline, payload.get("date")) or start(client, daily, payload))
    run = run_id(ended.started.astimezone(UTC), ended.arn)
    lake = Lake(cloud.client("s3"), outputs["LakeBucket"])
    return Night(pipeline, ended, lake.find(layout.record(pipeline, run), RunRecord))


def delivered(client: Any, daily: str, pipeline: str, day: str | None) -> str | None:
    """The execution under way that a delivery of the day, or of any, has started: another could only wait for it."""
    for running in client.list_executions(stateMachineArn=daily, statusFilter="RUNNING")["executions"]:
        arn: str = running["executionArn"]
        object_ = payload_of(client.describe_execution(executionArn=arn)).get("delivered")
        if object_ and (day is None or str(read_pipeline(pipeline).day_of(object_["key"])) == day):
            return arn
    return None


def machine(cloud: Cloud, outputs: Mapping[str, str], pipeline: str, kind: str) -> str:
    """The ARN of a pipeline's state machine of the kind `daily`, `backfill`, `recommend` or `retrain`.

    Raises:
        PipelineUnknownError: the stage has no such pipeline.
    """
    known = machines(cloud, outputs, kind)
    if pipeline not in known:
        has = ", ".join(sorted(known)) or "none"
        what = "pipeline" if kind == "daily" else f"{kind} of a pipeline"
        raise PipelineUnknownError(f"Stage {cloud.stage} has no {what} {pipeline!r}; it has: {has}")
    return known[pipeline]


def machines(cloud: Cloud, outputs: Mapping[str, str], kind: str) -> dict[str, str]:
    """The ARN of each deployed pipeline's state machine of this kind; not every pipeline has one of every kind."""
    before, after = f"nightlake-{cloud.stage}-", f"-{kind}"
    names = {arn.rpartition(":")[2]: arn for arn in sorted(outputs.values()) if ":stateMachine:" in arn}
    return {name.removeprefix(before).removesuffix(after): arn for name, arn in names.items() if name.endswith(after)}


def _api(cloud: Cloud, outputs: Mapping[str, str], record: RunRecord | None) -> dict[str, str]:
    """Where the API answers, and a command line that asks it."""
    # The keys' scopes name pipelines, which are looked up in this file.
    from cli.api_access import curl

    path = f"/v1/reports/{record.reports[0].name}" if record and record.reports else "/v1/datasets"
    return {"url": cloud.api_url(outputs).rstrip("/"), "curl": curl(cloud, outputs, path)}

"""Is the lake as its nights should leave it? The catalog says what HEAD says, and no ended run holds a lock."""

from collections.abc import Iterator, Mapping
from typing import Any

from nightlake.core import layout
from nightlake.core.lock import RUNNING, Lock, Owner
from nightlake.core.snapshot import Head, PublishedTable, Snapshot

from cli.cloud import Cloud
from cli.finding import Finding, Verdict
from cli.functions import invoke
from cli.lake import Lake
from cli.night import machines


def lake_health(cloud: Cloud, outputs: Mapping[str, str], *, mend: bool) -> Iterator[Finding]:
    """The findings of every deployed pipeline; `mend` has a catalog that differs completed first."""
    lake = Lake(cloud.client("s3"), outputs["LakeBucket"])
    for pipeline in machines(cloud, outputs, "daily"):
        yield _catalog(cloud, outputs, lake, pipeline, mend=mend)
        yield from _locks(cloud, lake, pipeline)


def _catalog(cloud: Cloud, outputs: Mapping[str, str], lake: Lake, pipeline: str, *, mend: bool) -> Finding:
    subject = f"catalog of {pipeline}"
    head = lake.find(layout.head(pipeline), Head)
    if head is None:
        return Finding(subject, Verdict.OK, "nothing is published yet")
    partitions, differ = _differences(cloud, outputs["Database"], lake, head)
    if differ and mend:
        # A rollback to what is published moves nothing, and completes the catalog.
        invoke(cloud, outputs["RollbackFunction"], {"pipeline": pipeline, "to": head.snapshot})
        partitions, differ = _differences(cloud, outputs["Database"], lake, head)
    if differ:
        return Finding(
            subject,
            Verdict.FAIL,
            f"{differ} partitions are not as snapshot {head.snapshot} says",
            "Complete it: nightlake doctor --mend (the next night does, too)",
        )
    return Finding(subject, Verdict.OK, f"{partitions} partitions, as snapshot {head.snapshot} says")


def _differences(cloud: Cloud, database: str, lake: Lake, head: Head) -> tuple[int, int]:
    """How many partitions the published snapshot has, and how many differ in the catalog."""
    snapshot = lake.find(head.key, Snapshot)
    glue = cloud.client("glue")
    wanted = {
        (table.table, layout.partition_values(partition.day)): f"s3://{lake.bucket}/{partition.location}"
        for table in (snapshot.tables if snapshot else ())
        for partition in table.partitions
    }
    there = {
        (table.table, values): location
        for table in (snapshot.tables if snapshot else ())
        for values, location in _partitions(glue, database, table)
    }
    return len(wanted), len({place for place, _ in wanted.items() ^ there.items()})


def _partitions(glue: Any, database: str, table: PublishedTable) -> Iterator[tuple[tuple[str, ...], str]]:
    pages = glue.get_paginator("get_partitions").paginate(
        DatabaseName=database, TableName=table.table, ExcludeColumnSchema=True
    )
    try:
        for page in pages:
            for partition in page["Partitions"]:
                yield tuple(partition["Values"]), partition["StorageDescriptor"]["Location"]
    except glue.exceptions.EntityNotFoundException:
        return


def _locks(cloud: Cloud, lake: Lake, pipeline: str) -> Iterator[Finding]:
    client = cloud.client("stepfunctions")
    owners = [lock.owner for key in lake.keys(layout.locks(pipeline)) if (lock := lake.find(key, Lock)) and lock.owner]
    stale = sorted({owner.run_id for owner in owners if not _runs(client, owner)})
    subject = f"locks of {pipeline}"
    if stale:
        advice = "Nothing to do: the next run of the date takes the lock over"
        yield Finding(
            subject, Verdict.WARN, f"held by runs that ended without releasing them: {', '.join(stale)}", advice
        )
    else:
        running = sorted({owner.run_id for owner in owners})
        yield Finding(subject, Verdict.OK, f"held by running {', '.join(running)}" if running else "free")


def _runs(client: Any, owner: Owner) -> bool:
    try:
        return bool(client.describe_execution(executionArn=owner.execution_id)["status"] == RUNNING)
    except client.exceptions.ExecutionDoesNotExist:
        return False

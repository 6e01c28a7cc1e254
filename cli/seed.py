"""`nightlake seed`: lands days of a sample's data in the raw bucket and in its database, as its producer would."""

import hashlib
from datetime import date, timedelta
from fnmatch import fnmatch
from typing import Annotated, Any

import typer
from local.sources import FILLERS, SEEDERS
from local.sources.damage import Damage, damaged
from local.sources.delivery import Delivery
from nightlake.core.dates import parse_date
from nightlake.core.http_source import HttpSource
from nightlake.core.pipeline import Pipeline
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.source import S3Source
from nightlake.core.sources import AnySource
from rich.table import Table

from cli.cloud import OfStage, Stage, connect
from cli.errors import NoSeederError
from cli.output import Json, answer, errors_told
from cli.paths import HOME
from cli.pipelines import PipelineName, due_date, read_pipeline

_DIGEST = "sha256"
"""Name of the metadata by which a landed file is known again: the ETag of an encrypted object tells nothing."""


def seed(
    pipeline: PipelineName,
    *,
    first: Annotated[
        str | None,
        typer.Option(
            "--from", help="First business date YYYY-MM-DD.", show_default="the day the schedule would take now"
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days.")] = 1,
    damage: Annotated[
        Damage | None, typer.Option(help="Break one file of each day on purpose.", show_default="none")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Whose file --damage breaks.", show_default="the first that fits")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=100_000_000, help="How many rows of each day a table has.")] = 20_000,
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Land days of the sample's data in the raw bucket, on this machine in its database and its APIs, too.

    What is there, stays. An API is at the end of the last of the days.
    """
    with errors_told(as_json=as_json):
        if dataset and not damage:
            raise typer.BadParameter("--dataset says whose file --damage breaks: name a damage too")
        declared = read_pipeline(pipeline)
        start = parse_date(first) if first else due_date(declared)
        cloud = connect(stage)
        bucket = cloud.outputs()["RawBucket"]
        if pipeline not in SEEDERS:
            raise NoSeederError(_what_to_land(declared, bucket, start))
        s3 = cloud.client("s3")
        objects: list[dict[str, Any]] = []
        tables: list[dict[str, Any]] = []
        for day in (start + timedelta(days=offset) for offset in range(days)):
            deliveries = SEEDERS[pipeline](day)
            kept = damaged(deliveries, damage, dataset) if damage else deliveries
            objects += [_land(s3, bucket, _key(declared, delivery, day), delivery.body) for delivery in kept]
            delivered = {delivery.dataset for delivery in kept}
            gone = [delivery for delivery in deliveries if delivery.dataset not in delivered]
            objects += [_remove(s3, bucket, _key(declared, delivery, day)) for delivery in gone]
            tables += _filled(declared, day, rows) if stage is Stage.LOCAL else []
    answer(
        {"pipeline": pipeline, "bucket": bucket, "objects": objects, "tables": tables},
        view=_view(bucket, objects, tables),
        as_json=as_json,
    )


def _key(pipeline: Pipeline, delivery: Delivery, day: date) -> str:
    """Where the producer puts the file: in the folder of the source's path, under a name that its pattern takes."""
    source = pipeline.source(delivery.dataset)
    folder, _, pattern = _path(source, day).rpartition("/")
    if not fnmatch(delivery.name, pattern):
        raise NoSeederError(
            f"The sample's file {delivery.name} does not match {pattern!r}, the file pattern of source "
            f"{delivery.dataset!r} in pipelines/{pipeline.name}/pipeline.yaml: mend the path."
        )
    return f"{folder}/{delivery.name}"


def _path(source: AnySource, day: date) -> str:
    if not isinstance(source, S3Source):
        raise NoSeederError(f"{source.dataset!r} is from: {source.from_}, and no file of a sample belongs to it.")
    return source.path.format(date=day)


def _what_to_land(pipeline: Pipeline, bucket: str, day: date) -> str:
    paths = "".join(
        f"\n  {source.dataset}: s3://{bucket}/{_path(source, day)}"
        for source in pipeline.sources
        if isinstance(source, S3Source)
    )
    samples = ", ".join(sorted(SEEDERS))
    return (
        f"Pipeline {pipeline.name!r} has no sample data (there is some for: {samples}). Land its own files:{paths}\n"
        f"Then: nightlake run {pipeline.name} --date {day}"
    )


def _land(s3: Any, bucket: str, key: str, body: bytes) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    digest = hashlib.sha256(body).hexdigest()
    landed = {"key": key, "bytes": len(body)}
    try:
        if s3.head_object(Bucket=bucket, Key=key)["Metadata"].get(_DIGEST) == digest:
            return landed | {"state": "unchanged"}
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:  # noqa: PLR2004
            raise
    s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={_DIGEST: digest})
    return landed | {"state": "landed"}


def _remove(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    s3.delete_object(Bucket=bucket, Key=key)
    return {"key": key, "bytes": 0, "state": "removed"}


def _filled(pipeline: Pipeline, day: date, rows: int) -> list[dict[str, Any]]:
    return [
        {
            "table": source.table if isinstance(source, PostgresSource) else source.url,
            "day": day.isoformat(),
            "rows": rows,
            "state": "filled" if FILLERS[pipeline.name, source.dataset](HOME, day, rows) else "unchanged",
        }
        for source in pipeline.sources
        if isinstance(source, PostgresSource | HttpSource) and (pipeline.name, source.dataset) in FILLERS
    ]


def _view(bucket: str, objects: list[dict[str, Any]], tables: list[dict[str, Any]]) -> Table:
    table = Table(title=f"s3://{bucket}", title_justify="left", title_style="bold", box=None)
    table.add_column("object", overflow="fold")
    table.add_column("bytes", justify="right")
    table.add_column("")
    for landed in objects:
        table.add_row(landed["key"], f"{landed['bytes']:,}", landed["state"])
    for filled in tables:
        table.add_row(f"{filled['table']}, {filled['day']}", f"{filled['rows']:,} rows", filled["state"])
    return table

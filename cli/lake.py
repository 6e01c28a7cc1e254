"""What commands read of the lake bucket: HEAD, snapshots, locks and run records, as core defines them."""

from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from nightlake.core import layout
from nightlake.core.errors import NothingPublishedError
from nightlake.core.run_record import RunRecord
from nightlake.core.snapshot import Head
from pydantic import BaseModel

from cli.cloud import Cloud
from cli.errors import NeverRunError

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Lake:
    """The lake bucket of a stage."""

    s3: Any
    bucket: str

    def read(self, key: str) -> bytes | None:
        """All bytes of an object; None where it is not there."""
        try:
            body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None
        return body

    def find(self, key: str, model: type[Model]) -> Model | None:
        """The JSON object as a model; None where it is not there."""
        body = self.read(key)
        return None if body is None else model.model_validate_json(body)

    def keys(self, prefix: str) -> list[str]:
        """The keys below the prefix, in their order."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def head(self, pipeline: str) -> Head:
        """What is published of the pipeline.

        Raises:
            NothingPublishedError: no night of the pipeline ended well yet.
        """
        head = self.find(layout.head(pipeline), Head)
        if head is None:
            raise NothingPublishedError(
                f"Pipeline {pipeline!r} has published nothing yet. Run a night: nightlake run {pipeline}"
            )
        return head


def last_record(lake: Lake, pipeline: str, day: date | None = None) -> RunRecord:
    """The record of the newest run, of that day if one is named.

    Raises:
        NeverRunError: there is none.
    """
    for key in reversed(lake.keys(layout.records(pipeline))):
        record = lake.find(key, RunRecord)
        if record is not None and day in (None, record.date):
            return record
    option = f" --date {day}" if day else ""
    raise NeverRunError(
        f"No night of {pipeline}{f' for {day}' if day else ''} was ever run. Run it: nightlake run {pipeline}{option}"
    )


def lake_of(cloud: Cloud) -> Lake:
    """The lake bucket of the stage. Raises NotDeployedError."""
    return Lake(cloud.client("s3"), cloud.outputs()["LakeBucket"])

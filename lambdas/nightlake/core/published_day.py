"""How many rows of a dataset the newest published day before another one brought: what a new day is compared with."""

from datetime import date
from typing import NamedTuple

from nightlake.core.history import published_table
from nightlake.core.snapshot import Partition, PartitionManifest
from nightlake.core.store import Store


class PublishedDay(NamedTuple):
    """A business date and the rows, at least one, that its delivery of a dataset brought, whatever their days."""

    date: date
    rows: int


def published_before(lake: Store, pipeline: str, dataset: str, day: date) -> PublishedDay | None:
    """The newest business date before `day` of which the published snapshot has rows; None where there is none."""
    table = published_table(lake, pipeline, dataset)
    partitions = table.partitions if table else ()
    earlier = [each for part in partitions if part.rows for each in part.contributions if each < day]
    if not earlier:
        return None
    newest = max(earlier)
    return PublishedDay(newest, sum(_rows(lake, part, newest) for part in partitions if newest in part.contributions))


def _rows(lake: Store, partition: Partition, contribution: date) -> int:
    if partition.contributions == (contribution,):
        return partition.rows
    files = lake.get_model(partition.manifest, PartitionManifest).sealed
    return sum(file.rows for file in files if file.contribution == contribution)

"""What one source brings a night: how many shards that is, and how long its reading takes."""

import math
from typing import Final, Literal

from nightlake.core.frozen import Frozen

# What a Lambda's network card gives, in MB/s, whatever its memory:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
CARD_MB_PER_SECOND: Final = 78.0
# How fast a Distributed Map starts STANDARD children.
CHILD_STARTS_PER_SECOND: Final = 100
# Of an API that nobody has measured.
ANSWER_BYTES: Final = 1_000_000
ANSWER_SECONDS: Final = 1.0


class Throughput(Frozen):
    """What one core converts, in MB of source a second, how small its Parquet is, and where that was `measured`.

    `row_bytes` is how long a row of the source is.
    """

    mb_per_second: float
    parquet_ratio: float
    row_bytes: float
    measured: str


class Load(Frozen):
    """A delivery of `source_bytes`, cut at `shard_bytes`, read by `at_once` workers.

    A database is read over `connections`, and its disks give all of them `database_mb_per_second` together. An API is
    asked `requests_per_second` times at most by `requests_at_once`, and for `least_requests` things apart.
    """

    dataset: str
    kind: Literal["s3", "http", "postgres"] = "s3"
    source_bytes: int
    shard_bytes: int
    at_once: int = 40
    speed: Throughput
    connections: int = 0
    database_mb_per_second: float = math.inf
    requests_per_second: float = 5.0
    requests_at_once: int = 1
    least_requests: int = 1

    @property
    def shards(self) -> int:
        """One at least: a source that brings nothing is looked at all the same."""
        return max(1, math.ceil(self.source_bytes / self.shard_bytes))

    @property
    def workers(self) -> int:
        """So many work at a time."""
        return min(self.at_once, self.shards)

    @property
    def worker_mb_per_second(self) -> float:
        """What each of them converts: bound by its core, its network card, and its share of a database's disks."""
        share = self.database_mb_per_second / self.workers
        return min(self.speed.mb_per_second, CARD_MB_PER_SECOND, share)

    @property
    def seconds_a_shard(self) -> float:
        return min(self.source_bytes, self.shard_bytes) / 1e6 / self.worker_mb_per_second

    @property
    def requests(self) -> int:
        """Requests to an API."""
        return max(self.least_requests, math.ceil(self.source_bytes / ANSWER_BYTES)) if self.kind == "http" else 0

    @property
    def extract_seconds(self) -> float:
        """What Plan does before there are shards: asks the API and lands its answers, or counts the table's rows."""
        if self.kind == "http":
            return self.requests * max(1 / self.requests_per_second, ANSWER_SECONDS / self.requests_at_once)
        return self.source_bytes / 1e6 / self.database_mb_per_second

    @property
    def convert_seconds(self) -> float:
        """Children start one after the other, and so many run at once."""
        waves = math.ceil(self.shards / self.at_once)
        return max(self.shards / CHILD_STARTS_PER_SECOND + self.seconds_a_shard, waves * self.seconds_a_shard)

    @property
    def busy_seconds(self) -> float:
        """What its workers are paid for, all together, besides their starts."""
        return self.source_bytes / 1e6 / self.worker_mb_per_second

    @property
    def parquet_bytes(self) -> int:
        return round(self.source_bytes * self.speed.parquet_ratio)

"""What a source says whose rows lie in a table of PostgreSQL, as written in pipeline.yaml."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nightlake.core.source import BUSINESS_DATE, Deadline, Source, TimeZone

Identifier = Annotated[str, Field(pattern=r'^[^"\x00-\x1f]{1,63}$')]  # it is quoted wherever it is said


class PostgresSource(Source):
    """The rows of a table whose watermark lies in the business date.

    Late commits: rows of the last `overlap_minutes` before the date are read once more, and those that no night has
    published are taken then. So `partition_by` is the watermark's column where there is an overlap.
    """

    from_: Literal["postgres"] = Field(alias="from", description="The kind of source.")
    database: str = Field(
        pattern=r"^[a-z][a-z0-9-]{0,31}$", description="The database, as the stage's settings in cdk.json call it."
    )
    table: str = Field(
        pattern=r'^(?:[^."\x00-\x1f]{1,63}|"[^"\x00-\x1f]{1,63}")(?:\.(?:[^."\x00-\x1f]{1,63}|"[^"\x00-\x1f]{1,63}"))?$',
        description="The table or view, letters as the catalog has them: `public.events`, or "
        "`'\"odd.schema\".Events'` where a name has a dot.",
    )
    watermark: Identifier = Field(description="The table's column that says which day a row belongs to.")
    timezone: TimeZone = Field(
        "UTC", description="The zone of the day's bounds, and of timestamps without one; they are stored as UTC."
    )
    overlap_minutes: int = Field(0, ge=0, le=1440, description="So much before the date is read once more.")
    shards: Literal["time", "key", "blocks"] = Field(
        "time", description="What the rows are cut by: the watermark, `key`, or the table's blocks."
    )
    key: Identifier | None = Field(None, description="The table's whole-number column to cut by.")
    shard_bytes: int = Field(256 << 20, ge=1 << 20, le=4 << 30, description="About so much of a table is one shard.")
    max_value_bytes: int = Field(
        16 << 20, ge=1 << 10, le=64 << 20, description="A longer value refuses its row, and takes no other with it."
    )
    connections: int = Field(4, ge=1, le=64, description="At most so many connections read the table at once.")
    snapshot: Literal["shard", "source"] = Field(
        "shard",
        description="What is read as of one moment: each shard, or the source as one shard over `connections`.",
    )
    statement_timeout_seconds: int = Field(840, ge=1, le=840, description="A longer statement is given up.")
    lock_timeout_seconds: int = Field(10, ge=1, le=600, description="A lock that takes longer is given up.")
    ready: Deadline = Field(Deadline(), description="How long the night waits for open transactions of the day.")

    @model_validator(mode="after")
    def _makes_sense(self) -> "PostgresSource":
        if (self.shards == "key") != (self.key is not None):
            raise ValueError("shards: key needs `key`, the column to cut by, and nothing else takes one")
        if self.shards == "blocks" and self.snapshot != "source":
            raise ValueError(
                "shards: blocks needs snapshot: source, as a row that is updated meanwhile moves to another block"
            )
        if self.overlap_minutes and self.partition_by == BUSINESS_DATE:
            raise ValueError(
                "overlap_minutes brings rows of the day before: let partition_by be the column of the watermark"
            )
        if self.overlap_minutes and not self.partitions_by_watermark:
            raise ValueError(
                f"overlap_minutes needs partition_by to be the column of the watermark {self.watermark!r}, which says "
                "where to look for rows that are published already"
            )
        return self

    @property
    def partitions_by_watermark(self) -> bool:
        """Whether rows go to the day of their watermark, so that it says where those are that were published before."""
        renamed = {mapping.column: mapping.source for mapping in self.columns}
        return self.partition_by != BUSINESS_DATE and renamed.get(self.partition_by, self.partition_by) == (
            self.watermark
        )

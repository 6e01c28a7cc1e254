"""The compiled pipeline: the one frozen object that everything else reads, and that Lambdas load from JSON.

`nightlake.core.contract` makes it from the files of `pipelines/<name>/`. It needs pydantic only: no YAML, no ODCS
library and no pyarrow come with it.
"""

import hashlib
import json
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, computed_field, model_validator

from nightlake.core.cron import check_cron
from nightlake.core.frozen import Frozen
from nightlake.core.model.declaration import Recommender
from nightlake.core.source import S3Source, TimeZone
from nightlake.core.sources import AnySource

Severity = Literal["warn", "quarantine", "fail"]
Metric = Literal["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount", "rowCountChange"]
Operator = Literal[
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
]


class Column(Frozen):
    """One column. `type` is its Hive type in canonical spelling, for example `decimal(12,2)` or `array<string>`.

    `drift`: it came with a delivery, and no contract declares it.
    """

    name: str
    type: str
    required: bool = False
    private: bool = False
    drift: bool = False
    description: str = ""


class ValidValues(Frozen):
    """What a valid value is. Limits and values are texts that parse as the column's type, so nothing is rounded."""

    minimum: str | None = None
    maximum: str | None = None
    exclusive_minimum: str | None = None
    exclusive_maximum: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    values: tuple[str, ...] | None = None


class Rule(Frozen):
    """One quality rule in the words of ODCS: `metric` of `columns`, counted in `unit`, `operator` `operands`.

    `rowCountChange` is our own: the number of rows against that of the newest day published before.

    `missing` are the spellings that count as missing; `valid` says what is valid for the metric `invalidValues`.
    A rule of severity `quarantine` always reads "mustBe 0 rows" and is decided row by row.
    """

    id: str
    metric: Metric
    severity: Severity
    columns: tuple[str, ...] = ()
    valid: ValidValues | None = None
    missing: tuple[str | None, ...] = ()
    operator: Operator = "mustBe"
    operands: tuple[int | float, ...] = (0,)
    unit: Literal["rows", "percent"] = "rows"
    description: str = ""


class Relationship(Frozen):
    """A foreign key: every value of `columns` should be found in `to_columns` of the dataset `to`."""

    id: str
    columns: tuple[str, ...]
    to: str
    to_columns: tuple[str, ...]
    severity: Literal["warn", "fail"]


class Dataset(Frozen):
    """One published dataset: the table `name`, and the table `<name>_private` when columns are private."""

    name: str
    description: str = ""
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    relationships: tuple[Relationship, ...] = ()


class Schedule(Frozen):
    """When the night starts."""

    cron: Annotated[str, AfterValidator(check_cron)] | None = Field(
        "0 3 * * ? *",
        description="AWS cron of six fields: minute, hour, day of month, month, day of week, year; null: none.",
    )
    timezone: TimeZone = Field("UTC", description="The IANA time zone of `cron`.")
    on_delivery: bool = Field(
        False, description="Whether a delivery to the raw bucket starts a run at once, of the day that its path names."
    )
    by_request: bool = Field(
        False, description="Whether nothing but a request starts a night: a person's, or another pipeline's."
    )

    @model_validator(mode="after")
    def _starts(self) -> "Schedule":
        if self.by_request and (self.cron is not None or self.on_delivery):
            raise ValueError("a night that is started by request alone has no cron (write cron: null), no on_delivery")
        if self.cron is None and not (self.on_delivery or self.by_request):
            raise ValueError("nothing starts a night: write a cron, on_delivery: true or by_request: true")
        return self


class BusinessDate(Frozen):
    """Which day a night is about."""

    offset_days: int = Field(-1, ge=-366, le=0, description="Days from the scheduled time's date.")
    timezone: TimeZone = Field("UTC", description="The IANA time zone in which the scheduled time has its date.")


class Pipeline(Frozen):
    """Everything that one pipeline is. Equal pipelines have equal hashes, whatever the order of keys in their files."""

    model_config = ConfigDict(extra="ignore")  # the computed hash, on the way back from JSON

    name: str
    version: str
    description: str = ""
    schedule: Schedule
    business_date: BusinessDate
    datasets: tuple[Dataset, ...]
    sources: tuple[AnySource, ...]
    merge: tuple[str, ...] = ()
    latency_minutes: int
    retention_days: int
    model: Recommender | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def contract_hash(self) -> str:
        """SHA-256, in hex, of the canonical JSON of what says how its data become tables: all but the model."""
        fields = self.model_dump(mode="json", exclude={"contract_hash", "model"})
        return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name, which there is."""
        return next(dataset for dataset in self.datasets if dataset.name == name)

    def source(self, dataset: str) -> AnySource:
        """Where the rows of that dataset come from."""
        return next(source for source in self.sources if source.dataset == dataset)

    def day_of(self, key: str) -> date | None:
        """The day that is delivered with an object of this key; None for one that no source reads."""
        sources = (source for source in self.sources if isinstance(source, S3Source))
        return next((day for source in sources if (day := source.day_of(key))), None)

    def __hash__(self) -> int:
        return hash(self.contract_hash)

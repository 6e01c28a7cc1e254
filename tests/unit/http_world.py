"""An API in memory and a clock that never waits: what an extraction asks, lands and gives to Convert."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from memory_objects import MemoryObjects
from nightlake.core import column_type
from nightlake.core.cast import cast
from nightlake.core.convert import convert
from nightlake.core.delivery import Delivery
from nightlake.core.extract_http import extract_http
from nightlake.core.http_exchange import Clock, Fetch, HttpAnswer, HttpRequest
from nightlake.core.http_source import HttpSource
from nightlake.core.pipeline import Column, Dataset, Pipeline
from nightlake.core.plan import Planned, Request, plan
from nightlake.core.readers.answers import read_answers
from nightlake.core.shard import Receipt, Shard
from nightlake.core.shard_output import Attempt
from nightlake.core.value_parser import Reading
from small_pipeline import small_pipeline

DAY = date(2025, 5, 9)
NOW = datetime(2025, 5, 10, 3, tzinfo=UTC)
URL = "https://api.example.com/v1/things"

Serve = Callable[[HttpRequest], HttpAnswer]


def source(**fields: Any) -> HttpSource:
    """A source as pipeline.yaml would declare it."""
    said = {"dataset": "t", "from": "http", "url": URL, "requests_per_second": 1000.0, **fields}
    return HttpSource.model_validate_json(json.dumps(said))


def dataset(**types: str) -> Dataset:
    return Dataset(name="t", columns=tuple(Column(name=name, type=kind) for name, kind in types.items()))


def answer(body: object, status: int = 200, **headers: str) -> HttpAnswer:
    """JSON as servers write it, or a text as it is."""
    text = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status, {"content-type": "application/json", **named}, text.encode())


def asked(request: HttpRequest) -> dict[str, str]:
    """The parameters of a request's query."""
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query, keep_blank_values=True).items()}


@dataclass
class Api(Fetch):
    """Answers what `serve` says, and remembers what it was asked."""

    serve: Serve
    requests: list[HttpRequest] = field(default_factory=list)
    renewed: int = 0
    secret: str = ""

    def ask(self, request: HttpRequest, *, renew: bool = False) -> HttpAnswer:
        self.requests.append(request)
        self.renewed += renew
        return self.serve(request)

    def hide(self, text: str) -> str:
        return text.replace(self.secret, "***") if self.secret else text

    def official(self, url: str) -> str:
        return url


@dataclass
class FastClock(Clock):
    """Sleeping takes no time, and yet it passes; `each_look` seconds pass whenever somebody looks."""

    at: float = 0.0
    each_look: float = 0.0
    slept: list[float] = field(default_factory=list)

    def seconds(self) -> float:
        self.at += self.each_look
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def jitter(self) -> float:
        return 0.5


@dataclass
class World:
    """One source, its API and the buckets; the time is that of the clock."""

    source: HttpSource
    api: Api
    dataset: Dataset = field(default_factory=lambda: dataset(id="bigint"))
    raw: MemoryObjects = field(default_factory=lambda: MemoryObjects("raw"))
    lake: MemoryObjects = field(default_factory=lambda: MemoryObjects("lake"))
    quarantine: MemoryObjects = field(default_factory=lambda: MemoryObjects("quarantine"))
    clock: FastClock = field(default_factory=FastClock)

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.clock.at)

    @property
    def pipeline(self) -> Pipeline:
        return small_pipeline("p", [self.dataset], [self.source])

    def request(self, *, previous: str | None = None, run_id: str = "run-1", at: str | None = None) -> Request:
        return Request(
            pipeline="p", dataset="t", date=DAY, run_id=run_id, attempt=1, scheduled_at=at, previous=previous
        )

    def extract(self, *, previous: str | None = None, run_id: str = "run-1", **options: Any) -> Delivery:
        """One look of Plan."""
        return extract_http(
            self.source,
            self.request(previous=previous, run_id=run_id),
            self.now,
            dataset=self.dataset,
            raw=self.raw,
            fetch=self.api,
            clock=self.clock,
            **options,
        )

    def whole(self, looks: int = 100, **options: Any) -> Delivery:
        """Looks until the day is there, without waiting."""
        for _ in range(looks):
            found = self.extract(**options)
            if not found.missing:
                return found
            self.clock.at += found.wait_seconds or 60
        raise AssertionError(found.missing)

    def plan(self, *, at: str | None = None, previous: str | None = None) -> Planned:
        return plan(
            self.request(at=at, previous=previous),
            self.pipeline,
            raw=self.raw,
            lake=self.lake,
            code_version="1",
            now=self.now,
            extract=lambda _source, request, now: extract_http(
                self.source, request, now, dataset=self.dataset, raw=self.raw, fetch=self.api, clock=self.clock
            ),
        )

    def shards(self, delivery: Delivery) -> list[Shard]:
        return [
            Shard(
                pipeline="p",
                dataset="t",
                date=DAY,
                index=index,
                object=item,
                start=0,
                end=item.size,
                records=records,
                fingerprint=item.etag,
            )
            for index, (item, records) in enumerate(zip(delivery.objects, delivery.records, strict=True))
        ]

    def receipts(self, delivery: Delivery) -> list[Receipt]:
        """What Convert makes of it."""
        return [
            convert(
                shard,
                self.pipeline,
                Attempt("run-1", "attempt-1", NOW),
                raw=self.raw,
                staging=self.lake,
                quarantine=self.quarantine,
            )
            for shard in self.shards(delivery)
        ]

    def rows(self, delivery: Delivery) -> list[tuple[Any, ...]]:
        """All values that were read, as the contract has them, or why one is none; refused records by their reason."""
        found: list[tuple[Any, ...]] = []
        reading = Reading.of(self.source)
        kinds = {column.name: column_type.parse(column.type) for column in self.dataset.columns}
        for shard in self.shards(delivery):
            read = 0
            placed: list[tuple[int, tuple[Any, ...]]] = []
            for batch in read_answers(shard, self.source, self.dataset, self._stream(shard)):
                read += batch.records
                assert list(batch.columns) == list(kinds)
                columns = [_values(cast(batch.columns[name], kind, reading)) for name, kind in kinds.items()]
                placed += zip(map(int, batch.positions), zip(*columns, strict=True), strict=True)
                placed += [(row.position, row.reasons) for row in batch.refused]
            assert read == shard.records
            assert sorted(position for position, _ in placed) == list(range(1, read + 1))
            found += [row for _, row in sorted(placed, key=lambda pair: pair[0])]
        return found

    def _stream(self, shard: Shard) -> Callable[[int, int], Iterator[bytes]]:
        return lambda start, end: self.raw.stream(shard.object.key, start, end, shard.object.version_id)

    def landed(self, name: str = "answers-") -> list[Mapping[str, Any]]:
        """All envelopes of all extractions."""
        keys = [info.key for info in self.raw.list("") if f"/{name}" in info.key]
        return [json.loads(line) for key in keys for line in self.raw.get(key).splitlines()]


def _values(done: Any) -> list[Any]:
    values = done.values.to_pylist()
    for row, reason in done.refused.items():
        values[row] = f"refused: {reason}"
    return values

"""Pipelines that nobody wrote, with sources of any kinds: the same datasets, which come from somewhere else."""

from nightlake.core.http_source import HttpSource
from nightlake.core.pipeline import Pipeline
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.sources import AnySource

API_SECRET = "apis/prices"


def of_kinds(pipeline: Pipeline, *kinds: str, name: str = "shop") -> Pipeline:
    """The pipeline, called `name`, with one source of each kind; `postgres:app` reads the database `app`."""
    sources = tuple(_source(kind, old) for kind, old in zip(kinds, pipeline.sources, strict=False))
    datasets = pipeline.datasets[: len(sources)]
    return pipeline.model_copy(update={"name": name, "sources": sources, "datasets": datasets, "merge": ()})


def _source(kind: str, old: AnySource) -> AnySource:
    kind, _, database = kind.partition(":")
    said = {"dataset": old.dataset, "from": kind, "columns": {each.column: each.source for each in old.columns}}
    match kind:
        case "http":
            auth = {"by": "bearer", "secret": API_SECRET}
            url = {"url": "https://api.example.com/prices", "query": {"day": "{date:%Y-%m-%d}"}}
            return HttpSource.model_validate(said | url | {"auth": auth})
        case "postgres":
            table = {"database": database, "table": "public.orders", "watermark": "ordered_at"}
            return PostgresSource.model_validate(said | table | {"connections": 6})
        case _:
            return old

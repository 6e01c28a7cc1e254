"""A pipeline of nothing but its datasets and their sources, for tests that care for no more of it."""

from collections.abc import Sequence

from nightlake.core.pipeline import BusinessDate, Dataset, Pipeline, Schedule
from nightlake.core.sources import AnySource


def small_pipeline(name: str, datasets: Sequence[Dataset], sources: Sequence[AnySource]) -> Pipeline:
    return Pipeline(
        name=name,
        version="1",
        schedule=Schedule(),
        business_date=BusinessDate(),
        datasets=tuple(datasets),
        sources=tuple(sources),
        latency_minutes=30,
        retention_days=1,
    )

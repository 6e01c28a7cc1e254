"""Where a model's results go in the raw bucket: deliveries to the pipeline that publishes them, each with a manifest.

The manifest is written last, so that a delivery without it, or with other files than it lists, is none.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from nightlake.core.model.declaration import Recommender
from nightlake.core.pipeline import Pipeline
from nightlake.core.source import ParquetSource, matching
from nightlake.core.store import Store

RECOMMENDATIONS: Final = "recommendations"
METRICS: Final = "model_metrics"
_ONE_NAME: Final = re.compile(r"[^*?]*/[^*?/]*\*[^*?/]*")


def popular_dataset(model: Recommender) -> str:
    """The dataset of what is popular."""
    return f"popular_{model.items.dataset}"


def drop_off_faults(publisher: Pipeline, model: Recommender) -> Iterator[str]:
    """Why the model cannot deliver to the pipeline; nothing if it can."""
    sources = {source.dataset: source for source in publisher.sources}
    for name in (RECOMMENDATIONS, popular_dataset(model), METRICS):
        source = sources.get(name)
        if source is None:
            yield f"{publisher.name} has no dataset {name!r}: add it, or name another pipeline"
        elif not isinstance(source, ParquetSource) or not source.ready.manifest:
            yield f"{publisher.name}.{name} needs from: s3, format: parquet and ready: {{manifest: ...}}"
        elif not _ONE_NAME.fullmatch(source.path):
            yield f"{publisher.name}.{name} needs a path of one wildcard, as in .../{{date:%Y/%m/%d}}/*.parquet"


def source_of(publisher: Pipeline, dataset: str) -> ParquetSource:
    """The source of that dataset, in which `drop_off_faults` finds none."""
    source = publisher.source(dataset)
    if not isinstance(source, ParquetSource):
        raise TypeError(f"{publisher.name}.{dataset} is not delivered as Parquet")
    return source


def part_key(source: ParquetSource, day: date, name: str) -> str:
    """The key of one file of a day's delivery."""
    return source.pattern(day).replace("*", name)


def complete_delivery(raw: Store, source: ParquetSource, day: date, keys: Sequence[str]) -> None:
    """Make the day's delivery exactly these objects, which are there: others that match go, then the manifest comes."""
    folder = source.folder(day)
    matches = re.compile(matching(source.pattern(day))).fullmatch
    manifest = f"{folder}{source.ready.manifest}"
    raw.delete(
        [
            found.key
            for found in raw.list(source.prefix(day))
            if matches(found.key) and found.key not in {*keys, manifest}
        ]
    )
    raw.put(manifest, "".join(f"{key.removeprefix(folder)}\n" for key in keys).encode(), content_type="text/plain")

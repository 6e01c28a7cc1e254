"""The metrics of a night that has ended, of each source and of the whole, from its record."""

from collections.abc import Iterator

from nightlake.core.metrics import Measured
from nightlake.core.prices import load_prices
from nightlake.core.run_record import RunRecord, SourceRecord
from nightlake.core.shard_bill import conversion_bill


def night_metrics(record: RunRecord) -> Iterator[Measured]:
    """What Complete emits, once a run.

    `Cost` is that of the conversion in US dollars, as the record has it: other bills come by the month, not by the run.
    """
    times = record.times
    for source in record.sources:
        yield _source(record.pipeline, source, times.sources.get(source.dataset) if times else None)
    published = sum(table.rows for table in record.tables) if record.snapshot else 0
    yield Measured(
        {"pipeline": record.pipeline},
        {
            "RowsPublished": ("Count", published),
            "RowsQuarantined": ("Count", sum(source.quarantined for source in record.sources)),
            "BytesRead": ("Bytes", sum(source.bytes for source in record.sources)),
            "Cost": ("None", sum(item.usd for item in record.conversion)),
            **({"ProcessingSeconds": ("Seconds", times.processing)} if times else {}),
        },
    )
    for part, seconds in times.parts.items() if times else ():
        yield Measured({"pipeline": record.pipeline, "part": part}, {"PartSeconds": ("Seconds", seconds)})


def page_metric(pipeline: str, *, failed: bool) -> Measured:
    """Whether the page of a run could not be written."""
    return Measured({"pipeline": pipeline}, {"PageFailed": ("Count", failed)})


def _source(pipeline: str, source: SourceRecord, seconds: float | None) -> Measured:
    judged = source.rows + source.quarantined
    bill = conversion_bill(converted=source.shards - source.reused, gb_seconds=source.gb_seconds, prices=load_prices())
    return Measured(
        {"pipeline": pipeline, "dataset": source.dataset},
        {
            "RowsRead": ("Count", judged),
            "RowsAccepted": ("Count", source.rows),
            "RowsQuarantined": ("Count", source.quarantined),
            "QuarantinedPercent": ("Percent", 100 * source.quarantined / judged if judged else 0.0),
            "BytesRead": ("Bytes", source.bytes),
            "Rejected": ("Count", source.status == "rejected"),
            "Cost": ("None", sum(item.usd for item in bill)),
            **({"IngestSeconds": ("Seconds", seconds)} if seconds is not None else {}),
        },
    )

"""Completes a delivery: all users are scored, what is popular and how the model does lie beside, manifests are last."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from nightlake.core import layout
from nightlake.core.errors import ScoringIncompleteError
from nightlake.core.model.declaration import Recommender
from nightlake.core.model.drop_off import (
    METRICS,
    RECOMMENDATIONS,
    complete_delivery,
    part_key,
    popular_dataset,
    source_of,
)
from nightlake.core.model.model_record import Measurement, ScoringReceipt, ScoringShard
from nightlake.core.model.parquet import get_table, parquet_bytes
from nightlake.core.parallel import each
from nightlake.core.pipeline import Pipeline
from nightlake.core.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

WORKERS: Final = 16
EVERYTHING: Final = "*"  # the group of what is popular in all groups together


def deliver(
    pipeline: str,
    run_id: str,
    day: date,
    declaration: Recommender,
    publisher: Pipeline,
    *,
    champion: int,
    lake: Store,
    raw: Store,
    workers: int = WORKERS,
) -> int:
    """Make the day's delivery what this run has scored, and return how many recommendations there are.

    Until their manifest is there, which comes last, the day has no delivery. Raises ScoringIncompleteError.
    """
    source = source_of(publisher, RECOMMENDATIONS)
    lines = lake.get(layout.scoring_shards(pipeline, run_id)).splitlines()
    shards = [ScoringShard.model_validate_json(line) for line in lines]
    delivered = {found.key: found.etag for found in raw.list(source.prefix(day))}
    receipts = each(lambda shard: _receipt(lake, shard, champion, delivered), shards, workers=workers)
    rows = sum(receipt.rows for receipt in receipts)
    if not rows:
        raise ScoringIncompleteError(f"Run {run_id} would recommend nothing to anybody; see what its model knows")
    measurement = lake.get_model(layout.measurement(pipeline, run_id), Measurement)
    beside = {
        METRICS: metrics_row(measurement, declaration),
        popular_dataset(declaration): popular_rows(
            get_table(lake, layout.scoring_items(pipeline, run_id)), declaration
        ),
    }
    for dataset, table in beside.items():
        to = source_of(publisher, dataset)
        key = part_key(to, day, f"part-{run_id}")
        raw.put(key, parquet_bytes(table))
        complete_delivery(raw, to, day, [key])
    complete_delivery(raw, source, day, [receipt.key for receipt in receipts])
    return rows


def _receipt(lake: Store, shard: ScoringShard, champion: int, delivered: Mapping[str, str]) -> ScoringReceipt:
    """The receipt of the shard, true of what lies in the raw bucket."""
    found = lake.find_model(layout.scoring_receipt(shard.pipeline, shard.run_id, shard.index), ScoringReceipt)
    if found is None:
        raise ScoringIncompleteError(
            f"Shard {shard.index} of run {shard.run_id} (users {shard.first} to {shard.last}) was not scored; see the "
            "failed children of Score, then start the scoring again"
        )
    receipt = found[0]
    if receipt.shard != shard or shard.champion != champion or delivered.get(receipt.key) != receipt.etag:
        raise ScoringIncompleteError(
            f"The receipt of shard {shard.index} of run {shard.run_id} is not of a scoring by version {champion}, or "
            f"the object {receipt.key} is not the one that it names; start the scoring again"
        )
    return receipt


def popular_rows(items: "pa.Table", declaration: Recommender) -> "pa.Table":
    """The most popular items of each group and, as `EVERYTHING`, of all: group, rank, item, what is shown, events."""
    import pyarrow as pa
    import pyarrow.compute as pc

    said = declaration.items
    ranked = items.filter(pc.greater(items["events"], 0)).sort_by([("events", "descending"), (said.key, "ascending")])
    groups = ranked[said.group].to_pylist() if said.group else []
    places: dict[str, list[int]] = {EVERYTHING: [*range(min(declaration.list_length, ranked.num_rows))]}
    for row, group in enumerate(groups):
        if group is not None and len(places.setdefault(group, [])) < declaration.list_length:
            places[group].append(row)
    chosen = ranked.take([row for rows in places.values() for row in rows])
    columns: dict[str, Sequence[object] | pa.ChunkedArray] = {
        said.group or "group": pa.array([group for group, rows in places.items() for _ in rows], pa.string()),
        "rank": pa.array([rank for rows in places.values() for rank in range(1, len(rows) + 1)], pa.int32()),
        **{name: chosen[name] for name in (said.key, *said.show)},
        declaration.interactions.dataset: chosen["events"],
    }
    return pa.table(columns)


def metrics_row(measured: Measurement, declaration: Recommender) -> "pa.Table":
    """How the model did, as one row; what was not measured for want of new events is null."""
    import pyarrow as pa

    found = measured.measured
    events = declaration.interactions.dataset
    row = {
        "model_version": (measured.version, pa.int32()),
        "users": (measured.users, pa.int64()),
        "items": (measured.items, pa.int64()),
        events: (measured.events, pa.int64()),
        f"new_{events}": (measured.new_events, pa.int64()),
        **{
            name: (getattr(found, name) if found else None, pa.float64())
            for name in ("precision", "recall", "ndcg", "map", "coverage")
        },
        **{
            f"popularity_{name}": (getattr(measured.popularity, name) if measured.popularity else None, pa.float64())
            for name in ("precision", "recall")
        },
        "expected_recall": (measured.expected.recall, pa.float64()),
        "shift": (measured.shift, pa.float64()),
        "age_days": (measured.age_days, pa.int32()),
        "drifted": (measured.drifted, pa.bool_()),
    }
    return pa.table({name: pa.array([value], kind) for name, (value, kind) in row.items()})

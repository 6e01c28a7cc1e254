"""What the API says about snapshots: those that HEAD keeps, the newest first."""

from collections.abc import Iterable
from typing import Any

from nightlake.core.api.published import Published


def list_snapshots(published: Published, pipelines: Iterable[str], limit: int) -> list[dict[str, Any]]:
    """At most `limit` snapshots of each pipeline; `published` is true for the one that readers see."""
    heads = [head for pipeline in pipelines if (head := published.head(pipeline))]
    return [
        {
            "pipeline": head.pipeline,
            "number": kept.number,
            "date": kept.date.isoformat(),
            "run_id": kept.run_id,
            "created_at": kept.created_at,
            "published": kept.number == head.snapshot,
        }
        for head in heads
        for kept in sorted(head.kept, key=lambda kept: kept.number, reverse=True)[:limit]
    ]

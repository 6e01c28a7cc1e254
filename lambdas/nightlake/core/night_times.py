"""When the parts of a night happened, told by when the run's own notes were written: nobody has to carry clocks along.

A source is ready when its Plan is written: from then on it is ours to convert, before it was the producer's to deliver.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from pydantic import Field

from nightlake.core import layout
from nightlake.core.frozen import Frozen
from nightlake.core.store import Store

PARTS: Final = ("wait", "ingest", "seal", "merge", "publish", "report")


class Times(Frozen):
    """Seconds of a night: `processing` from the last source's readiness (or the start, where that was later) to the
    end; `PARTS` of the whole; `sources` from readiness to verdict. What did not happen is not there.
    """

    processing: float
    ready_at: datetime | None = None
    parts: Mapping[str, float] = Field(default_factory=dict)
    sources: Mapping[str, float] = Field(default_factory=dict)


def ready_at(lake: Store, pipeline: str, day: date, run_id: str) -> dict[str, datetime]:
    """When each dataset's newest attempt was planned; those that wait for their delivery are not there."""
    return _ready(_notes(lake, pipeline, day, run_id))


def night_times(
    lake: Store,
    pipeline: str,
    day: date,
    run_id: str,
    *,
    started_at: datetime,
    published_at: datetime | None,
    ended_at: datetime,
) -> Times:
    """The times of a run that has ended."""
    notes = _notes(lake, pipeline, day, run_id)
    ready = _ready(notes)
    judged = {_name(key): at for key, at in notes.items() if key.startswith("validation/")}
    last_ready = max(ready.values(), default=None)
    begun = max(started_at, last_ready or started_at)
    ends = (
        last_ready,
        max(judged.values(), default=None),
        _last(notes, "sealed/", "across.json"),
        _last(notes, "audits/"),
        published_at,
        ended_at if published_at else None,
    )
    parts, since = {}, started_at
    for part, at in zip(PARTS, ends, strict=True):
        if at is not None:
            parts[part] = max(0.0, (at - since).total_seconds())
            since = max(since, at)
    return Times(
        processing=max(0.0, (ended_at - begun).total_seconds()),
        ready_at=last_ready,
        parts=parts,
        sources={
            name: max(0.0, (at - ready[name]).total_seconds()) for name, at in sorted(judged.items()) if name in ready
        },
    )


def _notes(lake: Store, pipeline: str, day: date, run_id: str) -> dict[str, datetime]:
    prefix = layout.run(pipeline, day, run_id)
    return {found.key.removeprefix(prefix): found.modified for found in lake.list(prefix)}


def _ready(notes: Mapping[str, datetime]) -> dict[str, datetime]:
    """Of `plans/<dataset>-<attempt>.json` the newest; a third number is a round of cutting, which is conversion."""
    found: dict[str, datetime] = {}
    for key, at in notes.items():
        plan = re.fullmatch(r"plans/(.+?)-\d+\.json", key)
        if plan is not None and not re.search(r"-\d+$", plan[1]):
            found[plan[1]] = max(at, found.get(plan[1], at))
    return found


def _last(notes: Mapping[str, datetime], *prefixes: str) -> datetime | None:
    return max((at for key, at in notes.items() if key.startswith(prefixes)), default=None)


def _name(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")

"""What the API says about runs: their records, as the runs wrote them."""

import re
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from nightlake.core import layout
from nightlake.core.errors import RunNotFoundError
from nightlake.core.run_record import RunRecord
from nightlake.core.store import Store

DEFAULT_LISTED: Final = 20
MAX_LISTED: Final = 100
_RUN_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_IN_SHORT: Final = {"pipeline", "date", "run_id", "outcome", "error", "started_at", "ended_at", "snapshot"}


def list_runs(store: Store, pipelines: Iterable[str], limit: int) -> list[dict[str, Any]]:
    """The last runs in short, the last that started first."""
    keys = [each.key for pipeline in pipelines for each in deque(store.list(layout.records(pipeline)), maxlen=limit)]
    newest = sorted(keys, key=lambda key: key.rpartition("/")[2], reverse=True)[:limit]
    return [store.get_model(key, RunRecord).model_dump(mode="json", include=_IN_SHORT) for key in newest]


def find_run(store: Store, pipelines: Iterable[str], run_id: str) -> dict[str, Any]:
    """The record of a run in full. Raises RunNotFoundError."""
    if _RUN_ID.fullmatch(run_id):
        for pipeline in pipelines:
            if found := store.find_model(layout.record(pipeline, run_id), RunRecord):
                return found[0].model_dump(mode="json")
    raise RunNotFoundError(
        f"There is no record of a run '{run_id}'; /v1/runs lists those that ended, a run that goes on has none yet"
    )

"""How many queries the checks across shards are cut into, so that none has to hold more keys than Athena's memory.

A query groups or joins by key, and holds every key that it sees. Part i of n sees only those whose hash leaves i when
divided by n: equal keys meet in one part, and each part holds about the n-th of them.
"""

from collections.abc import Mapping
from typing import Final

from nightlake.core.frozen import Frozen
from nightlake.core.pipeline import Pipeline
from nightlake.core.source_rules import queried_rules

KEYS_OF_A_QUERY: Final = 50_000_000
MAX_PARTS: Final = 256


class Part(Frozen):
    """Part number `part` of `parts`, from 0."""

    part: int = 0
    parts: int = 1


def across_parts(pipeline: Pipeline, rows: Mapping[str, int]) -> tuple[Part, ...]:
    """The parts, a power of two of them, by the sealed rows of each dataset; one that did not come has none."""
    keys = sum(_keys(pipeline, rows))
    parts = 1
    while parts < MAX_PARTS and keys > parts * KEYS_OF_A_QUERY:
        parts *= 2
    return tuple(Part(part=part, parts=parts) for part in range(parts))


def _keys(pipeline: Pipeline, rows: Mapping[str, int]) -> list[int]:
    """How many keys each check holds at most: all of its rows, or those that a relationship may refer to."""
    held = [rows.get(dataset.name, 0) for dataset in pipeline.datasets for _ in queried_rules(dataset)]
    return held + [rows.get(each.to, 0) for dataset in pipeline.datasets for each in dataset.relationships]

"""What a night is reckoned to take of Step Functions, Lambda, Glue and Athena, against what a night really takes."""

from collections import Counter
from pathlib import Path
from typing import Any

from nightlake.core.calls import TRANSITIONS, calls
from nightlake.core.graph import graph
from nightlake.core.machine import read_templates, render
from nightlake.core.table import tables

FOLDER = Path(__file__).parents[2] / "statemachines"
TRIGGER = {"scheduled_time": "2026-11-21T03:00:00Z"}
SHARDS_OF_A_SOURCE = 2


def reckoned(night: Any) -> Counter[str]:
    pipeline = night.pipeline
    each = sum(len(tables(dataset)) for dataset in pipeline.datasets)
    items = {
        "tables": 2 * each + 1,  # served and staging, and one for what was refused
        "parts": 2,
        "merges": len(pipeline.merge),
        "merged": len(pipeline.merge),
        "views": 2,
        "reports": 2,
    }
    found = graph(pipeline.name, render(pipeline, read_templates(FOLDER)))
    return calls(found, items, [SHARDS_OF_A_SOURCE] * len(pipeline.sources))


def beside(night: Any) -> int:
    """What the execution's own history does not tell: its start, and the start and the state of each child."""
    return 1 + 2 * SHARDS_OF_A_SOURCE * len(night.pipeline.sources)


def test_a_first_night_takes_what_is_reckoned_and_a_second_one_less(night: Any) -> None:
    states = night.run(**TRIGGER).states
    bound = reckoned(night)
    assert len(states) + beside(night) == bound[TRANSITIONS]
    made = night.function.count()
    assert made.pop("athena") == bound["athena"]
    assert made.total() == bound["lambda"]
    assert states.count("GetTable") + states.count("CreateTable") == bound["glue"]
    again = night.run(date="2026-11-19")
    assert len(again.states) + beside(night) < bound[TRANSITIONS]

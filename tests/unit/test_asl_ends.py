"""The linter of state machines knows how a night may end: broken never well, not in circles, not hopelessly retried."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nightlake.core.asl import lint_asl

Definition = dict[str, Any]

SMALL = Path(__file__).parent / "asl" / "small.asl.json"


@pytest.fixture
def reasons(tmp_path: Path) -> Callable[[Callable[[Definition], object]], str]:
    """What the linter says about the small definition after a change."""

    def lint_changed(change: Callable[[Definition], object]) -> str:
        definition = json.loads(SMALL.read_text())
        change(definition["States"])
        path = tmp_path / "changed.asl.json"
        path.write_text(json.dumps(definition, indent=2))
        return "\n".join(problem.reason for problem in lint_asl(path))

    return lint_changed


def catch(name: str, then: str) -> Definition:
    return {"ErrorEquals": [name], "ResultPath": "$.error", "Next": then}


@pytest.mark.parametrize("name", ["States.TaskFailed", "States.Timeout", "Lambda.Unknown", "Sandbox.Timedout"])
def test_a_breakage_caught_before_states_all_may_not_end_well(
    reasons: Callable[[Callable[[Definition], object]], str], name: str
) -> None:
    found = reasons(lambda states: states["Prepare"]["Catch"].insert(0, catch(name, "Complete")))
    assert f"state 'Prepare' catches {name} and may end well in Complete" in found


def test_a_named_fact_may_end_well(reasons: Callable[[Callable[[Definition], object]], str]) -> None:
    fact = catch("InvalidDateError", "Complete")
    assert reasons(lambda states: states["Prepare"]["Catch"].insert(0, fact)) == ""


def test_what_trying_again_does_not_mend_is_not_retried(
    reasons: Callable[[Callable[[Definition], object]], str],
) -> None:
    hopeless = {"ErrorEquals": ["InvalidDateError"]}
    found = reasons(lambda states: states["Prepare"]["Retry"].append(hopeless))
    assert "state 'Prepare' retries InvalidDateError, which trying again does not mend" in found


def test_a_failure_that_goes_in_circles_never_ends(reasons: Callable[[Callable[[Definition], object]], str]) -> None:
    def circle(states: Definition) -> None:
        del states["Failed"]
        states["AlertFailure"] |= {"Next": "AlertFailure", "Catch": [catch("States.ALL", "AlertFailure")]}

    found = reasons(circle)
    for name in ("Prepare", "EnsureTables", "AlertFailure"):
        assert f"state '{name}' catches States.ALL and may never end" in found


def test_a_definition_that_only_fails_or_loops_is_named(
    reasons: Callable[[Callable[[Definition], object]], str],
) -> None:
    def loop(states: Definition) -> None:
        del states["Complete"]
        states["EnsureTables"]["Next"] = "Begin"

    assert "no way from StartAt ends well" in reasons(loop)


def test_a_choice_says_what_happens_otherwise(reasons: Callable[[Callable[[Definition], object]], str]) -> None:
    choices = [{"Variable": "$.date", "StringEquals": "2026-11-20", "Next": "Done"}]

    def choose(states: Definition, **otherwise: str) -> None:
        states |= {"Complete": {"Type": "Choice", "Choices": choices, **otherwise}, "Done": {"Type": "Succeed"}}

    assert "state 'Complete' fails where no choice matches" in reasons(choose)
    assert reasons(lambda states: choose(states, Default="Done")) == ""

"""The picture of a state machine has every state and transition of it, whatever the pipeline; and can be drawn."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightlake.core.asl_states import machines
from nightlake.core.contract import load_pipeline
from nightlake.core.graph import Graph, Part, folded, graph
from nightlake.core.graph_dot import dot
from nightlake.core.graph_mermaid import mermaid
from nightlake.core.graph_words import condition, duration, retried
from nightlake.core.machine import read_templates, render
from typer.testing import CliRunner

from cli.main import app

ROOT = Path(__file__).resolve().parents[2]
SALES = load_pipeline(ROOT / "pipelines/sales")
TEMPLATES = read_templates(ROOT / "statemachines")
SVG = "{http://www.w3.org/2000/svg}"

names = st.from_regex(r"[a-z][a-z0-9_]{0,60}", fullmatch=True)


@st.composite
def nights(draw: st.DrawFn) -> dict[str, Any]:
    """The machine of a pipeline of one to five sources of any names, some of them optional."""
    sources = tuple(
        SALES.sources[0].model_copy(update={"dataset": name, "required": draw(st.booleans())})
        for name in draw(st.lists(names, min_size=1, max_size=5, unique=True))
    )
    return render(SALES.model_copy(update={"sources": sources}), TEMPLATES)


def night() -> dict[str, Any]:
    return render(SALES, TEMPLATES)


def all_parts(found: Graph) -> list[Part]:
    return [*found.whole.walk()]


def transitions(definition: dict[str, Any]) -> list[tuple[str, str]]:
    """From where to where, read from the definition by the linter's own walk."""
    return sorted(
        (state.name, target)
        for machine in machines(definition)
        for state in machine.states.values()
        for _, target in state.targets()
    )


def titles(part: Part) -> dict[str, bool]:
    return {node.title: node.trouble for node in part.nodes}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nights())
def test_every_state_and_transition_is_in_the_graph_once(definition: dict[str, Any]) -> None:
    found = graph("any", definition)
    states = [name for machine in machines(definition) for name in machine.states]
    assert sorted(node.name for part in all_parts(found) for node in part.nodes) == sorted(states)
    edges = [(edge.source, edge.target) for part in all_parts(found) for edge in part.edges]
    assert sorted(edges) == transitions(definition)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nights())
def test_what_is_drawn_is_what_the_graph_has(definition: dict[str, Any]) -> None:
    found = graph("any", definition)
    nodes = [node for part in all_parts(found) for node in part.nodes]
    drawn = {
        (edge.source, edge.target, edge.way == "catch")
        for part in all_parts(found)
        for edge in part.edges
        if not edge.told
    }
    text = mermaid(found)
    arrows = re.findall(r"^  (s\d+) (-\.->|-->)(?:\|[^|]*\|)? (s\d+)$", text, re.MULTILINE)
    ids = {node.name: f"s{number}" for number, node in enumerate(nodes)}
    assert {(ids[source], target_id, caught) for source, target, caught in drawn if (target_id := ids[target])} == {
        (source, target, arrow == "-.->") for source, arrow, target in arrows
    }
    for node in nodes:
        assert f"<b>{node.title}</b>" in text
    lines = dot(found)
    visible = [line for line in lines.splitlines() if " -> " in line and "style=invis" not in line]
    assert len(visible) == len({(source, target) for source, target, _ in drawn})


def test_errors_that_many_states_send_to_one_are_told_at_each() -> None:
    found = graph("sales", night())
    told = [edge for edge in found.whole.edges if edge.told]
    assert {edge.target for edge in told} == {"AlertFailure"}
    assert len(told) > 5
    for picture in (mermaid(found), dot(found)):
        assert picture.count("any error → AlertFailure") == len(told)


def test_a_good_night_is_told_from_one_that_goes_wrong() -> None:
    found = graph("sales", night())
    whole = titles(found.whole)
    for state in ("Prepare", "IngestSources", "Publish", "Complete", "Succeeded", "Duplicate"):
        assert not whole[state], state
    for state in ("RejectNight", "AlertFailure", "ReleaseLock", "Failed"):
        assert whole[state], state
    branch = titles(next(part for part in all_parts(found) if part.title == "transactions"))
    for state in ("Plan", "AwaitDelivery", "Convert", "Validate", "CutAnew", "Good"):
        assert not branch[state], state
    for state in ("AlertQuality", "Backoff", "Rejected"):
        assert branch[state], state


def test_a_state_says_what_it_calls_waits_for_and_tries_again() -> None:
    found = graph("sales", night())
    nodes = {node.name: node for part in all_parts(found) for node in part.nodes}
    assert nodes["Plan products"].title == "Plan"
    assert nodes["Plan products"].facts == ("Lambda Plan", "at most 15 min")
    assert "40 at once" in nodes["Convert products"].facts
    assert nodes["RunMerge"].facts[0] == "Athena startQueryExecution, until it is done"
    assert nodes["AwaitDelivery products"].facts == ("waits plan.wait_seconds",)
    policies = {policy.letter: policy for policy in found.policies}
    assert "RunInProgressError" in [policies[letter].errors for letter in nodes["Prepare"].retries]
    assert [policies[letter].tries for letter in nodes["RunMerge"].retries] == ["never"]
    assert "Given up after 1 h" in found.comment


def test_conditions_name_the_branch_that_they_mean() -> None:
    (label,) = [edge.label for edge in graph("sales", night()).whole.edges if edge.target == "Seal"]
    assert label == "transactions.status = good and products.status = good and customers.status = good"


def test_branches_alike_show_once_what_may_go_wrong() -> None:
    whole = graph("sales", night())
    short = folded(whole)
    branches = {
        part.title: part for part in all_parts(short) if part.title in ("transactions", "products", "customers")
    }
    assert [part.like for part in branches.values()] == ["", "transactions", "transactions"]
    assert "Rejected" in titles(branches["transactions"])
    assert "Rejected" not in titles(branches["products"])
    assert "Good" in titles(branches["products"])
    assert "as in transactions" in mermaid(short)
    assert "as in transactions" in dot(short)


def test_branches_that_go_other_ways_are_drawn_whole() -> None:
    definition = night()
    states = definition["States"]["IngestSources"]["Branches"][1]["States"]
    states["Backoff products"]["Next"] = "Rejected products"
    products = next(part for part in all_parts(folded(graph("sales", definition))) if part.title == "products")
    assert products.like == ""
    assert "Rejected" in titles(products)


def test_names_that_mean_something_to_the_painters_are_only_names() -> None:
    odd = 'End <b> "x" [1] {2} (3) | `4` # & \\'
    definition = {"StartAt": odd, "States": {odd: {"Type": "Pass", "Comment": odd, "End": True}}}
    text = mermaid(graph("odd", definition))
    assert "<b> " not in text
    assert "&lt;b&gt;" in dot(graph("odd", definition))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"Variable": "$.a", "BooleanEquals": False}, "not a"),
        ({"Not": {"Variable": "$.a", "BooleanEquals": False}}, "a"),
        (
            {"Not": {"And": [{"Variable": "$.a", "BooleanEquals": False}, {"Variable": "$.b", "BooleanEquals": True}]}},
            "not (not a and b)",
        ),
        ({"Not": {"Variable": "$.a", "IsNull": True}}, "not a is null"),
        ({"Variable": "$.a", "IsPresent": False}, "a is not present"),
        ({"Variable": "$.a", "NumericLessThanEqualsPath": "$.b"}, "a ≤ b"),
        ({"Variable": "$.a", "StringMatches": "x*"}, "a like x*"),
        (
            {"Or": [{"And": [{"Variable": "$.a", "StringEquals": "x"}, {"Variable": "$.b", "NumericGreaterThan": 3}]}]},
            "(a = x and b > 3)",
        ),
    ],
)
def test_conditions_in_words(rule: dict[str, Any], words: str) -> None:
    assert condition(rule) == words


def test_durations_and_retries_in_words() -> None:
    assert [duration(seconds) for seconds in (45, 60, 90, 900, 3600, 5400)] == [
        "45 s", "1 min", "90 s", "15 min", "1 h", "90 min",
    ]  # fmt: skip
    # What a retrier does not say is what Step Functions does: three times, after a second, doubling.
    assert retried({"ErrorEquals": ["A"]}) == "3 times, after 1 s, then x2"
    assert retried({"ErrorEquals": ["A"], "MaxAttempts": 0}) == "never"


def nightlake(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["graph", *arguments])


def shown(element: ET.Element) -> Iterator[str]:
    for text in element.iter(f"{SVG}text"):
        yield "".join(text.itertext())


def test_the_command_draws_an_svg_that_needs_nothing_besides_itself(tmp_path: Path) -> None:
    file = tmp_path / "new" / "sales.svg"
    done = nightlake("sales", "--out", str(file), "--full", "--json")
    facts = json.loads(done.stdout)
    assert done.exit_code == 0
    assert facts["states"] == len([name for machine in machines(night()) for name in machine.states])
    assert facts["transitions"] == len(transitions(night()))
    root = ET.fromstring(file.read_text())  # noqa: S314 - our own file
    texts = [*shown(root)]
    for title in {node.title for part in all_parts(graph("sales", night())) for node in part.nodes}:
        assert title in texts, title
    assert "prefers-color-scheme:dark" in file.read_text()
    outside = [value for each in root.iter() for key, value in each.attrib.items() if key.endswith("href")]
    assert [value for value in outside if value] == []


def test_without_a_file_it_prints_mermaid_and_refuses_other_pictures(tmp_path: Path) -> None:
    printed = nightlake("sales")
    assert printed.exit_code == 0
    assert "flowchart TB" in printed.stdout
    file = tmp_path / "sales.mmd"
    assert nightlake("sales", "--out", str(file)).exit_code == 0
    assert file.read_text() == printed.stdout
    refused = nightlake("sales", "--out", str(tmp_path / "sales.png"), "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["error"] == "UnknownPictureError"
    assert json.loads(nightlake("sails", "--json").stdout)["error"] == "PipelineUnknownError"

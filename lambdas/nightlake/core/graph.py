"""A state machine as a graph: its states, its transitions, and which of them belong to nights that go wrong.

Made from a definition in the Amazon States Language, whatever machine it is; graph_mermaid and graph_dot draw it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_lowercase
from typing import Any, Final, Literal

from nightlake.core import graph_words
from nightlake.core.asl_states import Machine, as_dict, as_list
from nightlake.core.frozen import Frozen

Way = Literal["next", "choice", "else", "catch"]
Definition = Mapping[str, Any]

# So many catchers of one machine that lead to one state are told at each state: as lines they would hide the rest.
MANY_CATCHERS: Final = 4


class Edge(Frozen):
    """A transition; `trouble` is of nights that go wrong; `told` is one of many catchers, told instead of drawn."""

    source: str
    target: str
    way: Way
    label: str = ""
    trouble: bool = False
    told: bool = False


class Node(Frozen):
    """A state: its unique `name`, the `title` to show, and `facts`, a line each; `retries` are letters of policies.

    A Task calls a `service`; a Map goes over `items`, which is the last word of where they stand.
    `parts` are the machines within: the branches of a Parallel, or what a Map does with each item.
    """

    name: str
    title: str
    kind: str
    facts: tuple[str, ...] = ()
    retries: tuple[str, ...] = ()
    comment: str = ""
    trouble: bool = False
    ends: bool = False
    service: str = ""
    items: str = ""
    parts: tuple["Part", ...] = ()


class Part(Frozen):
    """One machine: the whole, a branch or the inside of a Map. Its edges join its own nodes only."""

    title: str
    start: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    like: str = ""

    def walk(self) -> Iterator["Part"]:
        """This machine and every one within it."""
        yield self
        for node in self.nodes:
            for part in node.parts:
                yield from part.walk()


class Policy(Frozen):
    """Which errors are tried again, how often and when; nodes name it by its letter."""

    letter: str
    errors: str
    tries: str


class Graph(Frozen):
    """A machine to draw."""

    title: str
    comment: str
    whole: Part
    policies: tuple[Policy, ...]


def graph(title: str, definition: Definition) -> Graph:
    """The graph of a definition that the linter of definitions has no complaint about."""
    policies: dict[str, Policy] = {}
    for state in _states(definition):
        for retrier in as_list(state.get("Retry")):
            policies.setdefault(json.dumps(retrier), _policy(retrier, number=len(policies)))
    limit = definition.get("TimeoutSeconds")
    comment = str(definition.get("Comment", ""))
    if isinstance(limit, int):
        comment = f"{comment} Given up after {graph_words.duration(limit)}.".strip()
    return Graph(
        title=title,
        comment=comment,
        whole=_part(title, definition, "", policies),
        policies=tuple(policies.values()),
    )


def folded(whole: Graph) -> Graph:
    """The graph with routes of trouble in the first branch of each shape only; `like` of the others names it."""
    return whole.model_copy(update={"whole": _folded(whole.whole)})


def _folded(part: Part) -> Part:
    nodes = []
    for node in part.nodes:
        first: dict[str, str] = {}
        parts = []
        for inner in map(_folded, node.parts):
            same = first.setdefault(_shape(inner), inner.title)
            parts.append(inner if same == inner.title else _without_trouble(inner, like=same))
        nodes.append(node.model_copy(update={"parts": tuple(parts)}))
    return part.model_copy(update={"nodes": tuple(nodes)})


def _shape(part: Part) -> str:
    """Equal for branches that differ in what they call and how much at once, not in how they go."""
    names = {node.name: str(number) for number, node in enumerate(part.nodes)}
    ways = [(names[edge.source], names[edge.target], edge.way) for edge in part.edges]
    inner = [[_shape(each) for each in node.parts] for node in part.nodes]
    return json.dumps([[node.title for node in part.nodes], [node.kind for node in part.nodes], ways, inner])


def _without_trouble(part: Part, *, like: str) -> Part:
    nodes = tuple(node for node in part.nodes if not node.trouble)
    edges = tuple(edge for edge in part.edges if not edge.trouble)
    return part.model_copy(update={"nodes": nodes, "edges": edges, "like": like})


def _states(definition: Definition) -> Iterator[Definition]:
    for state in as_dict(definition.get("States")).values():
        yield state
        for _, inner in _inner(state):
            yield from _states(inner)


def _inner(state: Definition) -> Iterator[tuple[str, Definition]]:
    """The machines within a state, each with the title that its own names give it."""
    branches = as_list(state.get("Branches"))
    for branch in [*branches, *(state[key] for key in ("ItemProcessor", "Iterator") if key in state)]:
        yield (_suffix(branch) if len(branches) > 1 else ""), branch


def _suffix(branch: Definition) -> str:
    """What all names of a branch end with, after a blank: the render names a branch so."""
    _, _, suffix = str(branch.get("StartAt")).partition(" ")
    names = [name for inner in (branch, *_states(branch)) for name in as_dict(inner.get("States"))]
    return suffix if suffix and all(name.endswith(f" {suffix}") for name in names) else ""


def _part(title: str, definition: Definition, suffix: str, policies: Mapping[str, Policy]) -> Part:
    machine = Machine(definition, ())
    trouble = _trouble(machine)
    edges = [*_edges(machine, trouble, _branches(machine))]
    nodes = (_node(name, state.body, suffix, policies, trouble) for name, state in machine.states.items())
    return Part(title=title, start=str(definition["StartAt"]), nodes=tuple(nodes), edges=tuple(edges))


def _node(name: str, state: Definition, suffix: str, policies: Mapping[str, Policy], trouble: set[str]) -> Node:
    parts = [_part(own, inner, own or suffix, policies) for own, inner in _inner(state)]
    return Node(
        name=name,
        title=name.removesuffix(f" {suffix}"),
        kind=str(state["Type"]),
        facts=tuple(graph_words.facts(state)),
        retries=tuple(policies[json.dumps(retrier)].letter for retrier in as_list(state.get("Retry"))),
        comment=str(state.get("Comment", "")),
        trouble=name in trouble,
        ends=bool(state.get("End")) or state["Type"] in ("Succeed", "Fail"),
        service=graph_words.service(state),
        items=graph_words.items(state).rpartition(".")[2],
        parts=tuple(parts),
    )


def _branches(machine: Machine) -> dict[str, str]:
    """By which words conditions mean the result of one branch, and the branch's title instead."""
    return {
        f"{graph_words.path(state.body.get('ResultPath'))}[{number}]": title
        for state in machine.states.values()
        if state.kind == "Parallel"
        for number, (title, _) in enumerate(_inner(state.body))
        if title
    }


def _edges(machine: Machine, trouble: set[str], branches: Mapping[str, str]) -> Iterator[Edge]:
    catchers = Counter(str(item.get("Next")) for state in machine.states.values() for _, item in state.items("Catch"))
    for name, state in machine.states.items():
        ways: list[tuple[Way, str, object]] = [("next", "", state.body.get("Next"))]
        ways += [("choice", graph_words.condition(item), item.get("Next")) for _, item in state.items("Choices")]
        ways += [("else", "else", state.body.get("Default"))]
        ways += [("catch", graph_words.error_names(item), item.get("Next")) for _, item in state.items("Catch")]
        for way, label, target in ways:
            if target is not None:
                yield Edge(
                    source=name,
                    target=str(target),
                    way=way,
                    label=re.sub(r"\w+\[\d+\]", lambda found: branches.get(found[0], found[0]), label),
                    trouble=way == "catch" or name in trouble or target in trouble,
                    told=way == "catch" and catchers[str(target)] >= MANY_CATCHERS,
                )


def _trouble(machine: Machine) -> set[str]:
    """The states that only nights which go wrong come through: caught failures, what leads to them, what follows."""
    ways = {name: _ways(state.body) for name, state in machine.states.items()}
    bad = {name for name, state in machine.states.items() if state.kind == "Fail"}
    bad |= {
        str(item.get("Next"))
        for name, state in machine.states.items()
        for _, item in state.items("Catch")
        if item.get("Next") not in ways[name]
    }
    while more := {name for name, targets in ways.items() if targets and bad.issuperset(targets)} - bad:
        bad |= more
    good: set[str] = set()
    ahead = [str(machine.body.get("StartAt"))]
    while ahead:
        if (name := ahead.pop()) not in good | bad:
            good.add(name)
            ahead += ways.get(name, [])
    return ways.keys() - good


def _ways(state: Definition) -> list[str]:
    """Where a state leads when nothing fails."""
    named: Sequence[object] = [
        state.get("Next"),
        *(as_dict(rule).get("Next") for rule in as_list(state.get("Choices"))),
        state.get("Default"),
    ]
    return [str(name) for name in named if name is not None]


def _policy(retrier: Definition, *, number: int) -> Policy:
    """The letters are a to z, then aa, ab and so on."""
    before, letter = divmod(number, len(ascii_lowercase))
    return Policy(
        letter=ascii_lowercase[before - 1 : before] + ascii_lowercase[letter],
        errors=graph_words.error_names(retrier),
        tries=graph_words.retried(retrier),
    )

"""Lints how the states of a definition hang together: names, targets, reachability, and where failures lead."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from nightlake.core.asl_states import Finding, Machine, State, as_dict, as_list
from nightlake.core.json_file import Location

NAME_LENGTH: Final = 80
_FALLIBLE: Final = ("Task", "Map", "Parallel")
# What these begin is that something broke; other names may be facts that a night lives with.
_BREAKAGE: Final = ("Lambda.", "Runtime.", "Sandbox.", "States.")


def lint_graph(nested: Sequence[Machine]) -> Iterator[Finding]:
    """Findings on all machines of one definition, the outermost first."""
    for machine in nested:
        yield from _states(machine)
        yield from _targets(machine)
        yield from _unreachable(machine)
        yield from _sisters(machine)
    yield from _repeated_names(nested)
    yield from _failures(nested[0])
    yield from _success(nested[0])


def _states(machine: Machine) -> Iterator[Finding]:
    location: Location = (*machine.location, "States")
    if not as_dict(machine.body.get("States")):
        yield location, "States is missing or empty; write an object with at least one state"
    for name, body in as_dict(machine.body.get("States")).items():
        if not isinstance(body, dict):
            yield (*location, name), f"state {name!r} is not an object; write one with a Type"
        if len(name) > NAME_LENGTH:
            yield (*location, name), f"state {name!r} has a name of {len(name)} characters; use at most {NAME_LENGTH}"


def _targets(machine: Machine) -> Iterator[Finding]:
    known = ", ".join(machine.states) or "none"
    start = machine.body.get("StartAt")
    if str(start) not in machine.states:
        where = f"StartAt names {start!r}" if start is not None else "StartAt is missing"
        yield (*machine.location, "StartAt"), f"{where}; name one of the states here ({known})"
    for state in machine.states.values():
        for location, target in state.targets():
            if target not in machine.states:
                yield location, f"state {state.name!r} leads to {target!r}; name one of the states here ({known})"


def _unreachable(machine: Machine) -> Iterator[Finding]:
    start = str(machine.body.get("StartAt"))
    if start not in machine.states:
        return
    for name in machine.states.keys() - machine.reachable(start):
        yield machine.states[name].location, f"state {name!r} is never reached; lead a state to it or remove it"


def _repeated_names(nested: Sequence[Machine]) -> Iterator[Finding]:
    places: dict[str, list[Location]] = defaultdict(list)
    for machine in nested:
        for state in machine.states.values():
            places[state.name].append(state.location)
    for name, (_, *again) in places.items():
        for location in again:
            yield location, f"state {name!r} has the name of another state; names are unique in the whole definition"


def _failures(machine: Machine) -> Iterator[Finding]:
    """What may fail outermost is caught and ends in Fail: no failed night ends SUCCEEDED.

    Inside a branch or a Map a caught failure may end well: what comes after the branches judges it.
    """
    for state in machine.states.values():
        if state.kind not in _FALLIBLE:
            continue
        if not _catches_all(state):
            reason = f"state {state.name!r} lets failures pass"
            yield state.location, f"{reason}; catch States.ALL and lead it to a Fail state"
        for place, item in state.items("Catch"):
            broken = [name for name in as_list(item.get("ErrorEquals")) if str(name).startswith(_BREAKAGE)]
            ends = _ends(machine, str(item.get("Next")))
            good = sorted(end.name for end in ends if end.kind != "Fail")
            if broken and (good or not ends):
                reason = f"state {state.name!r} catches {', '.join(broken)} and may "
                reason += f"end well in {', '.join(good)}" if good else "never end"
                yield (*place, "Next"), f"{reason}; lead every failure to a Fail state"


def _sisters(machine: Machine) -> Iterator[Finding]:
    """What fails in one of several branches is caught in it: else it would abort the branches beside it."""
    for state in machine.states.values():
        branches = as_list(state.body.get("Branches"))
        for index, branch in enumerate(branches if len(branches) > 1 else ()):
            inner = Machine(as_dict(branch), (*state.location, "Branches", index))
            for lonely in inner.states.values():
                if lonely.kind in _FALLIBLE and not _catches_all(lonely):
                    reason = f"state {lonely.name!r} aborts the branches beside it when it fails"
                    yield lonely.location, f"{reason}; catch States.ALL within the branch"


def _catches_all(state: State) -> bool:
    return any(item.get("ErrorEquals") == ["States.ALL"] for _, item in state.items("Catch"))


def _success(machine: Machine) -> Iterator[Finding]:
    """A definition can end well, whatever it loops over."""
    ends = _ends(machine, str(machine.body.get("StartAt")))
    if ends and all(end.kind == "Fail" for end in ends):
        yield (*machine.location, "StartAt"), "no way from StartAt ends well; lead one to a Succeed state or an End"


def _ends(machine: Machine, name: str) -> list[State]:
    reached = (machine.states[each] for each in machine.reachable(name))
    return [state for state in reached if state.kind in ("Succeed", "Fail") or state.body.get("End") is True]

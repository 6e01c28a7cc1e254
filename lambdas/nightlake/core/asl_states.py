"""The states of an Amazon States Language definition, wherever they are nested, with their places in the file.

Nothing here trusts the definition's shape: what is not an object or a list where one belongs counts as empty, and
statelint is who says so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nightlake.core.json_file import Location

Finding = tuple[Location, str]


@dataclass(frozen=True)
class State:
    """One state of a definition."""

    name: str
    body: Mapping[str, Any]
    location: Location

    @property
    def kind(self) -> object:
        return self.body.get("Type")

    def items(self, key: str) -> Iterator[tuple[Location, Mapping[str, Any]]]:
        """The objects of a list such as Retry, Catch or Choices, each with its place."""
        for index, item in enumerate(as_list(self.body.get(key))):
            if isinstance(item, dict):
                yield (*self.location, key, index), item

    def targets(self) -> Iterator[tuple[Location, str]]:
        """The names of the states that may follow, each with the place of the reference."""
        references = [((*self.location, key), self.body.get(key)) for key in ("Next", "Default")]
        references += [
            ((*location, "Next"), item.get("Next"))
            for key in ("Choices", "Catch")
            for location, item in self.items(key)
        ]
        yield from ((location, target) for location, target in references if isinstance(target, str))


@dataclass(frozen=True)
class Machine:
    """A StartAt and its States: the definition itself, a branch of a Parallel or the processor of a Map."""

    body: Mapping[str, Any]
    location: Location

    @cached_property
    def states(self) -> dict[str, State]:
        states = as_dict(self.body.get("States"))
        return {
            name: State(name, body, (*self.location, "States", name))
            for name, body in states.items()
            if isinstance(body, dict)
        }

    def reachable(self, *names: str) -> set[str]:
        """The states that may be entered when the named ones are, these included."""
        states, found, ahead = self.states, set[str](), list(names)
        while ahead:
            if (name := ahead.pop()) in states and name not in found:
                found.add(name)
                ahead += [target for _, target in states[name].targets()]
        return found


def machines(body: Mapping[str, Any], location: Location = ()) -> Iterator[Machine]:
    """The definition and every machine nested in it, outermost first."""
    machine = Machine(body, location)
    yield machine
    for state in machine.states.values():
        inner: list[tuple[Location, object]] = [(("ItemProcessor",), state.body.get("ItemProcessor"))]
        inner += [(("Iterator",), state.body.get("Iterator"))]
        inner += [(("Branches", index), branch) for index, branch in enumerate(as_list(state.body.get("Branches")))]
        for place, nested in inner:
            if isinstance(nested, dict):
                yield from machines(nested, (*state.location, *place))


def as_dict(value: object) -> dict[str, Any]:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value when it is a list, else an empty one."""
    return value if isinstance(value, list) else []

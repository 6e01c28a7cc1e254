"""Reads a YAML file into plain data, and remembers the line of every value.

Only what JSON can say is read (YAML 1.2's core): `yes`, `0123` and `2017-01-01` stay texts, so a country code `NO` or a
date is never turned into something else. Aliases are refused, which bounds the size of the data by that of the file.
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nightlake.core.errors import Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 40

Location = tuple[str | int, ...]


@dataclass
class YamlFile:
    """One file's data, the line of every location in it, and the problems found so far."""

    name: str
    data: Any = None
    lines: dict[Location, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def report(self, location: Location, reason: str) -> None:
        """Adds a problem at the line of the location, or of what encloses it when the location is not there."""
        while location and location not in self.lines:
            location = location[:-1]
        self.problems.append(Problem(self.name, self.lines.get(location, 1), reason))


def read_yaml(path: Path) -> YamlFile:
    """Reads a mapping from a file; what cannot be read is among the problems, and then `data` is None."""
    file = YamlFile(path.as_posix())
    try:
        file.data = _data(file, _compose(path), ())
    except _Unreadable as error:
        file.problems.append(Problem(file.name, error.line, error.reason))
    return file


class _Unreadable(Exception):  # noqa: N818 - never leaves this file
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class _Loader(yaml.BaseLoader):
    """Composes nodes within a depth and without aliases."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise _Unreadable(self._here(), "aliases are not read: write the value out")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Unreadable(self._here(), f"nested more than {MAX_DEPTH} levels deep: flatten it")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _here(self) -> int:
        return _line(self.peek_event())  # type: ignore[no-untyped-call]


_TAG = "tag:yaml.org,2002:"
_NUMBER = r"-?(?:0|[1-9][0-9]*)"
for _name, _pattern, _first in (
    ("null", r"~|null|", ("~", "n", "")),
    ("bool", r"true|false", ("t", "f")),
    ("int", _NUMBER, tuple("-0123456789")),
    ("float", _NUMBER + r"(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", tuple("-0123456789")),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})$"), _first)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _compose(path: Path) -> yaml.MappingNode:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _Unreadable(1, f"the file cannot be read ({error.strerror}): create it or fix its permissions") from None
    if len(content) > MAX_BYTES:
        raise _Unreadable(1, f"the file is larger than {MAX_BYTES:,} bytes: split the pipeline")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _Unreadable(line, f"byte {content[error.start]:#04x} is not UTF-8: save the file as UTF-8") from None
    try:
        node = _Loader(text).get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _Unreadable(line, f"the control character {error.character:#04x} is not allowed: remove it") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(filter(None, (error.context, error.problem)))
        advice = "indent with spaces, not tabs" if r"\t" in what else "check the indentation, quotes and brackets here"
        raise _Unreadable(mark.line + 1 if mark else 1, f"this is not YAML ({what}): {advice}") from None
    if not isinstance(node, yaml.MappingNode):
        raise _Unreadable(1, "the file holds no `key: value` pairs: write a mapping")
    return node


def _data(file: YamlFile, node: yaml.Node, location: Location) -> Any:
    file.lines.setdefault(location, _line(node))
    if isinstance(node, yaml.MappingNode):
        return _mapping(file, node, location)
    if isinstance(node, yaml.SequenceNode):
        return [_data(file, item, (*location, index)) for index, item in enumerate(node.value)]
    return _scalar(node)


def _mapping(file: YamlFile, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            raise _Unreadable(_line(key_node), "a key must be a text: quote it")
        if key in data:
            first = file.lines[(*location, key)]
            raise _Unreadable(_line(key_node), f"{key!r} stands here twice (first in line {first}): remove one")
        file.lines[(*location, key)] = _line(key_node)
        data[key] = _data(file, value_node, (*location, key))
    return data


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    tag, text = node.tag.removeprefix(_TAG), node.value
    try:
        match tag:
            case "str":
                return bytes(text, "utf-8").decode()  # fails on half a surrogate pair
            case "null":
                return None
            case "bool":
                return bool(("false", "true").index(text))
            case "int":
                return int(text)
            case "float" if math.isfinite(number := float(text)):
                return number
    except ValueError:
        pass
    raise _Unreadable(
        _line(node), f"{text[:40]!r} cannot be read as {tag!r}: write a plain text, number, true or false"
    )

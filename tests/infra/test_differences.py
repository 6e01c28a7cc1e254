"""The local template is the prod template but for the listed differences: nothing is left out in silence."""

import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest
from any_kinds import of_kinds
from aws_cdk import App
from aws_cdk.cx_api import CloudAssembly
from nightlake.core.pipeline import Pipeline

from infra.differences import DIFFERENCES
from infra.stacks import add_stage
from infra.whole_template import whole_template

Template = dict[str, Any]

# What carries the stage's name or a hash of it: names, descriptions, logical ids, versions.
_STAGE = re.compile(r"([Nn]ightlake[ _-]?|Stage|stage\W+|^)(local|prod)(?=[^a-z]|stateful|stateless|$)")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_HASH = re.compile(r"[0-9A-F]{8}([0-9a-f]{32,40})?")


def neutral(node: object) -> Any:
    """A template without the stage's name."""
    match node:
        case {"Effect": _, "Action": _}:
            return allowed([node])
        case [{"Effect": _, "Action": _}, *_]:
            return allowed(node)
        case dict():
            return {neutral(key): neutral(value) for key, value in node.items()}
        case list():
            return [neutral(value) for value in node]
        case str():
            text = _STAGE.sub(r"\1stage", node)
            return _HASH.sub("", text) if _IDENTIFIER.fullmatch(text) else text
        case _:
            return node


def allowed(statements: list[Template]) -> dict[str, object]:
    """Each action on each resource by itself, so that two policies of other lengths can be compared."""
    rest = ("Condition", "Principal", "Sid")
    return {
        f"{statement['Effect']} {action} on {json.dumps(neutral(resource))}": neutral(
            {key: statement[key] for key in rest if key in statement}
        )
        for statement in statements
        for action in as_list(statement["Action"])
        for resource in as_list(statement.get("Resource", "the resource itself"))
    }


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def differing(local: object, prod: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Path, local and prod value of every difference; a list of another length differs as a whole."""
    match local, prod:
        case dict(), dict():
            for key in local.keys() | prod.keys():
                if key in local and key in prod:
                    yield from differing(local[key], prod[key], (*path, key))
                else:
                    yield (*path, key), *("present" if key in side else "absent" for side in (local, prod))
        case list(), list() if len(local) == len(prod):
            for ours, theirs in zip(local, prod, strict=True):
                yield from differing(ours, theirs, path)
        case _ if local != prod:
            yield path, *(side if isinstance(side, str) else json.dumps(side) for side in (local, prod))


def found(local: Template, prod: Template) -> set[tuple[str, str, str, str]]:
    local, prod = neutral(local), neutral(prod)
    kinds = {name: kind(name, resource) for side in (local, prod) for name, resource in side["Resources"].items()}
    return {
        (kinds[path[1]] if path[0] == "Resources" else path[0], ".".join(path[2:]) or "*", ours, theirs)
        for path, ours, theirs in differing(local, prod)
    }


def kind(name: str, resource: Template) -> str:
    """A resource's type; what stands in the construct `Sources` has that name."""
    return "Sources" if name.startswith("Sources") else str(resource["Type"])


@pytest.fixture(scope="module")
def template(pipelines: tuple[Pipeline, ...], context: dict[str, object]) -> Callable[[str, str], Template]:
    """As the one for all modules, with sources of every kind, and without cdk-nag."""
    everything = of_kinds(next(each for each in pipelines if each.name == "sales"), "s3", "http", "postgres:app")

    @cache
    def synthesized(stage: str) -> CloudAssembly:
        app = App(context=context)
        add_stage(app, stage, (*pipelines, everything))
        return app.synth()

    return cache(lambda stage, stack: whole_template(synthesized(stage), f"nightlake-{stage}-{stack}"))


@pytest.fixture(scope="module")
def differences(template: Callable[[str, str], Template]) -> set[tuple[str, str, str, str]]:
    return {
        difference
        for stack in ("stateful", "stateless")
        for difference in found(template("local", stack), template("prod", stack))
    }


LISTED = [
    (kind, path, difference.local, difference.prod)
    for difference in DIFFERENCES
    for kind in difference.types
    for path in difference.properties
]


def is_one(difference: tuple[str, ...], listed: tuple[str, ...]) -> bool:
    """Whether it is what the list means."""
    if (difference[1] == "*") is not (listed[1] == "*"):
        return False
    return all(fnmatchcase(said, meant) for said, meant in zip(difference, listed, strict=True))


def test_every_difference_of_the_local_template_is_listed(differences: set[tuple[str, str, str, str]]) -> None:
    assert [each for each in sorted(differences) if not any(is_one(each, listed) for listed in LISTED)] == []


def test_no_listed_difference_has_gone(differences: set[tuple[str, str, str, str]]) -> None:
    assert [listed for listed in LISTED if not any(is_one(each, listed) for each in differences)] == []


def test_a_resource_left_out_locally_would_be_found(template: Callable[[str, str], Template]) -> None:
    prod = template("prod", "stateless")
    alarm, *_ = (name for name, resource in prod["Resources"].items() if resource["Type"] == "AWS::CloudWatch::Alarm")
    local = {**prod, "Resources": {name: resource for name, resource in prod["Resources"].items() if name != alarm}}
    assert found(local, prod) == {("AWS::CloudWatch::Alarm", "*", "absent", "present")}


def test_a_weaker_local_policy_would_be_found(template: Callable[[str, str], Template]) -> None:
    prod = template("prod", "stateful")
    local = json.loads(json.dumps(prod).replace('"s3:GetObject"', '"s3:*"'))
    told = {(kind, *sides) for kind, path, *sides in found(local, prod) if "Statement.Allow s3:* on" in path}
    assert told == {("AWS::IAM::Policy", "present", "absent")}

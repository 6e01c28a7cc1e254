"""A synthesized stack and its nested stacks as one template: what is deployed, whichever of them holds it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aws_cdk.cx_api import CloudAssembly

Template = dict[str, Any]
Meaning = Callable[[str, Any], Any]
"""What a reference, of a kind and to something, stands for; None where it stays."""

_NESTED = "AWS::CloudFormation::Stack"


def whole_template(assembly: CloudAssembly, stack_name: str) -> Template:
    """The template of a stack with the resources of its nested ones, whose ids begin with their stack's.

    Parameters of nested stacks and outputs that the stack refers to give way to what they stand for.
    """
    stack: Template = assembly.get_stack_by_name(stack_name).template
    resources: Template = {}
    outputs: dict[tuple[str, str], Any] = {}
    for nested, template in nested_templates(assembly, stack_name).items():
        inside = _inside(nested, template, stack["Resources"][nested]["Properties"].get("Parameters", {}))
        for key, each in template["Resources"].items():
            resources[nested + key] = _replaced(each, inside)
        for key, each in template.get("Outputs", {}).items():
            outputs[nested, f"Outputs.{key}"] = _replaced(each["Value"], inside)

    resources |= {key: each for key, each in stack["Resources"].items() if each["Type"] != _NESTED}

    def outside(kind: str, to: Any) -> Any:
        return outputs.get(tuple(to)) if kind == "Fn::GetAtt" else None

    whole: Template = _replaced({**stack, "Resources": resources}, outside)
    return whole


def nested_templates(assembly: CloudAssembly, stack_name: str) -> dict[str, Template]:
    """The templates of a stack's nested stacks by their ids in it."""
    folder = Path(assembly.directory)
    stack: Template = assembly.get_stack_by_name(stack_name).template
    urls = {
        key: json.dumps(each["Properties"]["TemplateURL"])
        for key, each in stack["Resources"].items()
        if each["Type"] == _NESTED
    }
    assets = json.loads((folder / f"{stack_name}.assets.json").read_text())["files"]
    return {
        key: json.loads((folder / asset["source"]["path"]).read_text())
        for key, url in urls.items()
        for digest, asset in assets.items()
        if f"/{digest}.json" in url
    }


def _inside(nested: str, template: Template, given: Mapping[str, Any]) -> Meaning:
    """What references mean in a nested stack whose parameters were given so."""

    def meaning(kind: str, to: Any) -> Any:
        if kind == "DependsOn":
            return [nested + each for each in ([to] if isinstance(to, str) else to)]
        if kind == "Fn::GetAtt":
            return {kind: [nested + to[0], to[1]]}
        return {kind: nested + to} if to in template["Resources"] else given.get(to)

    return meaning


def _replaced(node: Any, meaning: Meaning) -> Any:
    match node:
        case {"Ref": str(to)} if len(node) == 1 and (found := meaning("Ref", to)) is not None:
            return found
        case {"Fn::GetAtt": [*to]} if (found := meaning("Fn::GetAtt", to)) is not None:
            return found
        case dict():
            return {
                key: (key == "DependsOn" and meaning(key, each)) or _replaced(each, meaning)
                for key, each in node.items()
            }
        case list():
            return [_replaced(each, meaning) for each in node]
        case _:
            return node

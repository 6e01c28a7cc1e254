"""Reads an Open Data Contract Standard file: checked with the standard's own JSON schema, then loaded as its model.

The schema goes first because the model drops unknown keys in silence: `requird: true` would lose a rule.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import open_data_contract_standard
from jsonschema import Draft201909Validator
from jsonschema.exceptions import ValidationError, best_match
from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import ValidationError as ModelError

from nightlake.core.wording import nearest, shown
from nightlake.core.yaml_file import Location, YamlFile, read_yaml

LOGICAL_TYPES = ("string", "integer", "number", "boolean", "date", "timestamp", "object", "array", "map")
_DEFINITION = "#/$defs/"
_NODES = ("SchemaBaseProperty", "SchemaItemProperty")
_DEPENDS_ON_LOGICAL_TYPE = ("logicalTypeOptions", "map")


def read_odcs(path: Path) -> tuple[YamlFile, OpenDataContractStandard | None]:
    """The file and its model; no model when the file has problems."""
    file = read_yaml(path)
    if not file.problems:
        _check(file)
    if file.problems:
        return file, None
    try:
        return file, OpenDataContractStandard.model_validate(file.data)
    except ModelError as error:
        for found in error.errors():
            file.report(found["loc"], f"{found['msg']}, not {shown(found['input'])}: see the standard {_version()}")
    return file, None


@cache
def _schema() -> dict[str, Any]:
    # The model's own json_schema() warns: it reads the file by a deprecated function.
    schema: dict[str, Any] = json.loads((files(open_data_contract_standard) / "schema.json").read_text("utf-8"))
    schema["properties"]["description"]["additionalProperties"] = False  # left open there, and dropped by the model
    for name in _NODES:
        schema["$defs"][name] = _without_descent(schema["$defs"][name])
    return schema


def _without_descent(schema: Any) -> Any:
    """The schema of a node without those of the nodes in it, which `_nested` finds.

    "unevaluatedProperties" looks at what is inside a node once more at every level: time would grow with 3 ** depth.
    """
    if isinstance(schema, list):
        return [_without_descent(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if str(schema.get("$ref")).removeprefix(_DEFINITION) in ("SchemaProperty", "SchemaItemProperty"):
        return {"type": "object"}
    return {key: _without_descent(part) for key, part in schema.items()}


def _version() -> str:
    return str(_schema()["properties"]["apiVersion"]["default"])


def _check(file: YamlFile) -> None:
    errors = _errors(file.data)
    found = {problem: None for location, error in errors for problem in _explain(file.data, location, error)}
    for location, reason in found:
        file.report(location, reason)
    for location, error in errors:
        # A sub-schema that fails leaves its keys "unevaluated"; only where nothing else is wrong is that the fault.
        if error.validator == "unevaluatedProperties" and not any(at[: len(location)] == location for at, _ in found):
            keys = error.message.partition("(")[2].rpartition(" w")[0]
            advice = "name the `metric`" if "quality" in location[-2:] else f"see the standard, {_version()}"
            file.report(location, f"{keys} cannot stand beside the other keys here: {advice}, or remove it")


def _errors(data: Any) -> list[tuple[Location, ValidationError]]:
    """Every error with its location: of the document, and of each property inside another."""
    schema = _schema()
    parts = [((), schema, data)] + [
        (location, {"$ref": _DEFINITION + name, "$defs": schema["$defs"]}, node)
        for location, name, node in _nested(data)
    ]
    return [
        ((*location, *error.absolute_path), error)
        for location, part, node in parts
        for error in Draft201909Validator(part).iter_errors(node)
    ]


def _nested(data: Any) -> Iterator[tuple[Location, str, Any]]:
    """The properties inside properties, each with its location and the name of its definition in the schema."""
    for index, schema in _items(data, "schema"):
        for number, column in _items(schema, "properties"):
            yield from _inside(column, ("schema", index, "properties", number))


def _inside(node: Any, location: Location) -> Iterator[tuple[Location, str, Any]]:
    parts = [((*location, "properties", index), "SchemaProperty", part) for index, part in _items(node, "properties")]
    if isinstance(node, Mapping):
        pair = node.get("map")
        inner: dict[Location, Any] = {("items",): node.get("items")}
        if isinstance(pair, Mapping):
            inner |= {("map", key): pair.get(key) for key in ("key", "value")}
        parts += [((*location, *path), "SchemaItemProperty", part) for path, part in inner.items() if part is not None]
    for part in parts:
        yield part
        yield from _inside(part[2], part[0])


def _items(node: Any, key: str) -> list[tuple[int, Any]]:
    items = node.get(key) if isinstance(node, Mapping) else None
    return list(enumerate(items)) if isinstance(items, list) else []


def _explain(data: Any, location: Location, error: ValidationError) -> Iterator[tuple[Location, str]]:
    instance: Any = error.instance
    wanted: Any = error.validator_value
    if _lacks_logical_type(data, location):
        return
    match error.validator:
        case "unevaluatedProperties" | "additionalProperties":
            known = _known_keys(error.schema)
            for key in instance.keys() - known:
                yield (*location, key), f"unknown key {shown(key)}: {nearest(key, known)}"
        case "required":
            for key in wanted:
                if key == "map" and "logicalType" not in instance:
                    yield location, f"'logicalType' is missing: add one of {', '.join(LOGICAL_TYPES)}"
                elif key not in instance:
                    yield location, f"{key!r} is missing: add it"
        case _:
            yield location, _sentence(location, error)


def _sentence(location: Location, error: ValidationError) -> str:
    wanted: Any = error.validator_value
    key, value = location[-1] if location else "the file", shown(error.instance)
    key = f"item {key + 1}" if isinstance(key, int) else key
    alternatives = [part.get("required") for part in wanted] if error.validator == "oneOf" else []
    if alternatives and all(alternatives):
        return f"say exactly one of {', '.join(names[0] for names in alternatives)}"
    if key in ("to", "from") or "relationships" in location[-2:]:
        return f"{value} is not a relationship: write `to: dataset.column`; lists of them only beside an equal `from`"
    match error.validator:
        case "type":
            return f"{key!r} must be of type {wanted}, not {value}"
        case "enum":
            return f"{value} is no {key}: {nearest(str(error.instance), map(str, wanted))}"
        case "oneOf" | "anyOf":
            deepest = best_match([error])
            return f"{key!r} is not as the standard says: {shown(deepest.message if deepest else error.message)}"
        case _:
            return f"{key!r} is not as the standard says ({error.validator}: {shown(wanted)}), but {value}"


def _lacks_logical_type(data: Any, location: Location) -> bool:
    """Whether the error is in what logicalType gives its meaning; the standard's `if` also holds where it is absent."""
    for key in location:
        if key in _DEPENDS_ON_LOGICAL_TYPE and isinstance(data, Mapping) and "logicalType" not in data:
            return True
        data = data[key]
    return False


def _known_keys(schema: Any) -> set[str]:
    """All keys that a schema names, whatever its conditions."""
    if not isinstance(schema, Mapping):
        return set()
    known = set(schema.get("properties", ()))
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word, ()):
            known |= _known_keys(part)
    known |= _known_keys(schema.get("then"))
    if "$ref" in schema:
        known |= _known_keys(_schema()["$defs"][schema["$ref"].removeprefix(_DEFINITION)])
    return known

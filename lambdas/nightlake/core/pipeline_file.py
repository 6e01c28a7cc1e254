"""Reads pipeline.yaml: what the Open Data Contract Standard has no word for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from nightlake.core.frozen import Frozen
from nightlake.core.pipeline import BusinessDate, Schedule
from nightlake.core.sources import FORMATS, KINDS, AnySource
from nightlake.core.wording import nearest, shown
from nightlake.core.yaml_file import Location, YamlFile, read_yaml

_WANTED = {
    "string_type": "a text, in quotes",
    "tuple_type": "a list, such as [a, b]",
    "dict_type": "`key: value` pairs",
    "model_type": "`key: value` pairs",
}
Model = TypeVar("Model", bound=BaseModel)


class PipelineFile(Frozen):
    """The file's own keys; each source is checked by itself, by the model of its kind and format."""

    schedule: Schedule = Field(Schedule(), description="When the night starts.")
    business_date: BusinessDate = Field(BusinessDate(), description="Which day a night is about.")
    sources: dict[str, dict[str, Any]] = Field(description="One source per dataset, under the dataset's name.")
    merge: tuple[str, ...] = Field(
        (), description="Tables made from the datasets, in this order, each by `sql/<pipeline>/merge/<name>.sql`."
    )


def read_pipeline_file(path: Path) -> tuple[YamlFile, PipelineFile | None, tuple[AnySource, ...]]:
    """The file, its own keys and its sources; without them where the file has problems."""
    file = read_yaml(path)
    if file.problems:
        return file, None, ()
    content = validated(file, (), PipelineFile, file.data)
    raw = file.data.get("sources")
    sources = [_source(file, name, body) for name, body in raw.items()] if isinstance(raw, Mapping) else []
    return file, content, tuple(source for source in sources if source is not None)


def _source(file: YamlFile, name: str, body: object) -> AnySource | None:
    location: Location = ("sources", name)
    if not isinstance(body, Mapping):
        return None  # reported with the file's own keys
    kind, form = body.get("from"), body.get("format")
    if "dataset" in body:
        file.report((*location, "dataset"), "the dataset is the key that the source stands under: remove this")
    elif isinstance(kind, str) and kind in KINDS:
        return validated(file, location, KINDS[kind], {**body, "dataset": name})
    elif kind != "s3":
        file.report((*location, "from"), f"{shown(kind)} is no kind of source: write s3, {' or '.join(KINDS)}")
    elif not isinstance(form, str) or form not in FORMATS:
        file.report((*location, "format"), f"{shown(form)} is no format: use {', '.join(FORMATS)}")
    else:
        return validated(file, location, FORMATS[form], {**body, "dataset": name})
    return None


def validated(file: YamlFile, location: Location, model: type[Model], data: object) -> Model | None:
    """The data as the model, or None: then everything wrong with it is among the file's problems."""
    try:
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        errors = error.errors()
        for found in errors:
            where = found["loc"]
            # pydantic counts only the good items of a list: one bad item makes it too short as well.
            if not any(other["loc"][: len(where)] == where for other in errors if len(other["loc"]) > len(where)):
                file.report((*location, *where), _sentence(_model_at(model, where[:-1]), found))
    return None


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel]:
    """The model of a mapping inside a model, to know its keys."""
    for key in location:
        field = model.model_fields.get(str(key))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            break
        model = field.annotation
    return model


def _sentence(model: type[BaseModel], found: ErrorDetails) -> str:
    match found["type"]:
        case "missing":
            return f"{_name(found['loc'])} is missing: add it"
        case "extra_forbidden":
            word = str(found["loc"][-1])
            known = [field.alias or name for name, field in model.model_fields.items() if name != "dataset"]
            return f"unknown key {shown(word)}: {nearest(word, known)}"
        case "value_error":
            return str(found["ctx"]["error"])
        case _:
            return _wrong_value(model, found)


def _wrong_value(model: type[BaseModel], found: ErrorDetails) -> str:
    key, kind, value = _name(found["loc"]), found["type"], shown(found["input"])
    if found["input"] is None and kind.endswith("_type"):
        return f"{key} has no value: write one, or remove it"
    if kind in _WANTED:
        return f"{key} should be {_WANTED[kind]}, not {value}"
    if kind == "too_short":
        return f"{key} is empty: write at least one, or remove it"
    field = model.model_fields.get(str(found["loc"][-1]))
    if kind in ("string_pattern_mismatch", "string_too_short") and field is not None:
        return f"{value} is no value of {key}: {field.description}"
    return f"{key}: {found['msg'].replace('Input s', 's')}, not {value}"


def _name(location: Location) -> str:
    """What a person calls a place in the file: a key, or an item of one."""
    if not location:
        return "the file"
    key = location[-1]
    return f"item {key + 1} of {location[-2]!r}" if isinstance(key, int) else repr(key)

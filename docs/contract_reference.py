"""What may be written in a pipeline's two files as Markdown tables, from the code that checks it."""

import json
import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from nightlake.core.dataset_compiler import OPEN_CLASSES, PHYSICAL_TYPES, PRIVATE_CLASSES
from nightlake.core.http_auth import BasicAuth, BearerAuth, HeaderAuth, OAuth2Auth, QueryAuth
from nightlake.core.http_paging import CursorPages, LinkedPages, NumberedPages, OffsetPages
from nightlake.core.http_source import HttpSource
from nightlake.core.model.declaration import (
    DriftLimits,
    Evaluation,
    InteractionColumns,
    ItemColumns,
    Promotion,
    Recommender,
    Retraining,
    Sanity,
    UserColumns,
)
from nightlake.core.model.recipe import Bm25, Cosine, Ease, Recipe
from nightlake.core.pipeline import BusinessDate, Schedule
from nightlake.core.pipeline_file import PipelineFile
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.rule_compiler import ARGUMENTS, OPTIONS, ROW_METRICS
from nightlake.core.service_level import LATENCY_UNITS, RETENTION_UNITS
from nightlake.core.source import (
    CsvSource,
    Deadline,
    LinesSource,
    Ready,
    S3Source,
    Source,
    TextSource,
    TextValues,
)
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

SECTIONS: tuple[tuple[str, type[BaseModel], tuple[type[BaseModel], ...]], ...] = (
    ("The file", PipelineFile, ()),
    ("`schedule`", Schedule, ()),
    ("`business_date`", BusinessDate, ()),
    ("Every source", Source, ()),
    ("More where values are texts: `format: csv`, `json` or `jsonl`, and `from: http`", TextValues, (Source,)),
    ("More with `from: s3`", S3Source, (Source,)),
    ("Its `ready`", Ready, ()),
    ("More with `format: csv`, `json` or `jsonl`", TextSource, (S3Source, TextValues)),
    ("More with `format: csv` or `jsonl`", LinesSource, (TextSource,)),
    ("More with `format: csv`", CsvSource, (LinesSource,)),
    ("More with `from: http`", HttpSource, (TextValues,)),
    ("Its `ready`, and that of `from: postgres`", Deadline, ()),
    ("Its `auth` with `by: header`", HeaderAuth, ()),
    ("Its `auth` with `by: query`", QueryAuth, ()),
    ("Its `auth` with `by: bearer`", BearerAuth, ()),
    ("Its `auth` with `by: basic`", BasicAuth, ()),
    ("Its `auth` with `by: oauth2`", OAuth2Auth, ()),
    ("Its `pages` with `by: page`", NumberedPages, ()),
    ("Its `pages` with `by: offset`", OffsetPages, ()),
    ("Its `pages` with `by: cursor`", CursorPages, ()),
    ("Its `pages` with `by: link`", LinkedPages, ()),
    ("More with `from: postgres`", PostgresSource, (Source,)),
)

MODEL_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The file", Recommender),
    ("`interactions`", InteractionColumns),
    ("`users`", UserColumns),
    ("`items`", ItemColumns),
    ("`evaluate`", Evaluation),
    ("A candidate with `algorithm: cosine`", Cosine),
    ("A candidate with `algorithm: bm25`", Bm25),
    ("A candidate with `algorithm: ease`", Ease),
    ("`promote`", Promotion),
    ("`sanity`", Sanity),
    ("`drift`", DriftLimits),
    ("`retrain`", Retraining),
)


def contract_words() -> str:
    """One table for each word of the standard that Nightlake gives a meaning of its own."""
    types = [(f"`{logical}`", _words(physical)) for logical, physical in PHYSICAL_TYPES.items()]
    checks = [
        (
            f"`{metric}`",
            _words(arguments),
            _words(("warn", *(("quarantine",) if metric in ROW_METRICS else ()), "fail")),
        )
        for metric, arguments in ARGUMENTS.items()
    ]
    classes = [("all readers", _words(OPEN_CLASSES)), ("readers of the private table", _words(PRIVATE_CLASSES))]
    levels = [("`latency`", _words(LATENCY_UNITS)), ("`retention`", _words(RETENTION_UNITS))]
    return "\n".join(
        [
            _table("Types", ("`logicalType`", "`physicalType`, the first is the default except for `number`"), types),
            _table("Checks under `quality`", ("`metric`", "`arguments`", "`severity`"), checks),
            f"`logicalTypeOptions` may hold {_words(OPTIONS)}.\n",
            _table("Who may see a column", ("seen by", "`classification`"), classes),
            _table("`slaProperties`", ("`property`", "`unit`"), levels),
        ]
    )


def pipeline_keys() -> str:
    """One table for each part of the file: key, value, default and meaning."""
    return "\n".join(_section(title, model, bases) for title, model, bases in SECTIONS)


def model_keys() -> str:
    """The same of a model's file."""
    return "\n".join(_section(title, model, ()) for title, model in MODEL_SECTIONS)


def _section(title: str, model: type[BaseModel], bases: tuple[type[BaseModel], ...]) -> str:
    hidden = {name for base in bases for name in base.model_fields}
    if issubclass(model, Source):  # they are the key that a source stands under, and what says its kind
        hidden |= {"dataset", "format"}
    rows = [
        (f"`{field.alias or name}`", _value(field.annotation), _default(field.default), field.description or "")
        for name, field in model.model_fields.items()
        if name not in hidden
    ]
    return _table(title, ("key", "value", "default", "meaning"), rows)


def _table(title: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (header, ("---",) * len(header), *rows)]
    return "\n".join([f"### {title}", "", *lines, ""])


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _value(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(arguments[0])
    if origin is Literal:
        return _words(arguments)
    if origin in (Union, types.UnionType):
        return ", ".join(dict.fromkeys(_value(argument) for argument in arguments if argument is not type(None)))
    if origin is tuple:
        if isinstance(arguments[0], type) and issubclass(arguments[0], BaseModel):
            return "mapping"
        return f"list of {_value(arguments[0])}s"
    return {bool: "true or false", int: "whole number", float: "number", str: "text"}.get(annotation, "mapping")


def _default(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, BaseModel):
        return ", ".join(f"`{name}: {value}`" for name, value in default.model_dump().items())
    if isinstance(default, tuple) and default and all(isinstance(each, Recipe) for each in default):
        return ", ".join(f"`{each.name}`" for each in default)
    return "" if default in (None, (), {}, "") else f"`{json.dumps(default)}`"

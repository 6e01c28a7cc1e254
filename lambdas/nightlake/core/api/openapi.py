"""The OpenAPI 3.1 document of the API: made from the contracts, so that what it promises is what the tables have."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from nightlake.core import column_type
from nightlake.core.api import formats, queries, recommendations, sealed
from nightlake.core.api.aggregate import FUNCTIONS, MAX_GROUP_COLUMNS, MAX_MEASURES, SPANS
from nightlake.core.api.datasets import Served
from nightlake.core.api.groups import MAX_GROUPS
from nightlake.core.api.openapi_schemas import (
    DAY,
    Schema,
    asked_schema,
    computed_told,
    key_schema,
    operators_told,
    parameter_schema,
    question_schema,
    row_schema,
)
from nightlake.core.api.published import Pinned
from nightlake.core.api.question import MAX_LIMIT, MAX_ORDER, RESERVED
from nightlake.core.api.reports import MAX_HISTORY
from nightlake.core.api.runs import MAX_LISTED
from nightlake.core.column_type import ColumnType
from nightlake.core.pipeline import Pipeline
from nightlake.core.report_parameters import Header
from nightlake.core.table import PARTITION_KEYS, tables

ROUTES: Final = (
    ("GET", "/v1/health"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/docs"),
    ("GET", "/v1/datasets"),
    ("GET", "/v1/datasets/{name}"),
    ("GET", "/v1/datasets/{name}/rows"),
    ("GET", "/v1/datasets/{name}/rows/{key}"),
    ("GET", "/v1/datasets/{name}/aggregate"),
    ("GET", "/v1/recommendations/{user_id}"),
    ("GET", "/v1/reports"),
    ("GET", "/v1/reports/{name}"),
    ("GET", "/v1/reports/{name}/history"),
    ("GET", "/v1/queries"),
    ("POST", "/v1/queries"),
    ("GET", "/v1/queries/{query_id}"),
    ("DELETE", "/v1/queries/{query_id}"),
    ("GET", "/v1/queries/{query_id}/result"),
    ("GET", "/v1/pages/{pipeline}"),
    ("GET", "/v1/runs"),
    ("GET", "/v1/runs/{run_id}"),
    ("GET", "/v1/snapshots"),
)
_ABOUT: Final = (
    "Datasets and reports of the lake, as HEAD's snapshot has them. Errors are problem documents (RFC 9457). "
    "Every answer has an ETag: sent back as If-None-Match, it costs a 304 as long as nothing new is published."
)
_SECURITY: Final[Mapping[str, Schema]] = {
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "iam": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "AWS Signature Version 4."},
}
_REFUSALS: Final = {
    "400": "What is asked cannot be answered; `parameter` names what to change.",
    "401": "Nobody is known by this key.",
    "403": "The caller has no scope for this.",
    "404": "There is no such thing, or not for this caller; or no page at this cursor.",
    "406": "The caller accepts no format that is here.",
    "410": "What a cursor or a query pointed to is gone.",
    "414": "Path and query are too long.",
    "429": "More requests than allowed: wait and try again.",
    "500": "The request failed on our side.",
}
_PROBLEM: Final[Schema] = {
    "type": "object",
    "required": ["type", "title", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and what to do."},
        "instance": {"type": "string"},
        "parameter": {"type": "string", "description": "The parameter that is to be changed."},
        "request_id": {"type": "string"},
    },
}
_BEHIND: Final = "`next_cursor` of the page before."
_COLUMNS: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name", "type"],
        "properties": {"name": {"type": "string"}, "type": {"type": "string"}},
    },
}
_AS_LIST: Final = {"style": "form", "explode": False}
_SCALAR: Final[Schema] = {"type": ["boolean", "number", "string", "null"]}


@dataclass(frozen=True)
class Shown:
    """What the document tells of: who asks may see these. `columns` are those of reports, where a run has left one."""

    datasets: Sequence[tuple[Served, Pinned | None]]
    reports: Mapping[str, Mapping[str, Header]]
    columns: Mapping[str, Sequence[str]]
    operated: Sequence[str]
    queried: Sequence[str]


def methods_of(path: str) -> list[str]:
    """The methods that a path of the API has; none where there is no such path."""
    wanted = path.rstrip("/")
    return [method for method, template in ROUTES if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), wanted)]


def document(shown: Shown, *, security: str, server: str, version: str) -> Schema:
    """The whole document; `security` is how callers are known (key, jwt or iam), `server` what paths follow."""
    paths = _general() | _operated(shown) | _paged(shown) | _recommended(shown)
    schemas: Schema = {"Problem": _PROBLEM, **_records()}
    for found, pinned in shown.datasets:
        columns = _columns(found, pinned)
        schemas[f"{found.name}.row"] = row_schema(columns)
        paths |= _dataset(found, columns)
    for name, header in ((name, header) for reports in shown.reports.values() for name, header in reports.items()):
        paths |= _report(name, header, shown.columns.get(name, ()))
    if shown.queried:
        paths |= _queries(shown)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Nightlake", "version": version, "description": _ABOUT},
        "servers": [{"url": server}],
        "security": [{security: []}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {security: dict(_SECURITY[security])}},
    }


def _columns(found: Served, pinned: Pinned | None) -> list[tuple[str, ColumnType]]:
    """The columns that can be asked for: as published, else as the contract says; none of a merge before its first."""
    table = pinned.table(found.name, private=found.private) if pinned else None
    if table is None and found.dataset is None:
        return []
    declared = table.columns if table else tables(found.dataset)[1 if found.private else 0].columns  # type: ignore[arg-type]
    text = column_type.parse("string")
    return [*((each.name, column_type.parse(each.type)) for each in declared), *((key, text) for key in PARTITION_KEYS)]


def _operation(summary: str, tag: str, content: Schema, parameters: Iterable[Schema] = (), **more: Any) -> Schema:
    """One operation that answers 200 with this content, or refuses."""
    return {
        "summary": summary,
        "tags": [tag],
        "parameters": list(parameters),
        "responses": {
            "200": {"description": "The answer.", "headers": _told("ETag"), "content": content},
            "303": {"description": "The answer is too long to be sent: `Location` has it for five minutes."},
            "304": {"description": "The caller has the answer already.", "headers": _told("ETag")},
            **_refusals(),
        },
        **more,
    }


def _told(*names: str) -> Schema:
    return {
        name: {"schema": {"type": "string"}, "required": name != "Link"} for name in (*names, "X-Request-Id", "Vary")
    }


def _refusals() -> Schema:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": text, "content": content} for status, text in _REFUSALS.items()}


def _json(schema: Schema) -> Schema:
    return {formats.JSON: {"schema": schema}}


def _records_of(schema: Schema) -> Schema:
    return _json(schema) | {kind: {"schema": {"type": "string"}} for kind in formats.FORMATS[1:]}


def _list(name: str, item: Schema) -> Schema:
    listed = {"type": "array", "items": item}
    return _json({"type": "object", "required": [name], "properties": {name: listed}, "additionalProperties": False})


def _query(name: str, schema: Schema, description: str, **more: Any) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": description, **more}


def _limit(most: int) -> Schema:
    return _query("limit", {"type": "integer", "minimum": 1, "maximum": most}, "How many at most.")


def _cursor(description: str, pattern: str = sealed.PATTERN) -> Schema:
    return _query("cursor", {"type": "string", "pattern": f"^{pattern}$"}, description)


def _select(columns: Sequence[str], without: str = "all but those of the run and the day") -> Schema:
    chosen: Schema = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}}
    if columns:
        chosen["items"] = {"enum": list(columns)}
    return _query("select", chosen, f"Columns; without it, {without}.", **_AS_LIST)


def _general() -> Schema:
    page = {"text/html": {"schema": {"type": "string"}}}
    return {
        "/v1/health": {"get": _operation("Whether the API runs", "about", _json({"type": "object"}))},
        "/v1/openapi.json": {"get": _operation("This document", "about", _json({"type": "object"}))},
        "/v1/docs": {"get": _operation("This document, to be read", "about", page)},
        "/v1/datasets": {"get": _operation("All datasets", "datasets", _list("datasets", _described()))},
        "/v1/reports": {"get": _operation("All reports", "reports", _list("reports", {"type": "object"}))},
    }


def _described() -> Schema:
    texts = ("name", "pipeline", "description", "version", "contract_hash")
    properties: Schema = {name: {"type": "string"} for name in texts}
    properties |= {"kind": {"enum": ["dataset", "merge"]}, "published": {"type": ["object", "null"]}}
    return {"type": "object", "required": list(properties), "properties": properties}


def _dataset(found: Served, columns: Sequence[tuple[str, ColumnType]]) -> Schema:
    path = f"/v1/datasets/{found.name}"
    paths: Schema = {path: {"get": _operation(f"What {found.name} is", found.name, _json(_described()))}}
    if columns:
        about = found.dataset.description if found.dataset else ""
        rows = _operation(f"Rows of {found.name}", found.name, _rows(found.name), _asked(columns), description=about)
        rows["responses"]["200"]["headers"] = _told("ETag", "Link")
        paths[f"{path}/rows"] = {"get": rows}
        paths[f"{path}/aggregate"] = {"get": _aggregate(found.name, columns)}
        keys = dict(columns)
        if found.dataset and found.dataset.primary_key:
            paths[f"{path}/rows/{{key}}"] = {
                "get": _row(found.name, [keys[name] for name in found.dataset.primary_key], [*keys])
            }
    return paths


def _row(dataset: str, keys: Sequence[ColumnType], columns: Sequence[str]) -> Schema:
    """The row of a key."""
    one = {
        "name": "key",
        "in": "path",
        "required": True,
        "schema": key_schema(keys),
        "description": "The values of the primary key, comma-separated.",
    }
    day = _query("date", DAY, "The row's day; without it, the newest that has one.")
    return _operation(f"The row of {dataset} with a key", dataset, _rows(dataset), [one, day, _select(columns)])


def _aggregate(dataset: str, columns: Sequence[tuple[str, ColumnType]]) -> Schema:
    """Measures of groups of rows."""
    plain = [name for name, kind in columns if not kind.is_nested]
    calls = [
        f"{function}({name})"
        for name, kind in columns
        for function in FUNCTIONS
        if (kind.is_number or function not in ("sum", "avg")) and (not kind.is_nested or function == "count")
    ]
    spans = [f"{span}({name})" for name, kind in columns if kind.name in ("date", "timestamp") for span in SPANS]
    some: Schema = {"type": "array", "uniqueItems": True, "minItems": 1}
    measures = some | {"items": {"enum": ["count", *calls]}, "maxItems": MAX_MEASURES}
    groups = some | {"items": {"enum": plain}, "maxItems": MAX_GROUP_COLUMNS}
    called = "|".join(re.escape(each) for each in ("count", *calls))
    ordered = {"type": "array", "items": {"type": "string", "pattern": f"^-?({called})$"}, "minItems": 1}
    shared = [each for each in _asked(columns) if each["name"] not in ("select", "order_by", "limit", "cursor")]
    parameters = [
        _query("measures", measures, "What is computed of each group; without it, `count`.", **_AS_LIST),
        _query("group_by", groups, "The columns that make the groups.", **_AS_LIST),
        *([_query("bucket", {"enum": spans}, "A span of time that makes groups, too.")] if spans else []),
        _query(
            "order_by",
            ordered | {"maxItems": MAX_ORDER},
            "Measures, or columns of the groups; with - in front from the greatest. Without it, those of the groups.",
            **_AS_LIST,
        ),
        _limit(MAX_GROUPS),
        *shared,
    ]
    content = _rows(dataset)
    whole = content[formats.JSON]["schema"]
    found = {"type": "array", "items": {"type": "object", "additionalProperties": _SCALAR}}
    content |= _json(whole | {"properties": whole["properties"] | {"rows": found}})
    return _operation(f"Counts and sums of {dataset}", dataset, content, parameters)


def _rows(dataset: str) -> Schema:
    """A page of rows in each format."""
    properties: Schema = {
        "dataset": {"const": dataset},
        "snapshot": {"type": "integer"},
        "from": {"type": "string", "format": "date"},
        "to": {"type": "string", "format": "date"},
        "days": {"type": "array", "items": {"type": "string", "format": "date"}},
        "columns": _COLUMNS,
        "rows": {"type": "array", "items": {"$ref": f"#/components/schemas/{dataset}.row"}},
        "next_cursor": {"type": ["string", "null"]},
    }
    whole = {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}
    return _records_of(whole)


def _asked(columns: Sequence[tuple[str, ColumnType]]) -> list[Schema]:
    """The parameters of a question about rows."""
    names = [name for name, _ in columns]
    ordered = [f"{sign}{name}" for name, kind in columns if not kind.is_nested for sign in ("", "-")]
    own = [
        _query(
            name if name not in RESERVED else f"{name}.is_null",
            question_schema(kind) if name not in RESERVED else {"enum": ["true", "false"]},
            operators_told(kind),
        )
        for name, kind in columns
    ]
    order = {"type": "array", "items": {"enum": ordered}, "minItems": 1, "maxItems": MAX_ORDER}
    return [
        _query("date", DAY, "One day; without it, and without from and to, the latest that is published."),
        _query("from", DAY, "The first day; without it, the first that is published."),
        _query("to", DAY, "The last day; without it, the last that is published."),
        _select(names),
        _query("order_by", order, "Columns; with - in front from the greatest.", **_AS_LIST),
        _limit(MAX_LIMIT),
        _cursor("`next_cursor` of the page before, with the parameters that it was of."),
        *own,
    ]


def _recommended(shown: Shown) -> Schema:
    """What models recommend; nothing where the caller sees no pipeline that has one."""
    models = {found.pipeline.name: found.pipeline for found, _ in shown.datasets if found.pipeline.model}
    if not models:
        return {}
    one = {
        "name": "user_id",
        "in": "path",
        "required": True,
        "schema": key_schema([_user_kind(next(iter(models.values())))]) if len(models) == 1 else {"type": "string"},
        "description": "Whom it is recommended to, in the words of the pipeline's data.",
    }
    asked = [
        _limit(recommendations.MAX_LISTED),
        _query("genre", {"type": "string"}, "What somebody likes of whom the lake does not know it."),
        _query("pipeline", {"enum": list(models)}, "Whose model is asked, where there are several."),
    ]
    properties: Schema = {
        "pipeline": {"enum": list(models)},
        "user_id": {"type": ["integer", "string"]},
        "model_version": {
            "type": "integer",
            "description": "The version whose scoring is answered from; 0: none, but what is popular.",
        },
        "source": {
            "enum": list(get_args(recommendations.ListSource)),
            "description": "Whether the model made the list; what is popular is for who has none.",
        },
        "genre": {"type": ["string", "null"], "description": "In which genre it is popular."},
        "date": DAY | {"description": "The business date that was scored."},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["rank", "score"],
                "properties": {"rank": {"type": "integer", "minimum": 1}, "score": {"type": ["number", "null"]}},
                "additionalProperties": _SCALAR,
            },
        },
    }
    found = {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}
    operation = _operation("What is recommended to a user", "recommendations", _json(found), [one, *asked])
    return {"/v1/recommendations/{user_id}": {"get": operation}}


def _user_kind(pipeline: Pipeline) -> ColumnType:
    """The type of the users' ids of the pipeline's model, which it has."""
    users = pipeline.model.users  # type: ignore[union-attr]
    columns = {column.name: column.type for column in pipeline.dataset(users.dataset).columns}
    return column_type.parse(columns[users.key])


def _report(name: str, header: Header, columns: Sequence[str]) -> Schema:
    report: Schema = {"$ref": "#/components/schemas/Report"}
    history = {
        "type": "object",
        "required": ["pipeline", "name", "columns", "history"],
        "properties": {"columns": _COLUMNS, "history": {"type": "array", "items": {"type": "object"}}},
    }
    day = _query("date", DAY, "The business date; without it, the newest that there is.")
    values = [
        _query(each.name, asked_schema(each), f"{each.description} {computed_told(each)}".strip())
        for each in header.parameters
    ]
    earlier = [_select(columns, "all"), _query("to", DAY, "The last business date."), _limit(MAX_HISTORY)]
    return {
        f"/v1/reports/{name}": {
            "get": _operation(
                f"Report {name}", "reports", _records_of(report), [day, *values], description=header.description
            )
        },
        f"/v1/reports/{name}/history": {
            "get": _operation(
                f"The last reports {name}",
                "reports",
                _json(history),
                earlier,
            )
        },
    }


def _queries(shown: Shown) -> Schema:
    """Reports with other values than the night's: a body for each report."""
    bodies = [
        {
            "type": "object",
            "title": name,
            "required": ["report", *(["parameters"] if required else [])],
            "additionalProperties": False,
            "properties": {
                "report": {"const": name},
                "date": DAY | {"type": ["string", "null"]},
                "parameters": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": required,
                    "properties": {each.name: parameter_schema(each) for each in header.parameters},
                },
            },
        }
        for pipeline in shown.queried
        for name, header in shown.reports.get(pipeline, {}).items()
        for required in [[each.name for each in header.parameters if each.default is None]]
    ]
    query = {"type": "object", "required": ["id", "state"]}
    one = {
        "name": "query_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    }
    conflict = {"409": {**_refusals()["400"], "description": "The query has not ended, or was cancelled."}}
    submit = _operation("Submit a report with other values", "queries", _json(query))
    submit["responses"] = {
        "202": {
            "description": "It runs, or ran already; `Location` says where it is told of.",
            "headers": _told("Location"),
            "content": _json(query),
        },
        **_refusals(),
    }
    submit["requestBody"] = {"required": True, "content": _json({"oneOf": bodies})}
    many: Schema = {
        "type": "object",
        "required": ["queries", "next_cursor"],
        "properties": {"queries": {"type": "array", "items": query}, "next_cursor": {"type": ["string", "null"]}},
    }
    page = [_limit(queries.MAX_LISTED), _cursor(_BEHIND, queries.PLACE)]
    listed = _operation("Your queries, the newest first", "queries", _json(many), page)
    asked = _operation("How a query stands", "queries", _json(query), [one])
    cancel = _operation("Cancel a query", "queries", {}, [one])
    cancel["responses"] = {
        "204": {"description": "It is cancelled, or was.", "headers": _told()},
        **_refusals(),
        "409": {**_refusals()["400"], "description": "The query has ended."},
    }
    result = _operation(
        "The rows of a query",
        "queries",
        _records_of({"type": "object"}),
        [one, _limit(queries.MAX_ROWS), _cursor(_BEHIND)],
    )
    result["responses"] |= conflict | {
        "422": {**_refusals()["400"], "description": "The query would have scanned more than it may."},
        "502": {**_refusals()["500"], "description": "Athena could not answer the query."},
    }
    return {
        "/v1/queries": {"get": listed, **({"post": submit} if bodies else {})},
        "/v1/queries/{query_id}": {"get": asked, "delete": cancel},
        "/v1/queries/{query_id}/result": {"get": result},
    }


def _operated(shown: Shown) -> Schema:
    if not shown.operated:
        return {}
    pipeline = _query("pipeline", {"enum": list(shown.operated)}, "Only those of this pipeline.")
    one = {
        "name": "run_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$"},
    }
    run = {"type": "object", "required": ["pipeline", "run_id", "outcome"]}
    asked = [pipeline, _limit(MAX_LISTED)]
    return {
        "/v1/runs": {"get": _operation("The last runs", "runs", _list("runs", run), asked)},
        "/v1/runs/{run_id}": {
            "get": _operation("One run", "runs", _json({"$ref": "#/components/schemas/RunRecord"}), [one])
        },
        "/v1/snapshots": {"get": _operation("Snapshots", "runs", _list("snapshots", {"type": "object"}), asked)},
    }


def _paged(shown: Shown) -> Schema:
    pipelines = list(dict.fromkeys(found.pipeline.name for found, _ in shown.datasets))
    if not pipelines:
        return {}
    one = {"name": "pipeline", "in": "path", "required": True, "schema": {"enum": pipelines}}
    page = _operation("The page of a run", "runs", {}, [one, _query("date", DAY, "The business date.")])
    page["responses"] = {
        "303": {"description": "The page, for five minutes.", "headers": _told("Location")},
        **_refusals(),
    }
    return {"/v1/pages/{pipeline}": {"get": page}}


def _records() -> Schema:
    """The schemas of what runs leave, as they write it."""
    from nightlake.core.report import Report
    from nightlake.core.run_record import RunRecord

    found: Schema = {}
    for model in (RunRecord, Report):
        schema = model.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {}) | {model.__name__: schema}
    return found

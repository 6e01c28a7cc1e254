"""JSON schemas of what the API takes and gives for a column: its values in JSON, and the texts that ask for them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from nightlake.core.api.condition import COMPARISONS, OPERATORS, operators_of
from nightlake.core.column_type import FLOATS, INTEGER_BITS, ColumnType
from nightlake.core.report import json_value
from nightlake.core.report_parameters import DAY as DATE
from nightlake.core.report_parameters import MAX_LITERAL, ReportParameter

Schema = dict[str, Any]

DAY: Final[Schema] = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_WHOLE_DIGITS: Final = {"tinyint": 2, "smallint": 4, "int": 9, "bigint": 18}
_DATE: Final = "[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
_TIME: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,3})?Z?"
_JSON: Final[Mapping[str, Schema]] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
    "float": {"type": ["number", "string"], "description": 'A number, or "NaN", "Infinity" or "-Infinity".'},
}


def value_schema(kind: ColumnType, *, nullable: bool = True) -> Schema:
    """What a value is in an answer."""
    schema = _value_schema(kind)
    if not nullable:
        return schema
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return schema | {"type": [*kinds, "null"]}


def row_schema(columns: Iterable[tuple[str, ColumnType]]) -> Schema:
    """A row of some of these columns."""
    properties = {name: value_schema(kind) for name, kind in columns}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def question_schema(kind: ColumnType) -> Schema:
    """The texts that ask for a column: a value, or an operator, a point and what it compares with."""
    if kind.name == "string":
        return {"type": "string"}
    compare, others = "|".join(COMPARISONS), [r"is_null\.(true|false)"]
    if not kind.is_nested:
        value = _text(kind)
        others += [rf"(({compare})\.)?{value}", rf"in\.{value}(,{value}){{0,9}}", rf"between\.{value},{value}"]
    return {"type": "string", "pattern": f"^({'|'.join(others)})$"}


def key_schema(keys: Sequence[ColumnType]) -> Schema:
    """The texts that name a row by the values of its primary key."""
    texts = ("[A-Za-z0-9_.:-]{1,64}" if each.name == "string" else _text(each) for each in keys)
    return {"type": "string", "pattern": f"^{','.join(texts)}$"}


def parameter_schema(parameter: ReportParameter) -> Schema:
    """What the JSON of a report's parameter may be."""
    schema = value_schema(parameter.kind, nullable=False) | {"description": parameter.description}
    if parameter.allowed:
        return schema | {"enum": [json_value(each) for each in parameter.allowed]}
    return schema


def asked_schema(parameter: ReportParameter) -> Schema:
    """The texts that ask for a value of a report's parameter."""
    if parameter.allowed:
        return {"enum": [_told(each) for each in parameter.allowed]}
    if parameter.kind.name == "string":
        return {"type": "string", "maxLength": (MAX_LITERAL - 2) // 2}  # in quotes, and its own quotes doubled
    return {"type": "string", "pattern": f"^{_text(parameter.kind)}$"}


def computed_told(parameter: ReportParameter) -> str:
    """What a night computes a report with, for people."""
    if parameter.default is None:
        return "No night computes it: `POST /v1/queries` does."
    if parameter.kind.name == "date" and parameter.default == DATE:
        return "The night computes it with the business date."
    return f"The night computes it with `{_told(parameter.default)}`."


def operators_told(kind: ColumnType) -> str:
    """The operators of a column, for people."""
    known = operators_of(kind)
    return (
        f"`{kind}`; a value, or one of {', '.join(each for each in OPERATORS if each in known)}, a point and a value."
    )


def _told(value: Any) -> str:
    told = json_value(value)
    return str(told).lower() if isinstance(told, bool) else str(told)


def _value_schema(kind: ColumnType) -> Schema:
    if kind.name in INTEGER_BITS:
        last = 2 ** (INTEGER_BITS[kind.name] - 1) - 1
        return {"type": "integer", "minimum": -last - 1, "maximum": last}
    if kind.name == "decimal":
        return {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "description": f"{kind}, exact"}
    if kind.name == "array":
        return {"type": "array", "items": value_schema(kind.parts[0][1])}
    if kind.name == "map":
        return {"type": "object", "additionalProperties": value_schema(kind.parts[1][1])}
    if kind.name == "struct":
        return {"type": "object", "properties": {name: value_schema(part) for name, part in kind.parts}}
    return dict(_JSON["float" if kind.name in FLOATS else kind.name])


def _text(kind: ColumnType) -> str:
    """A regular expression of texts that are values of the type, though not of all."""
    if kind.name in INTEGER_BITS:
        return f"-?[0-9]{{1,{_WHOLE_DIGITS[kind.name]}}}"
    if kind.name == "decimal":
        whole = f"[0-9]{{1,{kind.precision - kind.scale}}}" if kind.precision > kind.scale else "0"
        return f"-?{whole}" + (rf"(\.[0-9]{{1,{kind.scale}}})?" if kind.scale else "")
    if kind.name in FLOATS:
        return r"-?[0-9]{1,15}(\.[0-9]{1,15})?"
    return {"boolean": "(true|false)", "date": _DATE, "timestamp": f"{_DATE}T{_TIME}"}[kind.name]

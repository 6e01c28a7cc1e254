"""The parameters of a report: declared in the comment at the head of its SQL, read from a caller, written as SQL."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from math import isfinite
from typing import Any, Final

from nightlake.core import column_type
from nightlake.core.api.value import parse
from nightlake.core.column_type import FLOATS, MAX_PRECISION, ColumnType
from nightlake.core.errors import InvalidParameterError, UnknownParameterError

DAY: Final = date(2000, 1, 1)
"""Stands for the run's day, also as a default."""
MAX_LITERAL: Final = 1024
"""Characters of an execution parameter that Athena takes."""
_LITERAL: Final = r"(?:'(?:[^']|'')*'|[^\s'(),]+)"
_DECLARATION: Final = re.compile(
    rf"(?P<name>\w+)\s*:\s*(?P<kind>\w+(?:\([^)]*\))?)"
    rf"(?:\s*=\s*(?P<default>{_LITERAL}))?"
    rf"(?:\s+in\s*\((?P<allowed>\s*{_LITERAL}(?:\s*,\s*{_LITERAL})*\s*)\))?"
    r"(?:\s+--\s*(?P<description>.*))?"
)
_EXAMPLE: Final = "-- parameter website: string = 'VVNL' in ('VVNL', 'VVBE') -- which shop"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PLOT: Final = re.compile(r"plot\s*:(.*)", re.IGNORECASE)
_DIGITS: Final = 64
_EXPONENT: Final = 400
_WIDE: Final = Context(prec=2 * MAX_PRECISION)
_MAX_SHOWN: Final = 60


@dataclass(frozen=True)
class ReportParameter:
    """One value that a report asks for: `default` is None where it must be given, `allowed` empty where all are.

    Values are of `kind`, which is never nested. `line` is where it is declared, from 1.
    """

    name: str
    kind: ColumnType
    line: int
    default: Any = None
    allowed: tuple[Any, ...] = ()
    description: str = ""


@dataclass(frozen=True)
class Header:
    """What the comment lines at the head of a report say.

    `plots` are lines that say how the page draws it, and what they say; a fault is a line and what is wrong with it.
    """

    description: str
    parameters: tuple[ReportParameter, ...]
    plots: tuple[tuple[int, str], ...] = ()
    faults: tuple[tuple[int, str], ...] = ()

    @property
    def is_nightly(self) -> bool:
        """Whether a night can compute the report: nothing has to be given."""
        return all(each.default is not None for each in self.parameters)

    def named(self, name: str) -> ReportParameter | None:
        """The parameter of this name."""
        return next((each for each in self.parameters if each.name == name), None)


def read_header(text: str) -> Header:
    """The header of a report's text; it ends at the first line that is no comment."""
    told: list[str] = []
    found: dict[str, ReportParameter] = {}
    plots: list[tuple[int, str]] = []
    faults: list[tuple[int, str]] = []
    for line, content in enumerate(text.splitlines(), 1):
        if not content.lstrip().startswith("--"):
            break
        comment = content.lstrip().removeprefix("--").strip()
        if plot := _PLOT.fullmatch(comment):
            plots.append((line, plot[1]))
            continue
        if not comment.startswith("parameter "):
            told.append(comment)
            continue
        try:
            parameter = _declared(comment.removeprefix("parameter "), line)
        except ValueError as error:
            faults.append((line, str(error)))
            continue
        if parameter.name in found:
            faults.append((line, f"declares the parameter {parameter.name} twice: remove one"))
        found.setdefault(parameter.name, parameter)
    return Header(" ".join(told), tuple(found.values()), tuple(plots), tuple(faults))


def _declared(text: str, line: int) -> ReportParameter:
    """The parameter of one line. Raises ValueError with what is wrong."""
    match = _DECLARATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"declares no parameter: write it like {_EXAMPLE}")
    name = match["name"]
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise ValueError(f"names a parameter {name}: use lower-case letters, digits and _, and none of {_RESERVED}")
    kind = column_type.parse(match["kind"])
    if kind.is_nested:
        raise ValueError(f"declares {name} as {kind}: a parameter is one value")
    values = [_value(name, kind, each) for each in re.findall(_LITERAL, match["allowed"] or "")]
    default = None if match["default"] is None else _value(name, kind, match["default"])
    if values and default is not None and default not in values:
        raise ValueError(f"gives {name} a default that is not among its values: add it to them")
    return ReportParameter(name, kind, line, default, tuple(values), match["description"] or "")


def _parse(kind: ColumnType, text: str) -> Any:
    """The value, a decimal with all digits of its type. Raises ValueError."""
    value = parse(kind, text)
    return value.quantize(Decimal(1).scaleb(-kind.scale), context=_WIDE) if kind.name == "decimal" else value


def _value(name: str, kind: ColumnType, text: str) -> Any:
    """The value that a declaration writes; a text, date or time stands in quotes."""
    quoted = text.startswith("'")
    try:
        value = _parse(kind, text[1:-1].replace("''", "'") if quoted else text)
    except ValueError as error:
        raise ValueError(f"gives {name} the value {text}: {error}; {name} is {kind}") from None
    if kind.name == "string" and not quoted:
        raise ValueError(f"gives {name} the value {text}: write texts in quotes, '{text}'")
    literal(kind, value)
    return value


RESERVED: Final = frozenset(("date", "limit", "cursor", "select", "from", "to", "format"))
"""What routes about reports call their own parameters."""
_RESERVED: Final = ", ".join(sorted(RESERVED))


def defaults(header: Header, day: date) -> dict[str, Any] | None:
    """The values that a night computes the report with; None where one has to be given.

    A default of 1 January 2000 is the day of the run.
    """
    if not header.is_nightly:
        return None
    return {each.name: default_of(each, day) for each in header.parameters}


def read_values(header: Header, given: Mapping[str, object], day: date) -> dict[str, Any]:
    """The value of every parameter, as texts or JSON give them; defaults for those that are not given.

    Raises UnknownParameterError for one that is not declared, InvalidParameterError for a value that it cannot have.
    """
    for name in given:
        if header.named(name) is None:
            known = ", ".join(each.name for each in header.parameters) or "none"
            raise UnknownParameterError(f"There is no parameter '{name}' of this report; there are: {known}", name)
    return {
        each.name: read_value(each, given[each.name]) if each.name in given else _given(each, day)
        for each in header.parameters
    }


def read_value(parameter: ReportParameter, given: object) -> Any:
    """One value. Numbers may be JSON numbers (decoded exactly) or texts. Raises InvalidParameterError."""
    name, kind = parameter.name, parameter.kind
    try:
        value = _parse(kind, _text(kind, given))
        literal(kind, value)
    except ValueError as error:
        raise InvalidParameterError(f"{name}={_shown(given)}: {error}; '{name}' is {kind}", name) from None
    if parameter.allowed and value not in parameter.allowed:
        allowed = ", ".join(map(str, parameter.allowed))
        raise InvalidParameterError(f"{name}={_shown(given)}: there are only {allowed}", name)
    return value


def literal(kind: ColumnType, value: Any) -> str:
    """The value as a literal of Athena's SQL. Raises ValueError for one that Athena does not take."""
    text = _literal(kind, value)
    if len(text) > MAX_LITERAL:
        raise ValueError(f"longer than the {MAX_LITERAL} characters that Athena takes")
    return text


def _literal(kind: ColumnType, value: Any) -> str:
    if kind.name == "string":
        # In Trino nothing but a quote ends a text; a backslash is a character like any other.
        return "'{}'".format(value.replace("'", "''"))
    if kind.name == "timestamp":
        return f"TIMESTAMP '{value.isoformat(' ', 'milliseconds')}'"
    if kind.name == "date":
        return f"DATE '{value.isoformat()}'"
    if kind.name == "decimal":
        return f"DECIMAL '{value:f}'"
    if kind.name in FLOATS:
        if not isfinite(value):
            raise ValueError("not a finite number")
        return f"{'REAL' if kind.name == 'float' else 'DOUBLE'} '{value!r}'"
    return str(value).lower()


def default_of(parameter: ReportParameter, day: date) -> Any:
    """What a night of this business date computes the report with; None where a value has to be given."""
    return day if parameter.kind.name == "date" and parameter.default == DAY else parameter.default


def _given(parameter: ReportParameter, day: date) -> Any:
    if parameter.default is None:
        raise InvalidParameterError(
            f"{parameter.name} is missing; it is {parameter.kind} and has no default", parameter.name
        )
    return default_of(parameter, day)


def _text(kind: ColumnType, given: object) -> str:
    """What was given, as text. Raises ValueError."""
    match given:
        case bool():
            if kind.name != "boolean":
                raise ValueError("is true or false")
            return str(given).lower()
        case int() | Decimal():
            if not kind.is_number:
                raise ValueError("a number, write a text in quotes")
            number = Decimal(given)
            if not number.is_finite() or abs(number.adjusted()) > _EXPONENT or len(number.as_tuple().digits) > _DIGITS:
                raise ValueError("not a number of this type")
            return f"{number:f}"
        case str():
            return given
    raise ValueError("neither a text, a number, true nor false")


def _shown(given: object) -> str:
    text = str(given)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."

"""Compiles what a contract says about good values into quality rules with stable ids."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import re2
from open_data_contract_standard.model import DataQuality, SchemaObject, SchemaProperty

from nightlake.core.column_type import ColumnType, literal
from nightlake.core.pipeline import Metric, Operator, Rule, Severity, ValidValues
from nightlake.core.wording import nearest, shown
from nightlake.core.yaml_file import Location, YamlFile

ROW_METRICS = ("nullValues", "missingValues", "invalidValues")
ROW_COUNTS = ("rowCount", "rowCountChange")
DATASET_METRICS = ("duplicateValues", *ROW_COUNTS)
ENGINE = "nightlake"  # whose `custom` checks are those that the standard has no metric for
LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
TEXT_OPTIONS = ("minLength", "maxLength", "pattern")
OPTIONS = (*LIMITS, *TEXT_OPTIONS)
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "nullValues": (),
    "missingValues": ("missingValues",),
    "invalidValues": ("validValues", *OPTIONS),
    "duplicateValues": ("properties",),
    "rowCount": (),
}
_ELSEWHERE = {
    "format": "say widths in physicalType, the spelling of dates in pipeline.yaml, other formats as a `pattern`",
    "timezone": "timestamps are stored as UTC; say the source's `timezone` in pipeline.yaml",
    "defaultTimezone": "timestamps are stored as UTC; say the source's `timezone` in pipeline.yaml",
}
_ALL_PERCENT = 100
# RE2 reads `{,5}` as these four characters, everybody else as `{0,5}`.
_OPEN_REPEAT = re.compile(r"(?<!\\)\{,[0-9]+\}")


@dataclass(frozen=True)
class RuleCompiler:
    """Compiles one dataset's rules; what is wrong with them is reported to the file."""

    file: YamlFile
    dataset: str
    types: Mapping[str, ColumnType]

    def compile(self, location: Location, schema: SchemaObject, primary_key: tuple[str, ...]) -> tuple[Rule, ...]:
        """All rules: the primary key's, those of the columns in their order, those of the dataset."""
        found: list[tuple[Location, Rule]] = []
        if primary_key:
            found.append((location, self._rule("primary_key", "duplicateValues", "fail", columns=primary_key)))
        for index, column in enumerate(schema.properties or ()):
            if column.name is not None and column.name in self.types:
                found += self._column((*location, "properties", index), column.name, column)
        for index, check in enumerate(schema.quality or ()):
            found += self._check((*location, "quality", index), check, None)
        rules: dict[str, Rule] = {}
        for where, rule in found:
            if rule.id in rules:
                self.file.report(where, f"a second rule would be called {rule.id!r}: give this one an `id` of its own")
            rules[rule.id] = rule
        return tuple(rules.values())

    def _rule(self, name: str, metric: Metric, severity: Severity, **fields: Any) -> Rule:
        return Rule(id=f"{self.dataset}.{name}", metric=metric, severity=severity, **fields)

    def _column(self, location: Location, name: str, column: SchemaProperty) -> Iterator[tuple[Location, Rule]]:
        columns = (name,)
        if column.required:
            yield location, self._rule(f"{name}.required", "nullValues", "quarantine", columns=columns)
        if column.unique:
            yield location, self._rule(f"{name}.unique", "duplicateValues", "fail", columns=columns)
        if column.enum:
            where = (*location, "enum")
            valid = self._valid(where, name, {"validValues": [value.value for value in column.enum]})
            yield where, self._rule(f"{name}.enum", "invalidValues", "quarantine", columns=columns, valid=valid)
        for option, value in (column.logicalTypeOptions or {}).items():
            where = (*location, "logicalTypeOptions", option)
            if option in OPTIONS:
                valid = self._valid((*location, "logicalTypeOptions"), name, {option: value})
                rule = f"{name}.{snake(option)}"
                yield where, self._rule(rule, "invalidValues", "quarantine", columns=columns, valid=valid)
            else:
                advice = _ELSEWHERE.get(option, f"remove it, or use {', '.join(OPTIONS)}")
                self.file.report(where, f"{option!r} is not checked by Nightlake: {advice}")
        self._check_order((*location, "logicalTypeOptions"), name, column.logicalTypeOptions or {})
        for index, check in enumerate(column.quality or ()):
            yield from self._check((*location, "quality", index), check, name)

    def _check(self, location: Location, check: DataQuality, column: str | None) -> Iterator[tuple[Location, Rule]]:
        if check.type == "text":
            return  # prose for people, by the standard's own definition
        if check.type == "custom" and check.engine == ENGINE:
            own = self._own_check((*location, "implementation"), check)
            if own is None:
                return
            location, check = (*location, "implementation"), own
        metric = check.metric
        if check.type in ("sql", "custom") or (metric not in ARGUMENTS and metric not in ROW_COUNTS):
            kind = f"a check of type {check.type} is not run" if check.type else "the check names no metric"
            self.file.report(
                location, f"{kind}: use a `metric`, or write the query as sql/<pipeline>/audits/<name>.sql"
            )
            return
        if column is None and metric not in DATASET_METRICS:
            self.file.report(location, f"{metric} is about one column: move it to the `quality` of that column")
        elif column is not None and metric in ROW_COUNTS:
            self.file.report(location, f"{metric} is about a dataset: move it to the `quality` of the dataset")
        elif (rule := self._library_rule(location, check, column)) is not None:
            yield location, rule

    def _own_check(self, location: Location, check: DataQuality) -> DataQuality | None:
        """A check that the standard has no metric for, as if it had; None when that is not what it says."""
        said, known = check.implementation, ("metric", "unit", *get_args(Operator))
        if not isinstance(said, Mapping) or said.get("metric") != "rowCountChange":
            self.file.report(location, "write a mapping: {metric: rowCountChange, mustBeBetween: [-50, 100]}")
            return None
        for key in said.keys() - set(known):
            self.file.report((*location, key), f"rowCountChange has no key {shown(key)}: {nearest(key, known)}")
        if len(said.keys() & set(get_args(Operator))) != 1:
            self.file.report(location, "rowCountChange needs one operator, such as mustBeBetween: [-50, 100]")
            return None
        shared = check.model_dump(include={"id", "description", "severity"}, exclude_none=True)
        return DataQuality.model_construct(**{"unit": "percent", **said, **shared})

    def _library_rule(self, location: Location, check: DataQuality, column: str | None) -> Rule | None:
        before = len(self.file.problems)
        arguments = self._arguments(location, check, column)
        columns = tuple(arguments.get("properties", ())) if column is None else (column,)
        unit = check.unit or "rows"
        operator, operands = self._operands(location, check, unit)
        if unit not in ("rows", "percent") or (unit == "percent" and check.metric == "rowCount"):
            self.file.report((*location, "unit"), f"{shown(unit)} is no unit here: use rows, or percent of the rows")
        severity = self._severity(location, check, is_zero=(operator, operands, unit) == ("mustBe", (0,), "rows"))
        valid = None
        if check.metric == "invalidValues" and column is not None:
            valid = self._valid((*location, "arguments"), column, arguments)
            self._check_order((*location, "arguments"), column, arguments)
        if len(self.file.problems) > before:
            return None
        return Rule.model_validate(
            {
                "id": ".".join(filter(None, (self.dataset, column, check.id or _name(str(check.metric), arguments)))),
                "metric": check.metric,
                "severity": severity,
                "columns": columns,
                "valid": valid,
                "missing": tuple(arguments.get("missingValues", ())),
                "operator": operator,
                "operands": operands,
                "unit": unit,
                "description": check.description or "",
            }
        )

    def _arguments(self, location: Location, check: DataQuality, column: str | None) -> dict[str, Any]:
        arguments, known = check.arguments or {}, ARGUMENTS.get(str(check.metric), ())
        if check.metric == "duplicateValues" and column is not None:
            known = ()
        where = (*location, "arguments")
        for key in arguments.keys() - set(known):
            self.file.report((*where, key), f"{check.metric} has no argument {shown(key)}: {nearest(key, known)}")
        if known and not arguments.keys() & set(known):
            self.file.report(location, f"{check.metric} needs an argument: say {' or '.join(known)}")
        if "properties" in arguments:
            self._known_columns((*where, "properties"), arguments["properties"])
        if "missingValues" in arguments and column is not None:
            self._missing((*where, "missingValues"), column, arguments["missingValues"])
        return arguments

    def _known_columns(self, location: Location, names: object) -> None:
        if not isinstance(names, list) or not names:
            self.file.report(location, f"{shown(names)} is not a list of columns: write [column, ...]")
            return
        for name in names:
            if name not in list(self.types):
                self.file.report(location, f"there is no column {shown(name)}: {nearest(str(name), self.types)}")

    def _missing(self, location: Location, column: str, values: object) -> None:
        if self.types[column].name != "string":
            self.file.report(location, "only texts have spellings of missing: say `nulls` in pipeline.yaml")
        elif not isinstance(values, list) or not all(value is None or isinstance(value, str) for value in values):
            self.file.report(location, f"{shown(values)} is not a list of texts: write for example [null, '', 'N/A']")

    def _operands(self, location: Location, check: DataQuality, unit: str) -> tuple[Operator, tuple[int | float, ...]]:
        operator: Operator = next(name for name in get_args(Operator) if name in check.model_fields_set)
        value = getattr(check, operator)
        operands = tuple(value) if isinstance(value, list) else (value,)
        wanted = 2 if operator.endswith("Between") else 1
        if len(operands) != wanted or not all(
            isinstance(number, int | float) and not isinstance(number, bool) for number in operands
        ):
            self.file.report((*location, operator), f"{shown(value)} is no bound of a count: write a number")
        elif fault := _bound_fault(str(check.metric), operator, operands, unit):
            self.file.report((*location, operator), f"{operator} {shown(value)} {fault}")
        elif list(operands) != sorted(operands):
            self.file.report((*location, operator), f"{shown(value)} is empty: write the smaller number first")
        return operator, operands

    def _severity(self, location: Location, check: DataQuality, *, is_zero: bool) -> str:
        by_row = check.metric in ROW_METRICS and is_zero
        severity = check.severity or ("quarantine" if by_row else "fail")
        if severity not in get_args(Severity):
            self.file.report(
                (*location, "severity"), f"{shown(severity)} is no severity: {nearest(severity, get_args(Severity))}"
            )
        elif severity == "quarantine" and not by_row:
            self.file.report(
                (*location, "severity"),
                f"{check.metric} cannot set rows aside here: use warn or fail "
                f"(quarantine is for {', '.join(ROW_METRICS)} with `mustBe: 0` rows)",
            )
        return severity

    def _valid(self, location: Location, column: str, arguments: Mapping[str, Any]) -> ValidValues:
        fields: dict[str, Any] = {}
        for key in arguments.keys() & set(ARGUMENTS["invalidValues"]):
            try:
                fields["values" if key == "validValues" else snake(key)] = _argument(
                    self.types[column], key, arguments[key]
                )
            except ValueError as error:
                self.file.report((*location, key), str(error))
        return ValidValues(**fields)

    def _check_order(self, location: Location, column: str, options: Mapping[str, Any]) -> None:
        for low, high in (("minimum", "maximum"), ("minLength", "maxLength")):
            bounds = [options[key] for key in (low, high) if key in options]
            comparable = all(isinstance(bound, int | float) for bound in bounds)
            if not comparable and self.types[column].name in ("date", "timestamp"):
                comparable = all(isinstance(bound, str) for bound in bounds)
            if comparable and bounds != sorted(bounds):
                self.file.report((*location, high), f"{high} is below {low}, so that no value is valid: swap them")


def _bound_fault(metric: str, operator: Operator, operands: tuple[int | float, ...], unit: str) -> str | None:
    """Why no number of rows, or no percentage of them, can be what the bounds ask for; None when one can."""
    if metric == "rowCountChange":
        lost = unit == "percent" and any(number < -_ALL_PERCENT for number in operands)
        return "is less than nothing: -100 percent are all rows" if lost else None
    limit = _ALL_PERCENT if unit == "percent" else math.inf
    if not all(0 <= number <= limit for number in operands):
        return "is out of range: a percentage is 0 to 100" if unit == "percent" else "is negative: rows are counted"
    if unit == "rows" and any(number != int(number) for number in operands):
        return "is no number of rows: write a whole number, or `unit: percent`"
    if (operator, operands) in (("mustBeLessThan", (0,)), ("mustBeGreaterThan", (limit,))):
        return "can never be true: use mustBe"
    return None


def snake(name: str) -> str:
    """`minLength` as `min_length`."""
    return re.sub(r"[A-Z]", lambda upper: f"_{upper[0].lower()}", name)


def _name(metric: str, arguments: Mapping[str, Any]) -> str:
    """A rule is called after its only argument where that says more than the metric."""
    if metric == "invalidValues" and len(arguments) == 1:
        return snake(next(iter(arguments)))
    return snake("_".join((metric, *arguments.get("properties", ()))))


def _argument(kind: ColumnType, key: str, value: Any) -> str | int | tuple[str, ...]:
    if key in LIMITS and (kind.is_number or kind.name in ("date", "timestamp")):
        return literal(kind, value)
    if key == "validValues" and not kind.is_nested:
        if not isinstance(value, list) or not value:
            raise ValueError(f"{shown(value)} is not a list of values: write [value, ...]")
        return tuple(literal(kind, item) for item in value)
    if key in TEXT_OPTIONS and kind.name == "string":
        return _pattern(value) if key == "pattern" else _length(value)
    raise ValueError(f"{key!r} has no meaning for a {kind}: remove it")


def _length(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{shown(value)} is no length: write a whole number of characters")
    return value


def _pattern(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is no pattern: write a quoted regular expression")  # noqa: TRY004
    if open_repeat := _OPEN_REPEAT.search(value):
        raise ValueError(f"{shown(value)} repeats from nowhere: write {{0{open_repeat[0][1:]}")
    try:
        re2.compile(value, _re2_options())
    except (re2.error, UnicodeEncodeError) as error:
        raise ValueError(
            f"{shown(value)} is no pattern of RE2, which Arrow and Athena match with ({_text(error)}): rewrite it "
            "without looking around, referring back or more than 1,000 repeats"
        ) from None
    return value


def _re2_options() -> Any:
    options = re2.Options()
    options.log_errors = False  # the message says the same
    return options


def _text(error: Exception) -> str:
    reason = error.args[0]
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)

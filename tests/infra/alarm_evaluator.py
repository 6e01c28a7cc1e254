"""CloudWatch's alarms as they are documented, over recorded series: the emulator evaluates none of AWS's own metrics.

"How alarm state is evaluated when data is missing" says that CloudWatch looks at more periods than an alarm names, and
not how many: `spare` is that number, and what we expect of our alarms must not depend on it. Time is in minutes, and
periods slide with it. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import json
import math
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Key = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name and dimensions of a metric."""
Series = Mapping[Key, Mapping[int, Sequence[float]]]
"""What was put into each metric in each minute."""

_COMPARED = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}
_STATISTICS = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "SampleCount": len,
    "Average": lambda values: sum(values) / len(values),
}


@dataclass(frozen=True)
class Alarm:
    """A metric alarm: `breaching` of the last `periods` of `minutes` each compare so."""

    name: str
    metric: Key
    statistic: str
    minutes: int
    periods: int
    breaching: int
    threshold: float
    comparison: str
    missing: str
    notifies: bool

    @classmethod
    def of(cls, properties: Mapping[str, Any], dimensions: Mapping[str, str]) -> "Alarm":
        """An `AWS::CloudWatch::Alarm`, whose dimensions may be references and are given by name."""
        known = {"AlarmActions", "AlarmDescription", "AlarmName", "ComparisonOperator", "DatapointsToAlarm"}
        known |= {"Dimensions", "EvaluationPeriods", "ExtendedStatistic", "MetricName", "Namespace", "Period"}
        known |= {"Statistic", "Tags", "Threshold", "TreatMissingData"}
        assert properties.keys() <= known, properties.keys() - known
        return cls(
            name=properties["AlarmName"],
            metric=(properties["Namespace"], properties["MetricName"], frozenset(dimensions.items())),
            statistic=properties.get("Statistic") or properties["ExtendedStatistic"],
            minutes=properties["Period"] // 60,
            periods=properties["EvaluationPeriods"],
            breaching=properties.get("DatapointsToAlarm", properties["EvaluationPeriods"]),
            threshold=properties["Threshold"],
            comparison=properties["ComparisonOperator"],
            missing=properties.get("TreatMissingData", "missing"),
            notifies=bool(properties.get("AlarmActions")),
        )

    def points(self, series: Series, minute: int, spare: int) -> list[bool | None]:
        """Whether each period up to this minute breaches, oldest first; None where it has no data."""
        data = series.get(self.metric)
        if not data:
            return [None] * (self.periods + spare)
        ends = (minute - back * self.minutes for back in reversed(range(self.periods + spare)))
        return [self._breaches(list(_values(data, range(end - self.minutes + 1, end + 1)))) for end in ends]

    def _breaches(self, values: Sequence[float]) -> bool | None:
        if not values:
            return None
        if percentile := re.fullmatch(r"p(\d+)", self.statistic):
            rank = math.ceil(int(percentile[1]) / 100 * len(values))
            return bool(_COMPARED[self.comparison](sorted(values)[max(0, rank - 1)], self.threshold))
        return bool(_COMPARED[self.comparison](_STATISTICS[self.statistic](values), self.threshold))

    def state(self, points: Sequence[bool | None], before: State) -> State:
        """The state that these points of the evaluation range, oldest first, make of the state before."""
        there = [point for point in points if point is not None]
        if len(there) >= self.periods:
            return "ALARM" if sum(there[-self.periods :]) >= self.breaching else "OK"
        filled = self.periods - len(there)
        if self.missing == "notBreaching":
            return "ALARM" if sum(there) >= self.breaching else "OK"
        if self.missing == "breaching":
            return "ALARM" if sum(there) + filled >= self.breaching else "OK"
        return self._unfilled(points, there, before)

    def _unfilled(self, points: Sequence[bool | None], there: Sequence[bool], before: State) -> State:
        """What becomes of an alarm that fills nothing in: `missing` and `ignore`."""
        if sum(there) >= self.breaching:
            return "ALARM"
        if not all(there):
            return "OK"
        if self.missing == "ignore":
            return before
        if not there:
            return "INSUFFICIENT_DATA"
        # "Avoiding premature transitions": one that breaches is waited for until it is as old as `breaching` points.
        return "ALARM" if len(points) - points.index(True) >= self.breaching else before


def _values(data: Mapping[int, Sequence[float]], period: range) -> Iterator[float]:
    for at in period if len(period) < len(data) else data:
        if at in period:
            yield from data.get(at, ())


@dataclass
class Composite:
    """An alarm over alarms that notifies once; `hold` and `extension` are the suppressor's periods, in minutes."""

    name: str
    rule: str
    notifies: bool
    suppressor: str | None = None
    hold: int = 0
    extension: int = 0
    _told: bool = field(default=False, init=False)
    _not_before: int = field(default=0, init=False)

    def state(self, states: Mapping[str, State]) -> State:
        """What the rule makes of these states."""
        return "ALARM" if _rule(_tokens(self.rule), states) else "OK"

    def notify(self, minute: int, before: State, now: State, states: Mapping[str, State]) -> bool:
        """Whether this is the minute in which it notifies."""
        if now != "ALARM":
            return False
        if before != "ALARM":
            self._told, self._not_before = False, minute + (self.hold if self.suppressor else 0)
        if self.suppressor and states[self.suppressor] == "ALARM":
            self._not_before = minute + self.extension
            return False
        if self._told or minute < self._not_before:
            return False
        self._told = True
        return self.notifies


def _tokens(rule: str) -> list[str]:
    tokens = re.findall(r'[()]|AND|OR|NOT|TRUE|FALSE|(?:ALARM|OK|INSUFFICIENT_DATA)\("?[^")]+"?\)|\S', rule)
    return list(reversed(tokens))


def _rule(tokens: list[str], states: Mapping[str, State]) -> bool:
    """The value of a rule, whose next token is the last: OR binds least, then AND, then NOT."""
    value = _all(tokens, states)
    while tokens and tokens[-1] == "OR":
        tokens.pop()
        value = _all(tokens, states) or value
    return value


def _all(tokens: list[str], states: Mapping[str, State]) -> bool:
    value = _one(tokens, states)
    while tokens and tokens[-1] == "AND":
        tokens.pop()
        value = _one(tokens, states) and value
    return value


def _one(tokens: list[str], states: Mapping[str, State]) -> bool:
    token = tokens.pop()
    if token == "NOT":
        return not _one(tokens, states)
    if token == "(":
        value = _rule(tokens, states)
        assert tokens.pop() == ")"
        return value
    if token in ("TRUE", "FALSE"):
        return token == "TRUE"
    found = re.fullmatch(r'(\w+)\("?([^")]+)"?\)', token)
    assert found is not None, f"{token!r} is no part of a rule"
    return states[found[2]] == found[1]


@dataclass
class Seen:
    """What a span of time made of the alarms: the minutes in which each was on, and what was notified when."""

    on: dict[str, list[int]] = field(default_factory=dict)
    pages: list[tuple[int, str]] = field(default_factory=list)


def watch(
    alarms: Sequence[Alarm], composites: Sequence[Composite], series: Series, minutes: range, *, spare: int
) -> Seen:
    """Evaluate every alarm in every minute. They are there from the first minute on, and begin without data."""
    states: dict[str, State] = {each.name: "INSUFFICIENT_DATA" for each in (*alarms, *composites)}
    seen = Seen()
    for minute in minutes:
        before = dict(states)
        for alarm in alarms:
            states[alarm.name] = alarm.state(alarm.points(series, minute, spare), before[alarm.name])
            if alarm.notifies and states[alarm.name] == "ALARM" != before[alarm.name]:
                seen.pages.append((minute, alarm.name))
        for composite in composites:
            states[composite.name] = composite.state(states)
            if composite.notify(minute, before[composite.name], states[composite.name], states):
                seen.pages.append((minute, composite.name))
        for name, state in states.items():
            if state == "ALARM":
                seen.on.setdefault(name, []).append(minute)
    return seen


def read_template(template: Mapping[str, Any], *, prefix: str) -> tuple[list[Alarm], list[Composite]]:
    """The alarms of a template; references become the names of what they refer to, without `prefix`."""
    names = dict(_names(template, prefix))

    def plain(value: Any) -> str:
        match value:
            case {"Ref": str(key)} | {"Fn::GetAtt": [str(key), _]} if key in names:
                return names[key]
            case {"Fn::Join": [str(between), [*parts]]}:
                return between.join(map(plain, parts))
            case str(text):
                return text.removeprefix(prefix)
        return json.dumps(value)

    found = [each for each in template["Resources"].values() if each["Type"].startswith("AWS::CloudWatch::")]
    alarms, composites = [], []
    for kind, properties in ((each["Type"], each["Properties"]) for each in found):
        named = {**properties, "AlarmName": str(properties.get("AlarmName", "")).removeprefix(prefix)}
        if kind == "AWS::CloudWatch::Alarm":
            dimensions = {each["Name"]: plain(each["Value"]) for each in properties.get("Dimensions", ())}
            alarms.append(Alarm.of(named, dimensions))
        elif kind == "AWS::CloudWatch::CompositeAlarm":
            composites.append(
                Composite(
                    name=named["AlarmName"],
                    rule=plain(properties["AlarmRule"]),
                    notifies=bool(properties.get("AlarmActions")),
                    suppressor=plain(properties["ActionsSuppressor"]) if "ActionsSuppressor" in properties else None,
                    hold=properties.get("ActionsSuppressorWaitPeriod", 0) // 60,
                    extension=properties.get("ActionsSuppressorExtensionPeriod", 0) // 60,
                )
            )
    return alarms, composites


def _names(template: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Logical ids with the names that their resources are given."""
    keys = ("AlarmName", "FunctionName", "QueueName", "StateMachineName", "Name")
    for logical_id, resource in template["Resources"].items():
        for key in keys:
            name = resource.get("Properties", {}).get(key)
            if isinstance(name, str):
                yield logical_id, name.removeprefix(prefix)
                break

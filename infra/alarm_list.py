"""The alarms of a synthesized template as a table: one row for all functions, pipelines or sources that are alike."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aws_cdk import App
from nightlake.core.contract import load_pipelines

from infra.alarms import RUNBOOK
from infra.stacks import add_stage
from infra.whole_template import whole_template

_ROOT = Path(__file__).parents[1]
_STAGE = "local"
_NIGHT = (
    "failed|timed-out|aborted|not-started|not-finished|slow|trigger-dead-letters|throttled|night-is-broken|page-failed"
)
_MODEL = "(?:recommend|retrain)-(?:failed|timed-out|aborted)|dead-letters|is-broken|drifted|shifted|old"
_ALIKE = {
    r"function-(.+)-(errors|throttles|near-timeout|dead-letters)": r"function-`<function>`-\2",
    rf"pipeline-(.+?)-({_NIGHT})": r"pipeline-`<pipeline>`-\2",
    rf"model-(.+?)-({_MODEL})": r"model-`<pipeline>`-\2",
    r"source-(.+)-(rejected|quarantined)": r"source-`<pipeline>`-`<dataset>`-\2",
}
_WORDS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": "≥",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
    "notBreaching": "off",
    "breaching": "on",
}


def alarms_table() -> str:
    """The table for docs/alarms.md, from the template of the stage that needs no layer."""
    context = json.loads((_ROOT / "cdk.json").read_text())["context"]
    app = App(context={**context, "aws:cdk:disable-asset-staging": True}, builtin_cloud_formation_validation=False)
    add_stage(app, _STAGE, load_pipelines(_ROOT / "pipelines"))
    return table(whole_template(app.synth(), f"nightlake-{_STAGE}-stateless"), prefix=f"nightlake-{_STAGE}-")


def table(template: Mapping[str, Any], *, prefix: str) -> str:
    """The alarms of a template, whose names begin with `prefix`."""
    found: dict[tuple[str, ...], list[tuple[str, Mapping[str, Any]]]] = {}
    names = {
        key: str(each["Properties"]["AlarmName"]).removeprefix(prefix)
        for key, each in template["Resources"].items()
        if each["Type"] in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
    }
    for key, name in names.items():
        properties = template["Resources"][key]["Properties"]
        cells = _metric(properties) if "MetricName" in properties else _rule(properties, names)
        anchor = properties["AlarmDescription"].rpartition(f"{RUNBOOK}#")[2]
        row = (_alike(name), *cells, f"[what to do](runbook.md#{anchor})")
        found.setdefault(row, []).append((name, properties))
    rows = (
        f"| {kind} | {metric} | {when.format(threshold=_thresholds(alike))} | {missing} | {_told(alike)} | {link} |"
        for (kind, metric, when, missing, link), alike in found.items()
    )
    head = "| alarm | looks at | is on when | without data | notifies | |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def _alike(name: str) -> str:
    for pattern, kind in _ALIKE.items():
        if found := re.fullmatch(pattern, name):
            return found.expand(kind)
    return name


def _told(alike: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Whether these alarms notify, or which of them do."""
    telling = [name for name, properties in alike if properties.get("AlarmActions")]
    if len(telling) in (0, len(alike)):
        return "yes" if telling else "no"
    return ", ".join(name.split("-")[1] for name in telling) + " only"


def _metric(properties: Mapping[str, Any]) -> tuple[str, str, str]:
    statistic = properties.get("Statistic") or properties["ExtendedStatistic"]
    periods = properties["EvaluationPeriods"]
    minutes = properties["Period"] // 60
    times = properties.get("DatapointsToAlarm", periods)
    often = "" if periods == 1 else f", in {times} of {periods}"
    length = "a day" if minutes == 24 * 60 else f"{minutes} minutes"
    sign = _WORDS[properties["ComparisonOperator"]]
    return (
        f"{properties['Namespace']} {properties['MetricName']}",
        f"{statistic} {sign} {{threshold}} in {length}{often}",
        _WORDS[properties["TreatMissingData"]],
    )


def _rule(properties: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, str, str]:
    referred = re.findall(r'"Fn::GetAtt": \["(\w+)"', json.dumps(properties["AlarmRule"]))
    kinds = dict.fromkeys(_alike(names[key]).rpartition("`-")[2] for key in referred)
    waits = properties["ActionsSuppressorWaitPeriod"] // 60
    return (", ".join(kinds), f"any of them is; it notifies after {waits} minutes, not just after a deployment", "")


def _thresholds(alike: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """The threshold, or from which to which those of several alarms are."""
    limits = [float(properties.get("Threshold", 0)) for _, properties in alike]
    return " to ".join(dict.fromkeys(_plain(limit) for limit in (min(limits), max(limits))))


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:g}"

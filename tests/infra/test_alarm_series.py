"""Every alarm of the template over recorded nights: what rings, when, who is woken, and that nothing else does."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from alarm_evaluator import Alarm, Composite, Key, Seen, read_template, watch
from nightlake.core.http_behaviour import Asked, asked_metrics
from nightlake.core.metrics import NAMESPACE
from nightlake.core.model.finish import ModelRun, end_metrics
from nightlake.core.model.measure import measurement_metrics
from nightlake.core.model.model_record import Measurement, Metrics
from nightlake.core.night_metrics import night_metrics, page_metric
from nightlake.core.night_times import PARTS, Times
from nightlake.core.pipeline import Pipeline
from nightlake.core.run_record import RunRecord, SourceRecord
from nightlake.core.watchdog import Watch, deployments, watch_metrics

ROOT = Path(__file__).parents[2]
SERIES = Path(__file__).parent / "series"
SCENARIOS = sorted(file.stem for file in SERIES.glob("*.yaml"))
PREFIX = "nightlake-dev-"
BEGIN, END = 150, 420  # half past two to seven
# How many periods CloudWatch looks at beyond those that an alarm names: not documented, so none may matter.
SPARES = (0, 2, 4)


def minute(text: str) -> int:
    hours, minutes = text.split(":")
    return 60 * int(hours) + int(minutes)


def span(text: str) -> range:
    """The minutes of `03:05`, or of `03:05-04:00/5`."""
    found = re.fullmatch(r"([\d:]+)(?:-([\d:]+)(?:/(\d+))?)?", text)
    assert found, text
    begin = minute(found[1])
    return range(begin, (minute(found[2]) if found[2] else begin) + 1, int(found[3] or 1))


class Stage:
    """The alarms of stage dev, and the names that placeholders of the series stand for."""

    def __init__(self, template: Mapping[str, Any], pipelines: tuple[Pipeline, ...]) -> None:
        self.template, self.pipelines = template, pipelines
        self.functions = [
            alarm.name[9:-7] for alarm in self.alarms()[0] if re.fullmatch("function-.+-errors", alarm.name)
        ]

    def alarms(self) -> tuple[list[Alarm], list[Composite]]:
        return read_template(self.template, prefix=PREFIX)

    def meant(self, text: str) -> Iterator[str]:
        """Every text that one with placeholders means; `{dataset}` is one of the pipeline that is named beside it,
        `{due}` a pipeline whose nights are not by request alone.
        """
        due = [each for each in self.pipelines if "{due}" not in text or not each.schedule.by_request]
        text = text.replace("{due}", "{pipeline}")
        pipelines = [each for each in due if "{pipeline}" in text or f"pipeline={each.name} " in f"{text} "]
        for pipeline in pipelines if re.search(r"\{(pipeline|dataset)\}", text) else [None]:
            one = text if pipeline is None else text.replace("{pipeline}", pipeline.name)
            datasets = [source.dataset for source in pipeline.sources] if pipeline and "{dataset}" in text else [""]
            for dataset, function in product(datasets, self.functions if "{function}" in text else [""]):
                yield one.replace("{dataset}", dataset).replace("{function}", function)

    def series(self, written: Mapping[str, Mapping[str, float]]) -> dict[Key, dict[int, list[float]]]:
        found: dict[Key, dict[int, list[float]]] = {}
        for text, points in written.items():
            for one in self.meant(text):
                namespace, name, *about = one.split(" ")
                key = (namespace, name, frozenset(tuple(each.split("=", 1)) for each in about))
                found[key] = {at: [value] for when, value in points.items() for at in span(when)}
        return found

    def expected(self, written: Mapping[str, str]) -> dict[str, range]:
        return {one: span(when) for text, when in written.items() for one in self.meant(text)}


@pytest.fixture(scope="module")
def stage(template: Callable[[str, str], dict[str, Any]], pipelines: tuple[Pipeline, ...]) -> Stage:
    return Stage(template("dev", "stateless"), pipelines)


def scenario(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((SERIES / f"{name}.yaml").read_text())
    return loaded


@pytest.fixture(scope="module")
def night(stage: Stage) -> Callable[[str, int], Seen]:
    """`night(name, spare)`: what a recorded night does to the alarms."""

    @cache
    def seen(name: str, spare: int) -> Seen:
        recorded = stage.series(scenario("normal")["series"]) | stage.series(scenario(name)["series"])
        return watch(*stage.alarms(), recorded, range(BEGIN, END + 1), spare=spare)

    return seen


@pytest.mark.parametrize("spare", SPARES)
@pytest.mark.parametrize("name", SCENARIOS)
def test_these_alarms_ring_and_no_others(
    stage: Stage, night: Callable[[str, int], Seen], name: str, spare: int
) -> None:
    expected = stage.expected(scenario(name)["rings"])
    began = {alarm: minutes[0] for alarm, minutes in night(name, spare).on.items()}
    assert began.keys() == expected.keys()
    assert {alarm: at for alarm, at in began.items() if at not in expected[alarm]} == {}


@pytest.mark.parametrize("spare", SPARES)
@pytest.mark.parametrize("name", SCENARIOS)
def test_these_people_are_woken_once(stage: Stage, night: Callable[[str, int], Seen], name: str, spare: int) -> None:
    expected = stage.expected(scenario(name)["pages"])
    pages = night(name, spare).pages
    assert sorted(alarm for _, alarm in pages) == sorted(expected)
    assert [(at, alarm) for at, alarm in pages if at not in expected[alarm]] == []


@pytest.mark.parametrize("spare", SPARES)
@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_mended_is_off_again(night: Callable[[str, int], Seen], name: str, spare: int) -> None:
    on = {alarm for alarm, minutes in night(name, spare).on.items() if minutes[-1] == END}
    assert on == set(scenario(name).get("still", ()))


def test_every_alarm_rings_in_some_night(stage: Stage, night: Callable[[str, int], Seen]) -> None:
    of_one = {"sales", "products", ""}  # pipelines and datasets that ring stand for those that are like them
    rung = set().union(*(night(name, 2).on for name in SCENARIOS))
    alarms, composites = stage.alarms()
    names = {alarm.name for alarm in (*alarms, *composites)}
    others = {
        one
        for pipeline in stage.pipelines
        for one in names
        if (one.startswith(f"pipeline-{pipeline.name}-") and pipeline.name not in of_one)
        or any(one.startswith(f"source-{pipeline.name}-{source.dataset}-") for source in pipeline.sources)
    }
    like = {re.sub(r"^(source)-.+-(\w+)$", r"\1-\2", one) for one in rung}
    assert names - rung - others == set()
    assert {re.sub(r"^(source)-.+-(\w+)$", r"\1-\2", one) for one in others if one.startswith("source-")} <= like


def test_every_series_is_of_a_metric_that_an_alarm_or_a_person_looks_at(stage: Stage) -> None:
    """A misspelt metric in a recorded night would be a night in which nothing happened."""
    looked_at = {alarm.metric for alarm in stage.alarms()[0]}
    unseen = {"ExecutionsStarted", "ExecutionsSucceeded", "QuarantinedPercent"}  # of the dashboard, too
    recorded = {key for name in SCENARIOS for key in stage.series(scenario(name)["series"])}
    missing = {key for key in recorded - looked_at if key[1] not in unseen}
    assert missing == set()


def _measurement() -> Measurement:
    """A model of which everything is measured."""
    metrics = Metrics(k=10, users=1, precision=0.1, recall=0.1, ndcg=0.1, map=0.1, coverage=0.1)
    counts = dict.fromkeys(("version", "snapshot", "users", "items", "events", "new_events", "age_days"), 1)
    told = {"measured": metrics, "popularity": metrics, "expected": metrics, "quality_loss_percent": 1.0, "shift": 0.1}
    about = {"pipeline": "music", "date": date(2026, 11, 20), "run_id": "r", "drifted": False, "reasons": ()}
    return Measurement.model_validate({**counts, **told, **about})


def _model_run() -> ModelRun:
    """A training that was refused."""
    unsaid = dict.fromkeys(("date", "error", "snapshot", "champion", "version", "published"))
    about = {"pipeline": "music", "purpose": "retrain", "run_id": "r", "execution_id": "e", "outcome": "rejected"}
    at = "2026-11-21T06:00:00+00:00"
    return ModelRun.model_validate({**unsaid, **about, "started_at": at, "ended_at": at})


def test_every_metric_of_our_own_is_one_that_our_functions_emit(stage: Stage) -> None:
    """Name and dimensions: an alarm over a metric that nobody writes is silent for ever."""
    pipeline = stage.pipelines[0]
    sources = tuple(SourceRecord(dataset=source.dataset, status="good") for source in pipeline.sources)
    record = RunRecord(
        pipeline=pipeline.name,
        date=date(2026, 11, 20),
        run_id="r",
        execution_id="e",
        outcome="succeeded",
        error=None,
        started_at="",
        ended_at="",
        contract_hash="",
        sources=sources,
        audits=(),
        tables=(),
        snapshot=None,
        reports=(),
        times=Times(processing=1.0, parts=dict.fromkeys(PARTS, 1.0), sources={sources[0].dataset: 1.0}),
    )
    seen = Watch(pipeline=pipeline.name, due=datetime(2026, 11, 21, 3, tzinfo=UTC), hours_old=3.0)
    emitted = {
        (name, frozenset({"stage", *measured.dimensions}))
        for measured in (
            *(*night_metrics(record), page_metric("sales", failed=True), watch_metrics(seen), deployments(1)),
            *(
                *asked_metrics("music", "tracks", Asked(requests=1)),
                measurement_metrics(_measurement()),
                end_metrics(_model_run()),
            ),
        )
        for name in measured.values
    }
    looked_at = {
        (name, frozenset(key for key, _ in about))
        for namespace, name, about in (alarm.metric for alarm in stage.alarms()[0])
        if namespace == NAMESPACE
    }
    (dashboard,) = [
        each for each in stage.template["Resources"].values() if each["Type"] == "AWS::CloudWatch::Dashboard"
    ]
    body = json.dumps(dashboard["Properties"]["DashboardBody"]).replace("\\", "")
    shown = {
        (name, frozenset(re.findall(r'"(stage|pipeline|dataset|part)",', about)))
        for name, about in re.findall(r'\["Nightlake","(\w+)"((?:,"[^"]*")*)', body)
    }
    assert len(shown) > len(looked_at) / 2
    assert (looked_at | shown) - emitted == set()
    page = (ROOT / "docs" / "alarms.md").read_text()
    assert [name for name, _ in sorted(emitted, key=str) if f"`{name}`" not in page] == []

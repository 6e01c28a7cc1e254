"""`nightlake run`: one night of a pipeline, followed to its end and summed up."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer
from nightlake.core.brief import reason
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.cloud import OfStage, Stage, connect
from cli.model_runs import after, recommended, told
from cli.night import run_night
from cli.output import FAILED, Json, answer, errors_told
from cli.pipelines import PipelineName, read_pipeline
from cli.quality import counted, rule_results, rules_table

_WORTH_TELLING_SECONDS = 0.05
_ASK = "Who has a list: nightlake api get /v1/recommendations/USER"


def run(
    pipeline: PipelineName,
    date: Annotated[
        str | None, typer.Option(help="Business date YYYY-MM-DD.", show_default="the day the schedule would take now")
    ] = None,
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Run one night of a pipeline and follow it, state by state. Ends with 1 where the night fails.

    Where the pipeline has a model, what it recommends after the night is followed, too.
    """
    with errors_told(as_json=as_json):
        cloud = connect(stage)
        night = run_night(cloud, pipeline, {"date": date} if date else {})
        facts = night.facts(cloud)
        scoring = after(cloud, night) if night.ended.good and read_pipeline(pipeline).model else None
        example = recommended(cloud, pipeline) if scoring and scoring.ended.good else None
    view: list[RenderableType] = [summary(facts)]
    if scoring:
        facts |= {"recommend": scoring.facts(), "recommended": asdict(example) if example else None}
        view += [*told(scoring), *(example.view() if example else [_plain(_ASK)] if scoring.ended.good else [])]
    good = night.ended.good and (scoring is None or scoring.ended.good)
    answer(facts, view=Group(*view), as_json=as_json, code=0 if good else FAILED)


def summary(facts: Mapping[str, Any]) -> Group:
    """What a person wants to know of a night; `facts` as Night.facts gives them."""
    return Group(*_parts(facts))


def _parts(facts: Mapping[str, Any]) -> Iterator[RenderableType]:
    good = facts["status"] == "SUCCEEDED"
    colour = "green" if good else "red"
    day, run_id = facts.get("date") or "", facts.get("run_id") or ""
    yield f"\n[bold]{facts['pipeline']} {day}[/]: [{colour}]{facts['status']}[/] in {facts['seconds']} s  {run_id}"
    yield Columns(_times(facts["states"]), padding=(0, 3))
    if facts.get("sources"):
        yield _sources(facts["sources"])
    if rules := rule_results(facts):
        yield f"Rules: {counted(rules)}"
        if wrong := [rule for rule in rules if rule["verdict"] != "kept"]:
            yield rules_table(wrong)
    yield from _missing(facts)
    yield from _findings(facts)
    for refused in facts["quarantine"]:
        where = f"{refused['rows']:,} refused rows of {refused['dataset']} lie in {refused['location']}"
        yield _plain(f"{where}\n  {refused['command']}")
    yield from _cost(facts.get("cost"))
    if made := facts.get("calls"):
        yield _plain(f"Calls: {', '.join(f'{count:,} {name}' for name, count in made.items())}")
    yield from _published(facts)
    if not good:
        yield from _failure(facts)


def _times(states: list[dict[str, Any]]) -> list[str]:
    """The states that took a while, none of them broken at a space."""
    slow = (state for state in states if state["seconds"] >= _WORTH_TELLING_SECONDS)
    return [f"{state['name']} {state['seconds']:.1f} s".replace(" ", "\N{NO-BREAK SPACE}") for state in slow]


def _sources(sources: list[dict[str, Any]]) -> Table:
    table = Table(box=None)
    table.add_column("source", no_wrap=True)
    table.add_column("", no_wrap=True)
    for heading in ("files", "shards", "reused", "rows in", "out", "refused", "rounded"):
        table.add_column(heading, justify="right")
    for source in sources:
        colour = "green" if source["status"] == "good" else "red"
        counts = [source[name] for name in ("objects", "shards", "reused")]
        counts += [source["rows"] + source["quarantined"], source["rows"], source["quarantined"], source["rounded"]]
        mark = f"[{colour}]{source['status']}[/]"
        table.add_row(source["dataset"], mark, *(f"{count:,}" for count in counts))
    return table


def _missing(facts: Mapping[str, Any]) -> Iterator[Text]:
    """The optional sources that the night went on without, and why."""
    errors = {source["dataset"]: source["error"] or {} for source in facts.get("sources", ())}
    for name in facts.get("missing", ()):
        why = f"{errors[name].get('Error')}: {reason(errors[name].get('Cause'))}"
        yield _plain(f"{name} is missing, the night went on without it: {why}", style="yellow")


def _findings(facts: Mapping[str, Any]) -> Iterator[Text]:
    """What was found wrong, worst first, and files that came too late."""
    judged = [(source["dataset"], source) for source in facts.get("sources", ())]
    judged += [(audit["subject"], audit) for audit in facts.get("audits", ())]
    for kind, colour in (("problems", "red"), ("warnings", "yellow")):
        for subject, verdict in judged:
            for finding in verdict[kind]:
                told = f"{subject}: {finding['rule']}: {finding['reason']}. Look at: {finding['where']}"
                yield _plain(told, style=colour)
    for dataset, source in judged:
        for late in source.get("late", ()):
            yield _plain(f"{dataset}: {late['key']} {late['what']} after it was planned: run the date again", "yellow")


def _cost(cost: Mapping[str, Any] | None) -> Iterator[Text]:
    if cost:
        used = ", ".join(f"{item['quantity']:,.6g} {item['unit']}" for item in cost["items"][:3])
        yield _plain(f"The conversion, if it took in AWS as long as here: {cost['conversion_usd']:.6f} USD, {used}")


def _published(facts: Mapping[str, Any]) -> Iterator[Text]:
    if facts.get("snapshot") is not None:
        tables = ", ".join(f"{table['table']} ({table['rows']:,})" for table in facts["tables"])
        yield _plain(f"Published as snapshot {facts['snapshot']}: {tables}")
        reports = ", ".join(f"{report['name']} ({report['rows']:,} rows)" for report in facts["reports"])
        if reports:
            yield _plain(f"Reports: {reports}")
        yield _page(facts)
        yield _plain(f"API: {facts['api']['url']}\n  {facts['api']['curl']}")


def _failure(facts: Mapping[str, Any]) -> Iterator[Text]:
    yield _plain(f"{facts['error']}: {facts['meaning'] or 'an error of AWS or of the state machine.'}", style="red")
    for source in facts["rejected"]:
        yield _plain(f"{source['dataset']}: {source['error']}: {source['cause']}")
    if not facts["rejected"]:
        yield _plain(str(facts["cause"]))
    if not any(state["name"] == "Publish" for state in facts["states"]):
        yield _plain("Nothing of it was published: readers see what they saw before.")
    if facts.get("run_id"):
        yield _page(facts)
    yield _plain(f"Execution: {facts['execution']}")


def _page(facts: Mapping[str, Any]) -> Text:
    day = f" --date {facts['date']}" if facts["date"] else ""
    return _plain(f"Page: nightlake report {facts['pipeline']}{day} --open")


def _plain(text: str, style: str = "") -> Text:
    return Text(text, style=style)

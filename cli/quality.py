"""`nightlake quality`: what became of every rule in a run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from nightlake.core.dates import parse_date
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli.cloud import OfStage, Stage, connect
from cli.lake import lake_of, last_record
from cli.output import FAILED, Json, answer, errors_told
from cli.pipelines import PipelineName, read_pipeline

_COLOURS = {"kept": "green", "not checked": "yellow"}


def quality(
    pipeline: PipelineName,
    date: Annotated[
        str | None, typer.Option(help="Business date YYYY-MM-DD.", show_default="that of the newest run")
    ] = None,
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Show what became of every rule in a day's newest run. Ends with 1 where one of severity fail is broken."""
    with errors_told(as_json=as_json):
        name = read_pipeline(pipeline).name
        record = last_record(lake_of(connect(stage)), name, parse_date(date) if date else None)
    rules = rule_results(record.model_dump(mode="json", include={"sources", "audits"}))
    facts = {"pipeline": name, "date": record.date, "run_id": record.run_id, "rules": rules}
    failed = any(rule["verdict"] == "broken" and rule["severity"] == "fail" for rule in rules)
    told = f"[bold]{name} {record.date or ''}[/]: {counted(rules)}  {record.run_id}"
    answer(facts, view=Group(told, rules_table(rules)), as_json=as_json, code=FAILED if failed else 0)


def rule_results(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every rule of a run: those of single sources, then keys and relationships."""
    judged = [*record.get("sources", ()), *record.get("audits", ())]
    return [rule for each in judged for rule in each["rules"]]


def counted(rules: Iterable[Mapping[str, Any]]) -> str:
    """How many rules were kept and how many not."""
    verdicts = Counter(rule["verdict"] for rule in rules)
    return ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.most_common()) or "no rules were checked"


def rules_table(rules: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The rules and below each what it expects, which a narrow terminal breaks before it breaks a name."""
    table = Table(box=None)
    table.add_column("rule", overflow="fold", min_width=max((len(rule["rule"]) for rule in rules), default=0))
    table.add_column("", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    for heading in ("rows", "broken", "%"):
        table.add_column(heading, justify="right", no_wrap=True)
    for rule in rules:
        mark = f"[{_COLOURS.get(rule['verdict'], 'red')}]{rule['verdict']}[/]"
        numbers = ["" if rule[name] is None else f"{rule[name]:,}" for name in ("rows", "broken", "percent")]
        told = f"{escape(rule['rule'])}\n[dim]{escape(rule['expectation'])}[/]"
        table.add_row(told, mark, rule["severity"], *numbers)
    return table

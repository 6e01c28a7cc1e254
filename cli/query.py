"""`nightlake query`: asks the lake a question in Athena's SQL, through the Athena API of a stage."""

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, TextIO

import typer
from local.aws import REGION
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.cloud import Cloud, Stage, connect
from cli.errors import NotDeployedError, QueryRefusedError
from cli.output import FAILED, Json, answer, errors_told, screen

_POLL_SECONDS = 0.1
_SHOWN = 100
"""Characters of a line that an error points into."""
_LEAST_WIDTH = 12
"""Characters that a column needs beside others; with less, rows are shown one below the other."""
_POSITION = re.compile(r"\bline (\d+):(\d+)")
_NUMBERS: dict[str, Callable[[str], int | float | str]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("float", "double"), lambda text: text if text.lstrip("-") in {"NaN", "Infinity"} else float(text)),
}
"""Types whose values JSON holds as they are; a decimal stays text, whose digits are all there."""


@dataclass(frozen=True)
class _Place:
    """Where a query runs when it is not told: names of the stage, or of the account itself before a deployment."""

    database: str
    workgroup: str
    output: str | None = None


def query(
    sql: Annotated[
        str | None,
        typer.Argument(help="One SQL statement, as Athena understands it; - reads it from standard input."),
    ] = None,
    *,
    file: Annotated[
        typer.FileText | None, typer.Option(help="Read the statement from a file.", encoding="utf-8")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="Where names are looked up.", show_default="the stage's served tables")
    ] = None,
    workgroup: Annotated[
        str | None, typer.Option(help="The Athena workgroup.", show_default="the stage's, for people")
    ] = None,
    max_rows: Annotated[int, typer.Option(help="Print no more rows; all are in the result's object.", min=1)] = 1000,
    stage: Annotated[Stage, typer.Option(help="Whose lake; dev and prod use your AWS credentials.")] = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Run one SQL statement and show its result. Ends with 1 where it fails, with Athena's words."""
    text = _statement(sql, file)
    with errors_told(as_json=as_json):
        cloud = connect(stage)
        athena = cloud.client("athena")
        place = _place(cloud)
        try:
            execution = _run(athena, text, database or place.database, workgroup or place.workgroup, place.output)
        except QueryRefusedError as error:
            raise error if as_json else QueryRefusedError(_pointed(str(error), text)) from error
        facts = _facts(execution)
        good = facts["state"] == "SUCCEEDED"
        if good:
            facts |= _rows(athena, execution, max_rows)
            if not as_json:
                for part in _tables(facts):
                    screen.print(part, soft_wrap=isinstance(part, Text))
    view = _summary(facts) if good else f"[red]{facts['state']}[/]: {escape(_pointed(facts['reason'], text))}"
    answer(facts, view=view, as_json=as_json, code=0 if good else FAILED)


def _statement(sql: str | None, file: TextIO | None) -> str:
    """The statement of the command line; raises BadParameter unless there is exactly one."""
    if (sql is None) == (file is None):
        raise typer.BadParameter("Give one statement: as an argument, by --file, or as - on standard input")
    text = file.read() if file is not None else sys.stdin.read() if sql == "-" else str(sql)
    if not text.strip():
        raise typer.BadParameter("The statement is empty")
    return text


def _pointed(reason: str, sql: str) -> str:
    """The reason, and under it the line that it names with a caret at the column."""
    found = _POSITION.search(reason)
    lines = sql.splitlines()
    if not found or not 0 < int(found[1]) <= len(lines):
        return reason
    line, column = lines[int(found[1]) - 1].replace("\t", " "), int(found[2]) - 1
    start = max(0, column - _SHOWN // 2)
    return f"{reason}\n  {line[start : start + _SHOWN]}\n  {' ' * (column - start)}^"


def _place(cloud: Cloud) -> _Place:
    try:
        outputs = cloud.outputs()
    except NotDeployedError:
        if cloud.endpoint is None:
            raise
        # Athena's console makes a bucket of this name on its first use in an account.
        bucket = f"aws-athena-query-results-{cloud.client('sts').get_caller_identity()['Account']}-{REGION}"
        cloud.client("s3").create_bucket(Bucket=bucket)
        return _Place("default", "primary", f"s3://{bucket}/")
    return _Place(outputs["Database"], outputs["BiWorkgroup"])


def _run(athena: Any, sql: str, database: str, workgroup: str, output: str | None) -> Any:
    """The query's execution when it has ended; an interrupted command stops the query."""
    from botocore.exceptions import ClientError

    place = {"ResultConfiguration": {"OutputLocation": output}} if output else {}
    try:
        identifier = athena.start_query_execution(
            QueryString=sql, QueryExecutionContext={"Database": database}, WorkGroup=workgroup, **place
        )["QueryExecutionId"]
    except ClientError as error:
        raise QueryRefusedError(error.response["Error"]["Message"]) from error
    try:
        while True:
            execution = athena.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]
            if execution["Status"]["State"] in {"SUCCEEDED", "FAILED", "CANCELLED"}:
                return execution
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        athena.stop_query_execution(QueryExecutionId=identifier)
        raise


def _facts(execution: Any) -> dict[str, Any]:
    statistics = execution["Statistics"]
    return {
        "id": execution["QueryExecutionId"],
        "state": execution["Status"]["State"],
        "reason": execution["Status"].get("StateChangeReason"),
        "seconds": statistics["TotalExecutionTimeInMillis"] / 1000,
        "scanned_bytes": statistics.get("DataScannedInBytes", 0),
        "output": execution["ResultConfiguration"].get("OutputLocation"),
    }


def _rows(athena: Any, execution: Any, most: int) -> dict[str, Any]:
    """Columns and rows of a result, and whether there are more of them."""
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution["QueryExecutionId"])
    columns: list[dict[str, str]] = []
    updated: int | None = None

    def rows() -> Any:
        nonlocal updated
        for page in pages:
            updated = page.get("UpdateCount")
            if not columns:
                described = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
                columns.extend({"name": column["Name"], "type": column["Type"]} for column in described)
            yield from page["ResultSet"]["Rows"]

    # The first row of a query's result names its columns; other statements give bare lines.
    named = (execution["ResultConfiguration"].get("OutputLocation") or "").endswith(".csv")
    found = list(islice(rows(), most + named + 1))[named:]
    values = [
        [_value(datum.get("VarCharValue"), column["type"]) for datum, column in zip(row["Data"], columns, strict=False)]
        for row in found[:most]
    ]
    return {"columns": columns, "rows": values, "more": len(found) > most, "updated": updated}


def _value(text: str | None, kind: str) -> int | float | bool | str | None:
    if text is None:
        return None
    if kind == "boolean":
        return text == "true"
    return _NUMBERS.get(kind, str)(text)


def _tables(facts: dict[str, Any]) -> Iterable[RenderableType]:
    """What is shown of a result: a query's rows as a table, other lines as they are."""
    output = facts["output"] or ""
    if output.endswith(".txt"):
        return (Text(str(row[0])) for row in facts["rows"])
    if not output.endswith(".csv"):
        return ()
    return _records(facts) if len(facts["columns"]) * _LEAST_WIDTH > screen.width else [_table(facts)]


def _summary(facts: dict[str, Any]) -> str:
    rows, output = len(facts["rows"]), facts["output"] or ""
    if facts["more"]:
        count = f"the first {rows:,} rows, all are in {output}"
    elif output.endswith(".csv"):
        count = f"{rows:,} row{'' if rows == 1 else 's'}"
    elif output.endswith(".txt"):
        count = f"{rows:,} line{'' if rows == 1 else 's'}" if rows else "done"
    else:
        count = f"{facts['updated'] or 0:,} row{'' if facts['updated'] == 1 else 's'} written"
    return f"[dim]{escape(count)}, {facts['scanned_bytes']:,} bytes scanned, {facts['seconds']} s[/]"


def _table(facts: dict[str, Any]) -> Table:
    table = Table()
    for column in facts["columns"]:
        right = column["type"] in _NUMBERS or column["type"] == "decimal"
        heading = f"{escape(column['name'])}\n[dim]{escape(column['type'])}[/]"
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in facts["rows"]:
        table.add_row(*map(_shown, row))
    return table


def _records(facts: dict[str, Any]) -> Iterator[Table]:
    """A table of names and values for each row: more columns than fit beside each other."""
    for place, row in enumerate(facts["rows"], 1):
        table = Table(title=f"row {place:,}", title_justify="left", show_header=False, box=None)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for column, value in zip(facts["columns"], row, strict=True):
            table.add_row(f"[dim]{escape(column['name'])}[/]", _shown(value))
        yield table


def _shown(value: Any) -> str:
    if value is None:
        return "[dim]NULL[/]"
    return escape(str(value).lower() if isinstance(value, bool) else str(value))

"""`nightlake query`: asks the lake a question in Athena's SQL, through the Athena API of a stage."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import typer
from local.aws import REGION
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from cli.cloud import Cloud, Stage, connect
from cli.errors import NotDeployedError, QueryRefusedError
from cli.output import FAILED, Json, answer, errors_told

_POLL_SECONDS = 0.1
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
    sql: Annotated[str, typer.Argument(help="One SQL statement, as Athena understands it.")],
    *,
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
    with errors_told(as_json=as_json):
        cloud = connect(stage)
        athena = cloud.client("athena")
        place = _place(cloud)
        execution = _run(athena, sql, database or place.database, workgroup or place.workgroup, place.output)
        facts = _facts(execution)
        good = facts["state"] == "SUCCEEDED"
        if good:
            facts |= _rows(athena, execution, max_rows)
    view = _view(facts) if good else f"[red]{facts['state']}[/]: {escape(facts['reason'])}"
    answer(facts, view=view, as_json=as_json, code=0 if good else FAILED)


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


def _view(facts: dict[str, Any]) -> Group:
    rows = facts["rows"]
    count = f"the first {len(rows)} rows, all are in {facts['output']}" if facts["more"] else f"{len(rows)} rows"
    if facts["updated"]:
        count = f"{facts['updated']} rows written"
    summary = f"[dim]{count}, {facts['scanned_bytes']:,} bytes scanned, {facts['seconds']} s[/]"
    table = Table()
    for column in facts["columns"]:
        right = column["type"] in _NUMBERS or column["type"] == "decimal"
        heading = f"{escape(column['name'])}\n[dim]{escape(column['type'])}[/]"
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*("[dim]NULL[/]" if value is None else escape(_text(value)) for value in row))
    return Group(table, summary)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

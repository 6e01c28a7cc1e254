"""Judges one merge by what Athena counted and what its files say, then seals it like the table of a source."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final

from nightlake.core import column_type, layout
from nightlake.core.catalog import Catalog
from nightlake.core.errors import MergeAuditError
from nightlake.core.footer import read_footer
from nightlake.core.frozen import Frozen
from nightlake.core.merge_attempt import ROW_COUNT, MergeAttempt
from nightlake.core.parallel import each
from nightlake.core.pipeline import Column, Pipeline
from nightlake.core.query_result import QueryResult
from nightlake.core.seal import seal_table, summary
from nightlake.core.shard import Finding, StagedFile
from nightlake.core.snapshot import SealedTable
from nightlake.core.store import ObjectInfo, Store
from nightlake.core.table import Table
from nightlake.core.verdict import Count, Verdict, in_words

WORKERS: Final = 16
_DAY: Final = re.compile(r"year=(\d{4})/month=(\d{2})/day=(\d{2})/[^/]+")
_BOUNDED_TEXT: Final = re.compile(r"(?:var)?char\([0-9]+\)")


class Request(Frozen):
    """What the state machine asks: the verdict on one attempt of a merge.

    `table` is the CTAS's in the staging database, `location` its key prefix, `query_id` the query of kind `audit`.
    """

    pipeline: str
    date: date
    run_id: str
    merge: str
    table: str
    location: str
    query_id: str


@dataclass(frozen=True)
class Places:
    """Where the merge's files lie, and the catalog that knows its table."""

    lake: Store
    catalog: Catalog
    staging_database: str
    workers: int = WORKERS


def audit_merge(
    request: Request, pipeline: Pipeline, statement: str, result: QueryResult, places: Places
) -> dict[str, Any]:
    """Write the verdict, seal the merge's files, and answer `{table, rows, files, verdict}`.

    `statement` is the text of the merge, whose first dataset says whether rows are expected. Afterwards the staging
    database has a table of the merge's own name; `drop_attempts` drops the CTAS's when nobody reads it any more.
    Raises MergeAuditError, and what `seal_table` raises.
    """
    table = f"{places.staging_database}.{request.table}"
    definition = places.catalog.table(places.staging_database, request.table)
    if definition is None:
        raise MergeAuditError(
            f"The table {table} is gone before it was sealed; see who dropped it, then rerun the date"
        )
    files = [*places.lake.list(request.location)]
    rows = each(partial(_rows, places.lake), files, workers=places.workers)
    found = {str(record["audit"]): int(str(record["found"])) for record in result.records()}
    total = found.pop(ROW_COUNT)
    problems = [*_wrong_rows(request, found, places.lake)]
    if sum(rows) != total:
        reason = f"Athena counts {total:,} rows, the footers of its {len(files)} files {sum(rows):,}"
        problems.append(Finding(rule="footer.rows", where=_files(request, places.lake), reason=reason))
    if total == 0 and (dataset := _first_dataset_with_rows(request, statement, places.lake)):
        reason = f"{request.merge} has no rows, {dataset}, from which it is made, has some"
        where = f"sql/{pipeline.name}/merge/{request.merge}.sql"
        problems.append(Finding(rule="merge.rows", where=where, reason=reason))
    verdict = Verdict(
        subject=request.merge,
        date=request.date,
        run_id=request.run_id,
        query_ids=(request.query_id,),
        counts=tuple(Count(rule=audit, broken=count, checked=total) for audit, count in found.items()),
        problems=tuple(problems),
    )
    key = layout.merge_audit(pipeline.name, request.date, request.run_id, request.merge)
    places.lake.put_model(key, verdict)
    if problems:
        raise MergeAuditError(in_words(problems, key))
    sealed = seal_table(
        places.lake,
        places.catalog,
        pipeline,
        staging_database=places.staging_database,
        day=request.date,
        run_id=request.run_id,
        table=_table(request, definition),
        private=False,
        files=[_staged(request, file, count) for file, count in zip(files, rows, strict=True)],
        workers=places.workers,
    )
    return {**summary([sealed])[0], "verdict": key}


def drop_attempts(pipeline: Pipeline, *, day: date, run_id: str, lake: Store, catalog: Catalog, database: str) -> None:
    """Drop the tables that the run's merges were made in, from the staging database; their files expire."""
    for merge in pipeline.merge:
        attempt = lake.find_model(layout.merge_attempt(pipeline.name, day, run_id, merge), MergeAttempt)
        if attempt is not None:
            catalog.delete_table(database, attempt[0].table)


def _rows(lake: Store, file: ObjectInfo) -> int:
    import pyarrow as pa

    try:
        return int(read_footer(lake, file.key, file.size).num_rows)
    except pa.ArrowInvalid as error:
        raise MergeAuditError(
            f"s3://{lake.bucket}/{file.key} is no Parquet file ({error}); see who wrote it, then rerun the date"
        ) from error


def _wrong_rows(request: Request, found: Mapping[str, int], lake: Store) -> Iterator[Finding]:
    for audit, count in found.items():
        if count:
            rule = f"sql/{request.pipeline}/audits/{audit}.sql"
            reason = f"finds {count:,} rows of {request.merge} wrong"
            yield Finding(rule=rule, where=_files(request, lake), reason=reason)


def _files(request: Request, lake: Store) -> str:
    """What a person can look at: the table is dropped when the run ends, its files stay for some days."""
    return f"s3://{lake.bucket}/{request.location}"


def _first_dataset_with_rows(request: Request, statement: str, lake: Store) -> str | None:
    """The dataset that the statement selects from first, if this run sealed rows of it."""
    import sqlglot  # only a merge without rows needs it
    from sqlglot import exp

    for source in sqlglot.parse_one(statement, read="athena").find_all(exp.From):
        key = layout.sealed_table(request.pipeline, request.date, request.run_id, source.this.name.lower())
        if isinstance(source.this, exp.Table) and (found := lake.find_model(key, SealedTable)):
            return found[0].table if any(sealed.file.rows for sealed in found[0].files) else None
    return None


def _table(request: Request, definition: Mapping[str, Any]) -> Table:
    """The merge as a table of its own, with the columns that the CTAS gave it."""
    columns = tuple(
        Column(name=column["Name"], type=_type(column, request.merge))
        for column in definition["StorageDescriptor"]["Columns"]
    )
    return Table(
        name=request.merge, description=f"Made by sql/{request.pipeline}/merge/{request.merge}.sql.", columns=columns
    )


def _type(column: Mapping[str, Any], merge: str) -> str:
    """The column's type in canonical spelling; a text's length is no promise that readers need."""
    if _BOUNDED_TEXT.fullmatch(column["Type"]):
        return "string"
    try:
        return str(column_type.parse(column["Type"]))
    except ValueError as error:
        raise MergeAuditError(
            f"Column '{column['Name']}' of {merge}: {error}; cast it in the merge's SELECT"
        ) from error


def _staged(request: Request, file: ObjectInfo, rows: int) -> StagedFile:
    day = _DAY.fullmatch(file.key.removeprefix(request.location))
    if day is None:
        raise MergeAuditError(
            f"{file.key} lies in no folder year=/month=/day= of a day; let the merge's SELECT end with "
            "year, month and day"
        )
    return StagedFile(
        table=request.merge, day=date(*map(int, day.groups())), key=file.key, etag=file.etag, size=file.size, rows=rows
    )

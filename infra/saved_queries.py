"""Saved queries of the BI workgroup: what anybody asks first of a dataset, and the reports, ready in the console."""

from collections.abc import Iterator
from typing import NamedTuple

from aws_cdk import NestedStack
from aws_cdk import aws_athena as athena
from constructs import Construct
from nightlake.core.pipeline import Dataset, Pipeline
from nightlake.core.report_parameters import read_header
from nightlake.core.saved_report import saved_report
from nightlake.core.table import PARTITION_KEYS, tables

from infra.catalog import Catalog
from infra.lambda_code import SQL

_MAX_DESCRIPTION = 1024
_DAY = ", ".join(PARTITION_KEYS)
_LATEST_FIRST = ", ".join(f"{key} DESC" for key in PARTITION_KEYS)
_ON_DAY = " AND ".join(f"{key} = ?" for key in PARTITION_KEYS)


class SavedQuery(NamedTuple):
    """A query as the console lists it; `sql` is one Athena statement."""

    name: str
    description: str
    sql: str


class SavedQueries(NestedStack):
    """The saved queries of every dataset and report of `pipeline`; by themselves, because there may be hundreds."""

    def __init__(self, scope: Construct, *, stage: str, catalog: Catalog, pipeline: Pipeline) -> None:
        super().__init__(
            scope,
            f"{pipeline.name}-queries",
            description=f"Nightlake {stage}: saved queries of the pipeline {pipeline.name}",
            suppress_template_indentation=True,
        )
        of_datasets = (query for dataset in pipeline.datasets for query in saved_queries(dataset))
        for query in (*of_datasets, *saved_reports(pipeline)):
            athena.CfnNamedQuery(
                self,
                query.name,
                name=f"{pipeline.name}: {query.name}",
                description=query.description,
                database=catalog.database,
                query_string=query.sql,
                work_group=catalog.bi_workgroup.ref,
            )


def saved_queries(dataset: Dataset) -> tuple[SavedQuery, ...]:
    """The queries worth saving for `dataset`; none of them reads a private column."""
    table = tables(dataset)[0]
    columns = ",\n  ".join(f'"{column.name}"' for column in table.columns)
    return (
        SavedQuery(
            name=f"{table.name} by day",
            description=f"Rows of {table.name} for each published day; reads Parquet footers only",
            sql=f'SELECT {_DAY}, count(*) AS row_count\nFROM "{table.name}"\nGROUP BY {_DAY}\nORDER BY {_LATEST_FIRST}',
        ),
        SavedQuery(
            name=f"{table.name} of a day",
            description=f"A hundred rows of one day of {table.name}; asks for '2026', '11' and '20', quoted",
            sql=f'SELECT\n  {columns}\nFROM "{table.name}"\nWHERE {_ON_DAY}\nLIMIT 100',
        ),
        SavedQuery(
            name=f"{table.name} partitions",
            description=f"Which days of {table.name} are published",
            sql=f'SELECT {_DAY}\nFROM "{table.name}$partitions"\nORDER BY {_LATEST_FIRST}',
        ),
    )


def saved_reports(pipeline: Pipeline) -> Iterator[SavedQuery]:
    """The reports of `pipeline`, of the last business date and with their defaults."""
    folder = SQL / pipeline.name
    views = [file.stem for file in (folder / "views").glob("*.sql")]
    for file in sorted((folder / "reports").glob("*.sql")):
        text = file.read_text(encoding="utf-8")
        yield SavedQuery(
            name=f"report {file.stem}",
            description=read_header(text).description[:_MAX_DESCRIPTION],
            sql=saved_report(text, name=file.stem, pipeline=pipeline, views=views),
        )

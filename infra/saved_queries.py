"""Saved queries of the BI workgroup: what anybody asks first of a dataset, ready in the Athena console."""

from collections.abc import Sequence
from typing import NamedTuple

from aws_cdk import aws_athena as athena
from constructs import Construct
from nightlake.core.pipeline import Dataset, Pipeline

from infra.catalog import Catalog


class SavedQuery(NamedTuple):
    """A query as the console lists it; `sql` is one Athena statement."""

    name: str
    description: str
    sql: str


class SavedQueries(Construct):
    """The saved queries of every dataset of `pipelines`."""

    def __init__(self, scope: Construct, construct_id: str, *, catalog: Catalog, pipelines: Sequence[Pipeline]) -> None:
        super().__init__(scope, construct_id)
        for pipeline in pipelines:
            for dataset in pipeline.datasets:
                for query in saved_queries(dataset):
                    saved = athena.CfnNamedQuery(
                        self,
                        f"{pipeline.name}-{query.name}",
                        name=f"{pipeline.name}: {query.name}",
                        description=query.description,
                        database=catalog.database,
                        query_string=query.sql,
                        work_group=catalog.bi_workgroup.name,
                    )
                    saved.add_dependency(catalog.bi_workgroup)


def saved_queries(dataset: Dataset) -> tuple[SavedQuery, ...]:
    """The queries worth saving for `dataset`; none of them reads a private column."""
    table = dataset.name
    columns = ",\n  ".join(f'"{column.name}"' for column in dataset.columns if not column.private)
    return (
        SavedQuery(
            name=f"{table} by day",
            description=f"Rows of {table} for each published day; reads Parquet footers only",
            sql=f'SELECT year, month, day, count(*) AS row_count\nFROM "{table}"\n'
            "GROUP BY year, month, day\nORDER BY year DESC, month DESC, day DESC",
        ),
        SavedQuery(
            name=f"{table} latest day",
            description=f"A hundred rows of the latest published day of {table}",
            # Names come from a checked contract, and values are not part of it.
            sql=f"SELECT\n  {columns}\n"  # noqa: S608
            f'FROM "{table}"\n'
            "WHERE (year, month, day) = (\n"
            f'  SELECT max_by((year, month, day), year || month || day) FROM "{table}$partitions"\n'
            ")\nLIMIT 100",
        ),
        SavedQuery(
            name=f"{table} partitions",
            description=f"Which days of {table} are published",
            sql=f'SELECT year, month, day\nFROM "{table}$partitions"\nORDER BY year DESC, month DESC, day DESC',
        ),
    )

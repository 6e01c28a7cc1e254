"""A shop's lake for tests of its SQL: rows of the contract's tables are published, files of sql/ are run over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from athena_lake import Lake
from nightlake.core import layout
from nightlake.core.databases import Databases
from nightlake.core.merge_attempt import MergeAttempt
from nightlake.core.pipeline import Pipeline
from nightlake.core.report_parameters import read_header, read_values
from nightlake.core.sql_reading import Kind
from nightlake.core.statement import KINDS, RunDay, Statement, render
from nightlake.core.table import Table, arrow_schema, table_input, tables

SQL: Final = Path(__file__).resolve().parents[2] / "sql"
DATABASES: Final = Databases(served="served", staging="staging", quarantine="quarantine")
_ZERO: Final = {"string": "", "boolean": False, "date": date(2000, 1, 1), "timestamp": datetime(2000, 1, 1)}  # noqa: DTZ001 (as stored)


def sql_file(pipeline: str, kind: Kind, name: str) -> Path:
    folder = next(folder for folder, each in KINDS.items() if each == kind)
    return SQL / pipeline / folder / f"{name}.sql"


@dataclass
class Shop:
    """What is landed is in the staging database and in the served one, as if its night had been published."""

    lake: Lake
    pipeline: Pipeline
    attempts: list[MergeAttempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        for database in (DATABASES.served, DATABASES.staging):
            self.lake.glue.create_database(DatabaseInput={"Name": database})
            for table in self._tables():
                definition = table_input(table, f"s3://lake/empty/{table.name}/")
                self.lake.glue.create_table(DatabaseName=database, TableInput=definition)

    def land(self, day: str, **rows: Sequence[Mapping[str, Any]]) -> None:
        """What the tables hold on a day; a column not given is zero or empty where it is required, else NULL."""
        for table in self._tables():
            location = f"s3://lake/data/{table.name}/{day}/"
            given = [_row(table, row) for row in rows.get(table.name, ())]
            path = self.lake.store.url(f"{location}part.parquet")
            pq.write_table(pa.Table.from_pylist(given, arrow_schema(table)), path)
            for database in (DATABASES.served, DATABASES.staging):
                self._register(database, table.name, day, location)

    def run(self, kind: Kind, name: str, day: str, values: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """The rows that a file of the pipeline answers for the day, a report also with other values."""
        statement = self.statement(kind, name, day, values)
        table = self.lake(statement.query, database=statement.database, parameters=statement.parameters).table
        return table.to_pylist() if table is not None else []

    def merge(self, name: str, day: str) -> list[dict[str, Any]]:
        """Make a merge for the day, publish it and answer its rows."""
        statement = self.statement("merge", name, day)
        assert statement.attempt is not None
        self.lake(statement.query, database=statement.database)
        self.attempts = [each for each in self.attempts if each.merge != name] + [statement.attempt]
        made = self.lake.glue.get_table(DatabaseName=DATABASES.staging, Name=statement.attempt.table)["Table"]
        definition = {key: made[key] for key in ("PartitionKeys", "StorageDescriptor", "TableType", "Parameters")}
        known = {each["Name"] for each in self.lake.glue.get_tables(DatabaseName=DATABASES.served)["TableList"]}
        if name not in known:
            self.lake.glue.create_table(DatabaseName=DATABASES.served, TableInput={"Name": name, **definition})
        place = f"s3://lake/{statement.attempt.location}{layout.day_path(date.fromisoformat(day))}/"
        self._register(DATABASES.served, name, day, place)
        rows = self.lake(f"TABLE {statement.attempt.table}", database=DATABASES.staging).table.to_pylist()
        return list(rows)

    def statement(self, kind: Kind, name: str, day: str, values: Mapping[str, object] | None = None) -> Statement:
        text = sql_file(self.pipeline.name, kind, name).read_text(encoding="utf-8")
        on = date.fromisoformat(day)
        return render(
            text,
            kind=kind,
            name=name,
            run=RunDay(date=on, run_id=f"run-{day}"),
            pipeline=self.pipeline,
            databases=DATABASES,
            lake_bucket="lake",
            suffix=f"{day:.4}{day[5:7]}{day[8:]}",
            views=[file.stem for file in (SQL / self.pipeline.name / "views").glob("*.sql")],
            attempts=self.attempts,
            values=read_values(read_header(text), values, on) if values is not None else None,
        )

    def _tables(self) -> list[Table]:
        return [table for dataset in self.pipeline.datasets for table in tables(dataset)]

    def _register(self, database: str, table: str, day: str, location: str) -> None:
        storage = self.lake.glue.get_table(DatabaseName=database, Name=table)["Table"]["StorageDescriptor"]
        partition = {"Values": day.split("-"), "StorageDescriptor": {**storage, "Location": location}}
        # Unlike CreatePartition, this takes a partition that is there already: its file has other rows now.
        self.lake.glue.batch_create_partition(DatabaseName=database, TableName=table, PartitionInputList=[partition])


def _row(table: Table, given: Mapping[str, Any]) -> dict[str, Any]:
    row = {column.name: _ZERO.get(column.type, 0) if column.required else None for column in table.columns} | given
    decimals = [column.name for column in table.columns if column.type.startswith("decimal")]
    return row | {name: Decimal(row[name]) for name in decimals if row[name] is not None}

"""Which tables a pipeline needs in which database, and how each is created: the definitions that Prepare only names."""

from collections.abc import Iterator
from typing import Any

from nightlake.core.errors import TableNotInContractError
from nightlake.core.frozen import Frozen
from nightlake.core.pipeline import Pipeline
from nightlake.core.quarantine import quarantine_table
from nightlake.core.table import Table, empty_location, table_input, tables


class Databases(Frozen):
    """The Glue databases of a stage: `served` is what people query, `staging` what audits and merges read."""

    served: str
    staging: str
    quarantine: str


def tables_of(pipeline: Pipeline, databases: Databases) -> Iterator[tuple[str, Table]]:
    """Every table that must exist before the night begins, with its database."""
    for database in (databases.served, databases.staging):
        for dataset in pipeline.datasets:
            for table in tables(dataset):
                yield database, table
    yield databases.quarantine, quarantine_table(pipeline.name)


def define_table(
    pipeline: Pipeline, database: str, name: str, *, databases: Databases, lake_bucket: str
) -> dict[str, Any]:
    """The Glue TableInput of the table. Raises TableNotInContractError naming the tables that there are."""
    known = {table.name: table for where, table in tables_of(pipeline, databases) if where == database}
    if name not in known:
        raise TableNotInContractError(
            f"Pipeline '{pipeline.name}' has no table '{name}' in database '{database}' "
            f"(it has: {', '.join(known) or 'none there'})"
        )
    return table_input(known[name], empty_location(lake_bucket, pipeline, known[name]))

"""Which tables a pipeline needs in which database, and how each is created: the definitions that Prepare only names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from nightlake.core.catalog import redefined
from nightlake.core.databases import Databases
from nightlake.core.errors import TableNotInContractError
from nightlake.core.frozen import Frozen
from nightlake.core.pipeline import Pipeline
from nightlake.core.quarantine import quarantine_table
from nightlake.core.table import Table, empty_location, table_input, tables


def tables_of(pipeline: Pipeline, databases: Databases) -> Iterator[tuple[str, Table]]:
    """Every table that must exist before the night begins, with its database."""
    for database in (databases.served, databases.staging):
        for dataset in pipeline.datasets:
            for table in tables(dataset):
                yield database, table
    yield databases.quarantine, quarantine_table(pipeline.name)


class Definition(Frozen):
    """What is to be done with a table in Glue: nothing, or to create or update it with this TableInput."""

    change: Literal["create", "update", "none"]
    input: dict[str, Any] | None


def define_table(
    pipeline: Pipeline,
    database: str,
    name: str,
    columns: Sequence[Mapping[str, Any]] | None,
    *,
    databases: Databases,
    lake_bucket: str,
) -> Definition:
    """How the table comes to what its contract says; `columns` are those that it has in Glue, None where it is not.

    Raises TableNotInContractError naming the tables that there are.
    """
    known = {table.name: table for where, table in tables_of(pipeline, databases) if where == database}
    if name not in known:
        raise TableNotInContractError(
            f"Pipeline '{pipeline.name}' has no table '{name}' in database '{database}' "
            f"(it has: {', '.join(known) or 'none there'})"
        )
    table, location = known[name], empty_location(lake_bucket, pipeline, known[name])
    if columns is None:
        return Definition(change="create", input=table_input(table, location))
    definition = redefined(table, location, columns)
    return Definition(change="update" if definition else "none", input=definition)

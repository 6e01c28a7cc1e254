"""What a catalog of tables must do for us: the Glue Data Catalog, or its twin in memory."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from nightlake.core.errors import ProjectionError
from nightlake.core.table import Table, drift_of, table_input, widened

Values = tuple[str, ...]
_TRIES = 4


class Pointer(Protocol):
    """The one thing that the audit of a source asks of a catalog."""

    def point_partition(self, database: str, table: str, values: Values, location: str) -> None:
        """Make the partition point at the location, whether it was there or not. Raises ProjectionError."""


class Catalog(Protocol):
    """Tables and their partitions. A partition is its values (year, month, day) and its location (`s3://.../`).

    What refuses single partitions of a batch answers why, in words; the others are done.
    """

    def table(self, database: str, name: str) -> dict[str, Any] | None:
        """The table as the catalog keeps it, in the words of a TableInput; None when it is not there."""

    def changed_at(self, database: str, name: str) -> datetime | None:
        """When the table was created or its definition changed last; None when it is not there."""

    def create_table(self, database: str, definition: Mapping[str, Any]) -> None:
        """Create the table of this TableInput; one that is there already is left as it is."""

    def update_table(self, database: str, definition: Mapping[str, Any]) -> None:
        """Replace the definition of the table of that name."""

    def delete_table(self, database: str, name: str) -> None:
        """Delete the table; one that is not there is no error."""

    def partitions(self, database: str, table: str) -> dict[Values, str]:
        """Every partition's location; none when the table is not there."""

    def create_partitions(self, database: str, table: str, locations: Mapping[Values, str]) -> list[str]:
        """Register partitions; one that is there already is refused."""

    def update_partitions(self, database: str, table: str, locations: Mapping[Values, str]) -> list[str]:
        """Point partitions elsewhere; one that is not there is refused."""

    def delete_partitions(self, database: str, table: str, values: Iterable[Values]) -> list[str]:
        """Forget partitions; their files stay where they are."""

    def point_partition(self, database: str, table: str, values: Values, location: str) -> None:
        """Make the partition point at the location, whether it was there or not. Raises ProjectionError."""
        refused: list[str] = []
        for _ in range(_TRIES):
            refused = self.update_partitions(database, table, {values: location})
            if not refused:
                return
            refused = self.create_partitions(database, table, {values: location})
            if not refused:
                return
        raise ProjectionError(
            f"Partition {'/'.join(values)} of {database}.{table} does not take the location {location}: {refused[0]}"
        )


def conform(catalog: Catalog, database: str, table: Table, location: str) -> bool:
    """Create the table or make it what `redefined` says; whether anything had to be done."""
    found = catalog.table(database, table.name)
    if found is None:
        catalog.create_table(database, table_input(table, location))
        return True
    definition = redefined(table, location, found["StorageDescriptor"]["Columns"])
    if definition is not None:
        catalog.update_table(database, definition)
    return definition is not None


def redefined(table: Table, location: str, columns: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The TableInput that gives a table of these columns the right ones; None where it has them.

    Drift columns that it has stay, behind all others, unless the contract keeps them private by now.
    """
    wanted = table_input(widened(table, drift_of(columns)), location)
    return None if _told(wanted["StorageDescriptor"]["Columns"]) == _told(columns) else wanted


def _told(columns: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    return [(column["Name"], column["Type"], column.get("Comment") or "") for column in columns]

"""What a catalog of tables must do for us: the Glue Data Catalog, or its twin in memory."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from nightlake.core.errors import ProjectionError

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


def conform(catalog: Catalog, database: str, definition: Mapping[str, Any]) -> bool:
    """Create the table or give it the definition's columns; whether anything had to be done.

    Only names and types are compared: a description may lag behind, a column may not.
    """
    found = catalog.table(database, definition["Name"])
    if found is None:
        catalog.create_table(database, definition)
        return True
    if _columns(found) == _columns(definition):
        return False
    catalog.update_table(database, definition)
    return True


def _columns(definition: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(column["Name"], column["Type"]) for column in definition["StorageDescriptor"]["Columns"]]

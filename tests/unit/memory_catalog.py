"""A catalog in memory: the Catalog of unit tests. tests/unit/test_glue.py holds it and Glue to the same behaviour."""

import copy
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from nightlake.core.catalog import Catalog, Values


class MemoryCatalog(Catalog):
    """Tables and partitions; `refuses` decides which single partitions of a batch are refused for no reason."""

    def __init__(self, refuses: Callable[[], bool] = lambda: False) -> None:
        self._refuses = refuses
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._changed: dict[tuple[str, str], datetime] = {}
        self._tables: dict[tuple[str, str], dict[str, Any]] = {}
        self._partitions: dict[tuple[str, str], dict[Values, str]] = {}

    def table(self, database: str, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self._tables.get((database, name)))

    def changed_at(self, database: str, name: str) -> datetime | None:
        return self._changed.get((database, name))

    def create_table(self, database: str, definition: Mapping[str, Any]) -> None:
        if (database, definition["Name"]) not in self._tables:
            self._change(database, definition["Name"])
        self._tables.setdefault((database, definition["Name"]), copy.deepcopy(dict(definition)))
        self._partitions.setdefault((database, definition["Name"]), {})

    def update_table(self, database: str, definition: Mapping[str, Any]) -> None:
        self._change(database, definition["Name"])
        self._tables[database, definition["Name"]] = copy.deepcopy(dict(definition))

    def delete_table(self, database: str, name: str) -> None:
        self._changed.pop((database, name), None)
        self._tables.pop((database, name), None)
        self._partitions.pop((database, name), None)

    def partitions(self, database: str, table: str) -> dict[Values, str]:
        return dict(self._partitions.get((database, table), {}))

    def create_partitions(self, database: str, table: str, locations: Mapping[Values, str]) -> list[str]:
        there = self._partitions[database, table]
        return [
            self._refused(values)
            for values, location in locations.items()
            if values in there or self._refuses() or there.update({values: location})
        ]

    def update_partitions(self, database: str, table: str, locations: Mapping[Values, str]) -> list[str]:
        there = self._partitions[database, table]
        return [
            self._refused(values)
            for values, location in locations.items()
            if values not in there or self._refuses() or there.update({values: location})
        ]

    def delete_partitions(self, database: str, table: str, values: Iterable[Values]) -> list[str]:
        there = self._partitions[database, table]
        return [self._refused(each) for each in values if self._refuses() or not there.pop(each, None)]

    def _change(self, database: str, name: str) -> None:
        self._now += timedelta(seconds=1)
        self._changed[database, name] = self._now

    def _refused(self, values: Values) -> str:
        return f"{'/'.join(values)}: refused"

"""The Glue Data Catalog as a Catalog: batches of the sizes that Glue takes, and what it refused, item by item.

Sources: https://docs.aws.amazon.com/glue/latest/webapi/API_BatchCreatePartition.html (100 partitions),
API_BatchUpdatePartition.html (100) and API_BatchDeletePartition.html (25).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import boto3
from botocore.config import Config

from nightlake.core.catalog import Catalog, Values
from nightlake.core.errors import ProjectionError

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

Item = TypeVar("Item")

_WRITE_BATCH: Final = 100
_DELETE_BATCH: Final = 25
# What GetTable answers and TableInput does not take is left out.
_TABLE_INPUT: Final = (
    "Name",
    "Description",
    "Owner",
    "Retention",
    "TableType",
    "Parameters",
    "PartitionKeys",
    "StorageDescriptor",
    "ViewOriginalText",
    "ViewExpandedText",
)


def _client() -> "GlueClient":
    return boto3.client("glue", config=Config(retries={"mode": "standard", "max_attempts": 8}))


class Glue(Catalog):
    """The account's catalog. What Glue refuses as a whole is botocore's ClientError."""

    def __init__(self, client: "GlueClient | None" = None) -> None:
        self._glue: Any = client or _client()

    def table(self, database: str, name: str) -> dict[str, Any] | None:
        found = self._find(database, name)
        return None if found is None else {key: found[key] for key in _TABLE_INPUT if key in found}

    def changed_at(self, database: str, name: str) -> datetime | None:
        found = self._find(database, name)
        return None if found is None else found.get("UpdateTime", found["CreateTime"])

    def _find(self, database: str, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._glue.get_table(DatabaseName=database, Name=name)["Table"]
        except self._glue.exceptions.EntityNotFoundException:
            return None
        return found

    def create_table(self, database: str, definition: Mapping[str, Any]) -> None:
        try:
            self._glue.create_table(DatabaseName=database, TableInput=definition)
        except self._glue.exceptions.AlreadyExistsException:
            return

    def update_table(self, database: str, definition: Mapping[str, Any]) -> None:
        try:
            self._glue.update_table(DatabaseName=database, TableInput=definition, SkipArchive=True)
        except self._glue.exceptions.ConcurrentModificationException as error:
            raise ProjectionError(f"{database}.{definition['Name']} is being changed by another; try again") from error

    def delete_table(self, database: str, name: str) -> None:
        try:
            self._glue.delete_table(DatabaseName=database, Name=name)
        except self._glue.exceptions.EntityNotFoundException:
            return

    def partitions(self, database: str, table: str) -> dict[Values, str]:
        pages = self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=database, TableName=table, ExcludeColumnSchema=True
        )
        try:
            return {
                tuple(found["Values"]): found["StorageDescriptor"]["Location"]
                for page in pages
                for found in page["Partitions"]
            }
        except self._glue.exceptions.EntityNotFoundException:
            return {}

    def create_partitions(self, database: str, table: str, locations: Mapping[Values, str]) -> list[str]:
        descriptor = self._descriptor(database, table)
        return [
            refused
            for some in _batches(locations.items(), _WRITE_BATCH)
            for refused in _refused(
                self._glue.batch_create_partition(
                    DatabaseName=database,
                    TableName=table,
                    PartitionInputList=[_partition_input(descriptor, *each) for each in some],
                )
            )
        ]

    def update_partitions(self, database: str, table: str, locations: Mapping[Values, str]) -> list[str]:
        descriptor = self._descriptor(database, table)
        return [
            refused
            for some in _batches(locations.items(), _WRITE_BATCH)
            for refused in _refused(
                self._glue.batch_update_partition(
                    DatabaseName=database,
                    TableName=table,
                    Entries=[
                        {"PartitionValueList": list(each[0]), "PartitionInput": _partition_input(descriptor, *each)}
                        for each in some
                    ],
                )
            )
        ]

    def delete_partitions(self, database: str, table: str, values: Iterable[Values]) -> list[str]:
        return [
            refused
            for some in _batches(values, _DELETE_BATCH)
            for refused in _refused(
                self._glue.batch_delete_partition(
                    DatabaseName=database,
                    TableName=table,
                    PartitionsToDelete=[{"Values": list(each)} for each in some],
                )
            )
        ]

    def _descriptor(self, database: str, table: str) -> Mapping[str, Any]:
        """How the table's files are read: a partition says it again, with its own location."""
        found: Mapping[str, Any] = self._glue.get_table(DatabaseName=database, Name=table)["Table"]["StorageDescriptor"]
        return found


def _batches(items: Iterable[Item], size: int) -> Iterator[Sequence[Item]]:
    remaining = iter(items)
    while some := list(islice(remaining, size)):
        yield some


def _partition_input(descriptor: Mapping[str, Any], values: Values, location: str) -> dict[str, Any]:
    return {"Values": list(values), "StorageDescriptor": {**descriptor, "Location": location}}


def _refused(answer: Mapping[str, Any]) -> Iterator[str]:
    for error in answer.get("Errors") or ():
        detail = error["ErrorDetail"]
        values = error.get("PartitionValues") or error.get("PartitionValueList")
        yield f"{'/'.join(values)}: {detail.get('ErrorCode')}: {detail.get('ErrorMessage')}"

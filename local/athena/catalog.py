"""The data catalog as the engine sees it: databases, tables, views and partitions, with Glue as the only truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

VIEW = "VIRTUAL_VIEW"
EXTERNAL = "EXTERNAL_TABLE"

# https://docs.aws.amazon.com/glue/latest/webapi/API_BatchCreatePartition.html and API_BatchDeletePartition.html
_CREATE_BATCH = 100
_DELETE_BATCH = 25


@dataclass(frozen=True)
class Column:
    """A column or partition key; `type` is the Hive type as Glue keeps it, such as `decimal(10,2)` or `array<int>`."""

    name: str
    type: str
    comment: str = ""


@dataclass(frozen=True)
class Storage:
    """Where data lie and how they are read: Glue's StorageDescriptor without its columns."""

    location: str = ""
    input_format: str = ""
    output_format: str = ""
    serde: str = ""
    serde_parameters: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    bucket_columns: tuple[str, ...] = ()
    compressed: bool = False


@dataclass(frozen=True)
class Database:
    """A Glue database; `location` is where CREATE TABLE without one would put its tables."""

    name: str
    description: str = ""
    location: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table or a view; names are lower case, as Athena stores them.

    `others` are the fields of Glue's TableInput that the engine does not use and keeps on an update.
    """

    database: str
    name: str
    columns: tuple[Column, ...]
    partition_keys: tuple[Column, ...] = ()
    storage: Storage = Storage()
    parameters: Mapping[str, str] = field(default_factory=dict)
    type: str = EXTERNAL
    description: str = ""
    view_text: str = ""
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_view(self) -> bool:
        return self.type == VIEW

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The columns that a query sees: the data's, then the partition keys."""
        return self.columns + self.partition_keys


@dataclass(frozen=True)
class Partition:
    """A registered partition: one value text per partition key, and a storage of its own."""

    values: tuple[str, ...]
    storage: Storage
    columns: tuple[Column, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)


class Catalog(Protocol):
    """What the engine asks of a catalog. Names are given in lower case; what is missing is None, never an error."""

    def databases(self) -> tuple[Database, ...]: ...

    def database(self, name: str) -> Database | None: ...

    def create_database(self, database: Database) -> None: ...

    def update_database(self, database: Database) -> None: ...

    def delete_database(self, name: str) -> None: ...

    def tables(self, database: str) -> tuple[Table, ...]: ...

    def table(self, database: str, name: str) -> Table | None: ...

    def create_table(self, table: Table) -> None: ...

    def update_table(self, table: Table) -> None: ...

    def delete_table(self, database: str, name: str) -> None: ...

    def partitions(self, table: Table) -> tuple[Partition, ...]:
        """Every registered partition, ordered by its values."""

    def partition(self, table: Table, values: Sequence[str]) -> Partition | None: ...

    def create_partitions(self, table: Table, partitions: Sequence[Partition]) -> None: ...

    def update_partition(self, table: Table, partition: Partition) -> None: ...

    def delete_partitions(self, table: Table, values: Sequence[Sequence[str]]) -> None: ...


class PartitionsRefusedError(Exception):
    """Raised when Glue took some partitions of a batch and refused others; it names the first reason."""


class GlueCatalog:
    """The Glue Data Catalog behind a boto3 client."""

    def __init__(self, client: Any) -> None:
        self._glue = client

    def databases(self) -> tuple[Database, ...]:
        pages = self._glue.get_paginator("get_databases").paginate()
        found = [_database(each) for page in pages for each in page["DatabaseList"]]
        return tuple(sorted(found, key=lambda database: database.name))

    def database(self, name: str) -> Database | None:
        try:
            return _database(self._glue.get_database(Name=name)["Database"])
        except self._glue.exceptions.EntityNotFoundException:
            return None

    def create_database(self, database: Database) -> None:
        self._glue.create_database(DatabaseInput=_database_input(database))

    def update_database(self, database: Database) -> None:
        self._glue.update_database(Name=database.name, DatabaseInput=_database_input(database))

    def delete_database(self, name: str) -> None:
        self._glue.delete_database(Name=name)

    def tables(self, database: str) -> tuple[Table, ...]:
        pages = self._glue.get_paginator("get_tables").paginate(DatabaseName=database)
        found = [_table(each, database) for page in pages for each in page["TableList"]]
        return tuple(sorted(found, key=lambda table: table.name))

    def table(self, database: str, name: str) -> Table | None:
        try:
            return _table(self._glue.get_table(DatabaseName=database, Name=name)["Table"], database)
        except self._glue.exceptions.EntityNotFoundException:
            return None

    def create_table(self, table: Table) -> None:
        self._glue.create_table(DatabaseName=table.database, TableInput=table_input(table))

    def update_table(self, table: Table) -> None:
        self._glue.update_table(DatabaseName=table.database, TableInput=table_input(table))

    def delete_table(self, database: str, name: str) -> None:
        self._glue.delete_table(DatabaseName=database, Name=name)

    def partitions(self, table: Table) -> tuple[Partition, ...]:
        pages = self._glue.get_paginator("get_partitions").paginate(DatabaseName=table.database, TableName=table.name)
        found = [_partition(each) for page in pages for each in page["Partitions"]]
        return tuple(sorted(found, key=lambda partition: partition.values))

    def partition(self, table: Table, values: Sequence[str]) -> Partition | None:
        try:
            found = self._glue.get_partition(
                DatabaseName=table.database, TableName=table.name, PartitionValues=list(values)
            )
        except self._glue.exceptions.EntityNotFoundException:
            return None
        return _partition(found["Partition"])

    def create_partitions(self, table: Table, partitions: Sequence[Partition]) -> None:
        for start in range(0, len(partitions), _CREATE_BATCH):
            batch = [_partition_input(table, each) for each in partitions[start : start + _CREATE_BATCH]]
            answer = self._glue.batch_create_partition(
                DatabaseName=table.database, TableName=table.name, PartitionInputList=batch
            )
            _refuse(answer)

    def update_partition(self, table: Table, partition: Partition) -> None:
        entry = {"PartitionValueList": list(partition.values), "PartitionInput": _partition_input(table, partition)}
        answer = self._glue.batch_update_partition(DatabaseName=table.database, TableName=table.name, Entries=[entry])
        _refuse(answer)

    def delete_partitions(self, table: Table, values: Sequence[Sequence[str]]) -> None:
        for start in range(0, len(values), _DELETE_BATCH):
            batch = [{"Values": list(each)} for each in values[start : start + _DELETE_BATCH]]
            answer = self._glue.batch_delete_partition(
                DatabaseName=table.database, TableName=table.name, PartitionsToDelete=batch
            )
            _refuse(answer)


def _refuse(answer: Mapping[str, Any]) -> None:
    for error in answer.get("Errors") or ():
        detail = error["ErrorDetail"]
        values = error.get("PartitionValues") or error.get("PartitionValueList")
        raise PartitionsRefusedError(f"{detail.get('ErrorCode')}: {values}: {detail.get('ErrorMessage')}")


def _database(found: Mapping[str, Any]) -> Database:
    return Database(
        name=found["Name"],
        description=found.get("Description") or "",
        location=found.get("LocationUri") or "",
        parameters=found.get("Parameters") or {},
    )


def _database_input(database: Database) -> dict[str, Any]:
    given = {"Description": database.description, "LocationUri": database.location}
    return {
        "Name": database.name,
        "Parameters": dict(database.parameters),
        **{key: value for key, value in given.items() if value},
    }


_KEPT = ("Owner", "Retention", "LastAccessTime", "LastAnalyzedTime", "ViewExpandedText", "TargetTable")


def _table(found: Mapping[str, Any], database: str) -> Table:
    descriptor = found.get("StorageDescriptor") or {}
    return Table(
        database=database,
        name=found["Name"],
        columns=_columns(descriptor.get("Columns")),
        partition_keys=_columns(found.get("PartitionKeys")),
        storage=_storage(descriptor),
        parameters=found.get("Parameters") or {},
        type=found.get("TableType") or EXTERNAL,
        description=found.get("Description") or "",
        view_text=found.get("ViewOriginalText") or "",
        others={key: found[key] for key in _KEPT if found.get(key)},
    )


def table_input(table: Table) -> dict[str, Any]:
    """Glue's TableInput of a table: https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html."""
    given = {"Description": table.description, "ViewOriginalText": table.view_text}
    return {
        **table.others,
        "Name": table.name,
        "TableType": table.type,
        "Parameters": dict(table.parameters),
        "PartitionKeys": [_column_input(column) for column in table.partition_keys],
        "StorageDescriptor": _descriptor(table.storage, table.columns),
        **{key: value for key, value in given.items() if value},
    }


def _columns(found: Sequence[Mapping[str, Any]] | None) -> tuple[Column, ...]:
    return tuple(Column(each["Name"], each.get("Type") or "", each.get("Comment") or "") for each in found or ())


def _column_input(column: Column) -> dict[str, str]:
    given = {"Comment": column.comment} if column.comment else {}
    return {"Name": column.name, "Type": column.type, **given}


def _storage(descriptor: Mapping[str, Any]) -> Storage:
    serde = descriptor.get("SerdeInfo") or {}
    return Storage(
        location=descriptor.get("Location") or "",
        input_format=descriptor.get("InputFormat") or "",
        output_format=descriptor.get("OutputFormat") or "",
        serde=serde.get("SerializationLibrary") or "",
        serde_parameters=serde.get("Parameters") or {},
        parameters=descriptor.get("Parameters") or {},
        bucket_columns=tuple(descriptor.get("BucketColumns") or ()),
        compressed=bool(descriptor.get("Compressed")),
    )


def _descriptor(storage: Storage, columns: Sequence[Column]) -> dict[str, Any]:
    given = {
        "Location": storage.location,
        "InputFormat": storage.input_format,
        "OutputFormat": storage.output_format,
        "BucketColumns": list(storage.bucket_columns),
        "Parameters": dict(storage.parameters),
    }
    serde = {"SerializationLibrary": storage.serde, "Parameters": dict(storage.serde_parameters)}
    return {
        "Columns": [_column_input(column) for column in columns],
        "Compressed": storage.compressed,
        "SerdeInfo": {key: value for key, value in serde.items() if value},
        **{key: value for key, value in given.items() if value},
    }


def _partition(found: Mapping[str, Any]) -> Partition:
    descriptor = found.get("StorageDescriptor") or {}
    return Partition(
        values=tuple(found["Values"]),
        storage=_storage(descriptor),
        columns=_columns(descriptor.get("Columns")),
        parameters=found.get("Parameters") or {},
    )


def _partition_input(table: Table, partition: Partition) -> dict[str, Any]:
    return {
        "Values": list(partition.values),
        "Parameters": dict(partition.parameters),
        "StorageDescriptor": _descriptor(partition.storage, partition.columns or table.columns),
    }

"""What a dataset's tables are: the Glue table, the Athena DDL and the Arrow schema, all from the one contract.

A dataset is published as the table of its open columns and, when it has private ones, a second table
`<dataset>_private` of the primary key and those: a reader who may not see them is never given that table at all.
The table's LOCATION is a prefix that stays empty; partitions are registered with locations of their own.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from nightlake.core import column_type
from nightlake.core.frozen import Frozen
from nightlake.core.layout import partition_values
from nightlake.core.pipeline import Column, Dataset, Pipeline

if TYPE_CHECKING:
    import pyarrow as pa

PARTITION_KEYS = ("year", "month", "day")  # STRING: other types are pruned late by Athena
RUN_COLUMNS = (
    Column(name="_run_id", type="string", description="The run that published the row."),
    Column(name="_loaded_at", type="timestamp", description="When the row was converted, UTC."),
    Column(
        name="_source",
        type="string",
        description="The object that the row came from, and the byte after a # that its shard begins with, unless 0.",
    ),
    Column(
        name="_position",
        type="bigint",
        description="The row's first line there, counted from 1, or its record where there are no lines.",
    ),
)
RESERVED_COLUMNS = frozenset((*PARTITION_KEYS, *(column.name for column in RUN_COLUMNS)))
PRIVATE_SUFFIX = "_private"

# https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html and API_Column.html
_MAX_DESCRIPTION = 2048
_MAX_COMMENT = 255
_PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
_ARROW = {
    "tinyint": "int8",
    "smallint": "int16",
    "int": "int32",
    "bigint": "int64",
    "float": "float",
    "double": "double",
    "boolean": "bool",
    "string": "string",
    "date": "date32",
    "timestamp": "timestamp[ms]",
}
_PROPERTIES = {"classification": "parquet", "parquet.compression": "SNAPPY"}
_DRIFT = {"drift": "true"}


def partition_keys(day: date) -> dict[str, str]:
    """The partition keys of the partition that begins on this day, with their values."""
    return dict(zip(PARTITION_KEYS, partition_values(day), strict=True))


class Table(Frozen):
    """One published table: declared columns, run columns, drift columns; the partition keys are left out.

    `hidden` are names that the contract keeps in the dataset's private table: this one may not have them even as drift.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    hidden: tuple[str, ...] = ()


def tables(dataset: Dataset) -> tuple[Table, ...]:
    """The table of the open columns and, if any column is private, the private table."""
    public = tuple(column for column in dataset.columns if not column.private)
    private = tuple(column for column in dataset.columns if column.private)
    keys = tuple(column for column in public if column.name in dataset.primary_key)
    table = Table(
        name=dataset.name,
        description=dataset.description,
        columns=_arranged(public),
        hidden=tuple(column.name for column in private if not column.drift),
    )
    if not private:
        return (table,)
    about = f"Private columns of {dataset.name}. {dataset.description}".strip()
    return table, Table(name=dataset.name + PRIVATE_SUFFIX, description=about, columns=_arranged(keys + private))


def _arranged(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    declared = tuple(column for column in columns if not column.drift)
    return declared + RUN_COLUMNS + tuple(column for column in columns if column.drift)


def widened(table: Table, drift: Iterable[Column]) -> Table:
    """The table with the drift columns that it had before, behind its own; what came first stays first."""
    earlier = {column.name: column for column in drift if column.drift and column.name not in table.hidden}
    declared = tuple(column for column in table.columns if not column.drift)
    taken = {column.name for column in declared}
    later = {column.name: column for column in table.columns if column.drift}
    rest = tuple(column for name, column in (earlier | later).items() if name not in taken)
    return table.model_copy(update={"columns": declared + rest})


def empty_location(lake_bucket: str, pipeline: Pipeline, table: Table) -> str:
    """The prefix under which nothing is ever put, so that MSCK REPAIR can find no partition."""
    return f"s3://{lake_bucket}/empty/{pipeline.name}/{table.name}/"


def table_input(table: Table, location: str) -> dict[str, Any]:
    """The Glue TableInput of one table whose LOCATION this is.

    Source: https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
    """
    return {
        "Name": table.name,
        "Description": _shorten(table.description, _MAX_DESCRIPTION),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", **_PROPERTIES},
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in PARTITION_KEYS],
        "StorageDescriptor": {
            "Columns": [_glue_column(column) for column in table.columns],
            "Location": location,
            **_PARQUET,
        },
    }


def _glue_column(column: Column) -> dict[str, Any]:
    described = {"Name": column.name, "Type": column.type, "Comment": _shorten(column.description, _MAX_COMMENT)}
    return described | {"Parameters": _DRIFT} if column.drift else described


def drift_of(columns: Iterable[Mapping[str, Any]]) -> Iterator[Column]:
    """The drift columns among those of a table in Glue."""
    for column in columns:
        if (column.get("Parameters") or {}).items() >= _DRIFT.items():
            yield Column(name=column["Name"], type=column["Type"], description=column.get("Comment", ""), drift=True)


def ddl(table: Table, location: str) -> str:
    """The Athena statement that creates the table; every identifier is quoted, as those with a leading `_` must be.

    Source: https://docs.aws.amazon.com/athena/latest/ug/create-table.html
    """
    columns = ",\n".join(
        f"  `{column.name}` {column.type}{_comment(column.description, _MAX_COMMENT)}" for column in table.columns
    )
    keys = ", ".join(f"`{key}` string" for key in PARTITION_KEYS)
    properties = ", ".join(f"'{key}' = '{value}'" for key, value in _PROPERTIES.items())
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{table.name}` (\n{columns}\n)"
        f"{_comment(table.description, _MAX_DESCRIPTION, before=chr(10))}\n"
        f"PARTITIONED BY ({keys})\n"
        "STORED AS PARQUET\n"
        f"LOCATION '{location}'\n"
        f"TBLPROPERTIES ({properties})\n"
    )


def _comment(text: str, limit: int, before: str = " ") -> str:
    quoted = _shorten(text, limit).replace("\\", "\\\\").replace("'", "\\'")
    return f"{before}COMMENT '{quoted}'" if quoted else ""


def _shorten(text: str, limit: int) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def arrow_schema(table: Table) -> "pa.Schema":
    """The schema of the table's Parquet files: timestamps in milliseconds without zone (UTC), decimals exact.

    pyarrow is imported here only: synth reads contracts without it.
    """
    import pyarrow as pa

    return pa.schema([pa.field(column.name, arrow_type(column_type.parse(column.type))) for column in table.columns])


def arrow_type(kind: column_type.ColumnType) -> "pa.DataType":
    """The Arrow type of a column's type."""
    import pyarrow as pa

    parts = [(name, arrow_type(part)) for name, part in kind.parts]
    match kind.name:
        case "decimal":
            return pa.decimal128(kind.precision, kind.scale)
        case "array":
            return pa.list_(parts[0][1])
        case "map":
            return pa.map_(parts[0][1], parts[1][1])
        case "struct":
            return pa.struct(parts)
        case _:
            return pa.type_for_alias(_ARROW[kind.name])

"""File formats as Hive names them: the classes that Glue keeps for each, and what this engine reads and writes."""

from dataclasses import dataclass, replace

from local.athena.catalog import Storage
from local.athena.errors import NotSupportedError

_HIVE = "org.apache.hadoop.hive"
TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
_TEXT_OUTPUT = f"{_HIVE}.ql.io.HiveIgnoreKeyTextOutputFormat"


@dataclass(frozen=True)
class Format:
    """A format by the name that STORED AS and CTAS give it."""

    name: str
    serde: str
    input_format: str = TEXT_INPUT
    output_format: str = _TEXT_OUTPUT

    def storage(self, location: str) -> Storage:
        return Storage(
            location=location, input_format=self.input_format, output_format=self.output_format, serde=self.serde
        )


PARQUET = Format(
    "PARQUET",
    f"{_HIVE}.ql.io.parquet.serde.ParquetHiveSerDe",
    f"{_HIVE}.ql.io.parquet.MapredParquetInputFormat",
    f"{_HIVE}.ql.io.parquet.MapredParquetOutputFormat",
)
LAZY = Format("TEXTFILE", f"{_HIVE}.serde2.lazy.LazySimpleSerDe")
CSV = Format("CSV", f"{_HIVE}.serde2.OpenCSVSerde")
OPENX = Format("JSON", "org.openx.data.jsonserde.JsonSerDe")
HCATALOG = Format("JSON", "org.apache.hive.hcatalog.data.JsonSerDe")
HIVE_JSON = Format("JSON", f"{_HIVE}.serde2.JsonSerDe")

JSON = frozenset({OPENX.serde, HCATALOG.serde, HIVE_JSON.serde})
READ = {each.serde.lower(): each for each in (PARQUET, LAZY, CSV, OPENX, HCATALOG, HIVE_JSON)}
STORED_AS = {"PARQUET": PARQUET, "TEXTFILE": LAZY, "JSONFILE": OPENX}
UNREAD = frozenset({"ORC", "AVRO", "ION", "RCFILE", "SEQUENCEFILE"})


def of(storage: Storage) -> Format:
    """The format that a table or partition is kept in; raises NotSupportedError for one that is not read here."""
    found = READ.get(storage.serde.lower())
    if not found:
        raise NotSupportedError(
            f"SerDe {storage.serde or 'of no name'} is not supported by the local Athena: it reads Parquet,"
            " OpenCSVSerde, LazySimpleSerDe and JSON"
        )
    return found


def moved(storage: Storage, location: str) -> Storage:
    """The same storage at another location."""
    return replace(storage, location=location)

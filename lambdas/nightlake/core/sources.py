"""Every kind of source that a pipeline may declare."""

from typing import Annotated

from pydantic import Field

from nightlake.core.http_source import HttpSource
from nightlake.core.postgres_source import PostgresSource
from nightlake.core.source import AnyS3Source, CsvSource, JsonLinesSource, JsonSource, ParquetSource

AnySource = Annotated[AnyS3Source | HttpSource | PostgresSource, Field(discriminator="from_")]

FORMATS: dict[str, type[CsvSource | JsonSource | JsonLinesSource | ParquetSource]] = {
    "csv": CsvSource,
    "json": JsonSource,
    "jsonl": JsonLinesSource,
    "parquet": ParquetSource,
}
KINDS: dict[str, type[HttpSource | PostgresSource]] = {"http": HttpSource, "postgres": PostgresSource}

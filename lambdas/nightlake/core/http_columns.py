"""Which columns of an API's records are in the records themselves, and which beside them."""

from typing import NamedTuple

from nightlake.core.header import source_names
from nightlake.core.http_source import ANSWER, REQUEST, HttpSource
from nightlake.core.pipeline import Dataset
from nightlake.core.source import ColumnMapping


class HttpColumns(NamedTuple):
    """The source and dataset of the columns in the records, and the places of the others by their names."""

    source: HttpSource
    dataset: Dataset
    beside: dict[str, str]


def split_columns(source: HttpSource, dataset: Dataset) -> HttpColumns:
    """The columns of the dataset, divided."""
    names = source_names(source, dataset)
    beside = {name: path for name, path in names.items() if path.startswith((REQUEST, ANSWER))}
    here = tuple(column for column in dataset.columns if column.name not in beside)
    mappings = tuple(ColumnMapping(column=column.name, source=names[column.name]) for column in here)
    return HttpColumns(
        source.model_copy(update={"columns": mappings}), dataset.model_copy(update={"columns": here}), beside
    )

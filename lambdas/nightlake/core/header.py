"""Which columns an object has, and whether they are those that its source and contract declare."""

from collections import Counter
from collections.abc import Sequence

from nightlake.core.errors import HeaderMismatchError
from nightlake.core.pipeline import Dataset
from nightlake.core.source import Source


def source_names(source: Source, dataset: Dataset) -> dict[str, str]:
    """What every column of the contract is called in the source, in the contract's order."""
    renamed = {mapping.column: mapping.source for mapping in source.columns}
    return {column.name: renamed.get(column.name, column.name) for column in dataset.columns}


def check_header(names: Sequence[str], source: Source, dataset: Dataset, *, where: str) -> None:
    """Raise HeaderMismatchError when a column is missing, named twice, or undeclared where that matters."""
    wanted = source_names(source, dataset).values()
    found = f"{where} has the columns {', '.join(map(repr, names)) or '(none)'}"
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise HeaderMismatchError(f"{found}; {_list(repeated)} is there twice: name every column once")
    missing = [name for name in wanted if name not in names]
    if missing:
        raise HeaderMismatchError(f"{found}; {_list(missing)} is missing: deliver it, or map its new name in `columns`")
    extra = [name for name in names if name not in wanted]
    if extra and source.on_extra_columns != "ignore":
        raise HeaderMismatchError(f"{found}; {_list(extra)} is not declared: add it to the contract, or ignore it")


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))

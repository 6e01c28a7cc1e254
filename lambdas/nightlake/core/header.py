"""Which columns an object has, and whether its source takes them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from nightlake.core.drift import drift_faults
from nightlake.core.errors import HeaderMismatchError
from nightlake.core.pipeline import Dataset
from nightlake.core.source import Source


def source_names(source: Source, dataset: Dataset) -> dict[str, str]:
    """What every column of the contract is called in the source, in the contract's order."""
    renamed = {mapping.column: mapping.source for mapping in source.columns}
    return {column.name: renamed.get(column.name, column.name) for column in dataset.columns}


def extra_names(names: Iterable[str], source: Source, dataset: Dataset) -> tuple[str, ...]:
    """Those of an object's names that no column of the contract is called in the source."""
    wanted = frozenset(source_names(source, dataset).values())
    return tuple(name for name in names if name not in wanted)


def check_header(names: Sequence[str], source: Source, dataset: Dataset, *, where: str) -> None:
    """Raise HeaderMismatchError, with all names at fault, when these are not columns that the source takes.

    No column may be there twice, and no required one be missing. What else is missing, and what is undeclared, may be
    where the source does not say `on_drift: strict`.
    """
    faults = [*_faults(names, source, dataset)]
    if faults:
        found = ", ".join(map(repr, names)) or "(none)"
        raise HeaderMismatchError(f"{where} has the columns {found}; {'; '.join(faults)}")


def _faults(names: Sequence[str], source: Source, dataset: Dataset) -> Iterator[str]:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        yield f"{_list(repeated)} is there twice: name every column once"
    wanted = source_names(source, dataset)
    missing = {column.name: wanted[column.name] for column in dataset.columns if wanted[column.name] not in names}
    needed = {column.name for column in dataset.columns if column.required} | {*dataset.primary_key}
    if len(missing) == len(wanted):
        needed |= missing.keys()
    strict = source.on_drift == "strict"
    lost = [name for column, name in missing.items() if column in needed]
    if lost:
        yield f"{_list(lost)} is missing: deliver it, or map its new name in `columns`"
    spared = [name for column, name in missing.items() if column not in needed]
    if spared and strict:
        yield f"{_list(spared)} is missing: deliver it, or let it be NULL with `on_drift: ignore` or `evolve`"
    extra = extra_names(names, source, dataset)
    if extra and strict:
        yield f"{_list(extra)} is not declared: add it to the contract, or take it with `on_drift: ignore` or `evolve`"
    if extra and source.on_drift == "evolve":
        yield from drift_faults(extra, dataset)


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))

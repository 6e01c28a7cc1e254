"""Reads model.yaml, and checks that its words are those of the pipeline's contract."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from nightlake.core.model.declaration import Recommender
from nightlake.core.pipeline import Dataset
from nightlake.core.pipeline_file import validated
from nightlake.core.wording import nearest, shown
from nightlake.core.yaml_file import Location, YamlFile, read_yaml

MODEL_FILE: Final = "model.yaml"


def read_model_file(path: Path, datasets: Sequence[Dataset]) -> tuple[YamlFile, Recommender | None]:
    """The file and what it declares; without it where the file has problems."""
    file = read_yaml(path)
    if file.problems:
        return file, None
    declared = validated(file, (), Recommender, file.data)
    if declared is not None:
        rows, users, items = declared.interactions, declared.users, declared.items
        counts = [("count", rows.count)] if rows.count else []
        _check(file, "interactions", datasets, rows.dataset, [("user", rows.user), ("item", rows.item), *counts])
        _check_list(file, ("interactions", "order"), datasets, rows.dataset, rows.order)
        for name, read in (("users", users), ("items", items)):
            group = [("group", read.group)] if read.group else []
            _check(file, name, datasets, read.dataset, [("key", read.key), *group])
        _check_list(file, ("items", "show"), datasets, items.dataset, items.show)
    return file, declared


def _check(
    file: YamlFile, part: str, datasets: Sequence[Dataset], dataset: str, named: Iterable[tuple[str, str]]
) -> None:
    names = [each.name for each in datasets]
    if dataset not in names:
        file.report((part, "dataset"), f"the contract has no dataset {shown(dataset)}: {nearest(dataset, names)}")
        return
    for key, column in named:
        _check_column(file, (part, key), datasets, dataset, column)


def _check_list(
    file: YamlFile, location: Location, datasets: Sequence[Dataset], dataset: str, columns: Iterable[str]
) -> None:
    for index, column in enumerate(columns):
        _check_column(file, (*location, index), datasets, dataset, column)


def _check_column(file: YamlFile, location: Location, datasets: Sequence[Dataset], dataset: str, name: str) -> None:
    columns = {column.name: column for each in datasets if each.name == dataset for column in each.columns}
    if columns and name not in columns:
        file.report(location, f"{dataset} has no column {shown(name)}: {nearest(name, columns)}")
    elif columns and columns[name].private:
        file.report(location, f"{shown(name)} of {dataset} is personal, and a model reads no such column: remove it")

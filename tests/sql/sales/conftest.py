"""`shop`: the tables of the pipeline `sales`, empty, and the files of its SQL to run on them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from athena_lake import athena_lake
from athena_shop import SQL, Shop
from nightlake.core.contract import load_pipelines
from nightlake.core.pipeline import Pipeline


@pytest.fixture(scope="session")
def sales() -> Pipeline:
    return next(each for each in load_pipelines(SQL.parent / "pipelines") if each.name == "sales")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sales: Pipeline) -> Iterator[Shop]:
    with athena_lake(tmp_path, monkeypatch) as lake:
        yield Shop(lake, sales)

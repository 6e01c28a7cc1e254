"""`lake`: the local Athena over folders."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from athena_lake import Lake, athena_lake


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    with athena_lake(tmp_path, monkeypatch) as lake:
        yield lake

"""Every SQL file that a night runs has a test of its rows, in tests/sql/<pipeline>."""

import re
from pathlib import Path

import pytest
from nightlake.core.sql_files import FOLDERS

HERE = Path(__file__).parent
FILES = sorted(file for folder in FOLDERS for file in HERE.parents[1].glob(f"sql/*/{folder}/*.sql"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parents[1].name}.{file.stem}")
def test_a_sql_file_has_a_row_test(file: Path) -> None:
    tests = "\n".join(test.read_text() for test in (HERE / file.parents[1].name).glob("test_rows_*.py"))
    assert re.search(rf"^def test_{file.stem}_\w+\(\s*shop: Shop", tests, re.MULTILINE)

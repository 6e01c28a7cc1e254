"""Contracts are read without the heavy libraries, and the compiled pipeline without those of contracts."""

import subprocess
import sys
from pathlib import Path

import pytest

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
HEAVY = ("pyarrow", "numpy", "pandas", "duckdb", "awswrangler", "boto3", "aws_cdk")
CONTRACT = ("yaml", "jsonschema", "open_data_contract_standard", "sqlglot")


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("from nightlake.core.contract import load_pipelines; assert load_pipelines(Path(sys.argv[1]))", HEAVY),
        ("import nightlake.core.pipeline, nightlake.core.table", HEAVY + CONTRACT),
    ],
    ids=["synth", "lambda"],
)
def test_what_is_not_imported(code: str, absent: tuple[str, ...]) -> None:
    program = f"import sys; from pathlib import Path; {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, str(PIPELINES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(set(done.stdout.split()) & set(absent)) == []

"""A cold start pays only for what its function uses."""

import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nightlake.handlers
import pytest

HANDLERS = [found.name for found in pkgutil.iter_modules(nightlake.handlers.__path__)]
HEAVY = {
    *("pyarrow", "pandas", "numpy", "duckdb", "awswrangler", "yaml", "jsonschema", "sqlglot", "sqlite3", "requests"),
    *("jwt", "cryptography"),
}
LEARNS = {"numpy", "pyarrow"}  # whatever these are called for, they compute
NEEDED = {
    "statement": {"sqlglot"},  # every statement is parsed before it is bound
    **dict.fromkeys(("train_model", "evaluate_model", "measure_model", "score_users"), LEARNS),
}
NEEDED_AT_ONCE = {"statement": {"sqlglot"}}
NEVER_IN_A_LAYER = {"aws_cdk", "open_data_contract_standard", "moto", "ministack", "cli", "infra", "local"}


def imported(name: str) -> set[str]:
    program = f"import sys, nightlake.handlers.{name}; print(*{{module.partition('.')[0] for module in sys.modules}})"
    in_lambda = {"LAMBDA_TASK_ROOT": "/var/task"}  # tracing is on there, and imports what it traces
    done = subprocess.run(
        [sys.executable, "-c", program], env=in_lambda, capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("name", HANDLERS)
def test_no_handler_imports_what_it_does_not_need_at_once(name: str) -> None:
    modules = imported(name)
    assert "nightlake" in modules
    assert sorted(modules & (HEAVY | NEVER_IN_A_LAYER) - NEEDED.get(name, set())) == []


def cpu_seconds(module: str) -> float:
    """What the import costs in a process of its own: the least of three tries, of which none waits for others."""
    program = f"import time; began = time.process_time(); import {module}; print(time.process_time() - began)"
    tries = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
        for _ in range(3)
    ]
    return min(float(each.stdout) for each in tries)


def test_the_api_begins_in_a_few_times_what_arrow_alone_would_cost() -> None:
    # 3.6 when this was written, of which boto3 and Powertools are two.
    assert cpu_seconds("nightlake.handlers.query") < 6 * cpu_seconds("pyarrow")


def test_only_questions_about_rows_load_arrow(environment: Callable[..., None]) -> None:
    program = """
import json, sys
from pathlib import Path
from nightlake.handlers.api import asked
from nightlake.handlers.query import handler

class Empty:
    bucket = "lake"
    def read(self, key, version_id=None): return None
    def list(self, prefix): return iter(())

class Context:
    function_name = invoked_function_arn = aws_request_id = function_version = "f"
    memory_limit_in_mb = 1

asked.lake = Empty
event = json.loads(Path(sys.argv[1]).read_text()) | {"headers": {}, "multiValueHeaders": {}}
for path in ("health", "openapi.json", "docs", "datasets", "datasets/transactions", "reports", "runs", "snapshots"):
    answer = handler(event | {"path": f"/v1/{path}"}, Context())
    assert answer["statusCode"] == 200, answer
print(*{module.partition(".")[0] for module in sys.modules})
"""
    environment()
    event = Path(__file__).parents[1] / "events" / "api_get.json"
    done = subprocess.run(
        [sys.executable, "-c", program, str(event)], capture_output=True, text=True, timeout=60, check=True
    )
    assert not HEAVY & set(done.stdout.split())


def test_a_function_that_asks_aws_nothing_does_not_load_its_client() -> None:
    assert "boto3" not in imported("define_table")

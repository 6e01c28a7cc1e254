"""A cold start pays only for what its function uses."""

import pkgutil
import subprocess
import sys

import nightlake.handlers
import pytest

HANDLERS = [found.name for found in pkgutil.iter_modules(nightlake.handlers.__path__)]
HEAVY = {
    *("pyarrow", "pandas", "numpy", "duckdb", "awswrangler", "yaml", "jsonschema", "sqlglot", "sqlite3", "requests"),
    *("jwt", "cryptography"),
}
NEEDED = {"statement": {"sqlglot"}}  # every statement is parsed before it is bound
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


def test_a_function_that_asks_aws_nothing_does_not_load_its_client() -> None:
    assert "boto3" not in imported("define_table")

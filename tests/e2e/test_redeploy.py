"""A changed Lambda reaches what calls it by one deploy, and by a new published version."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws import Endpoint

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("app.py", "cdk.json", "requirements.txt", "requirements-lambda.txt", "requirements-tokens.txt")
FOLDERS = ("infra", "lambdas", "pipelines", "sql", "statemachines")


@pytest.fixture
def checkout(tmp_path: Path, nightlake: Any, outputs: dict[str, str]) -> Iterator[Path]:
    """A copy of what a template is made of, to change at will; the real one is deployed again afterwards."""
    for name in PARTS:
        shutil.copy(ROOT / name, tmp_path)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".venv", "node_modules"):
        (tmp_path / name).symlink_to(ROOT / name)
    yield tmp_path
    assert nightlake("deploy").returncode == 0


def live_version(cloud: Endpoint, name: str) -> int:
    versions = cloud.client("lambda").list_versions_by_function(FunctionName=name)["Versions"]
    return max(int(version["Version"]) for version in versions if version["Version"] != "$LATEST")


def test_a_changed_lambda_is_deployed_as_a_new_version(
    cloud: Endpoint, checkout: Path, outputs: dict[str, str]
) -> None:
    before = live_version(cloud, "nightlake-local-prepare")
    handler = checkout / "lambdas/nightlake/handlers/prepare.py"
    handler.write_text(handler.read_text().replace("def handler(", "def handler_of_another_name("))

    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= cloud.environment() | {"PYTHONPATH": f"{checkout}:{checkout / 'lambdas'}"}
    done = subprocess.run(
        ["npx", "cdk", "deploy", "--all", "--require-approval", "never", "-c", "stage=local"],
        cwd=checkout, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    assert live_version(cloud, "nightlake-local-prepare") == before + 1
    machine = cloud.client("stepfunctions").describe_state_machine(stateMachineArn=outputs["StateMachineSales"])
    assert f"nightlake-local-prepare:{before + 1}" in machine["definition"]
    invoke = cloud.client("lambda").invoke
    changed = invoke(FunctionName="nightlake-local-prepare", Qualifier=str(before + 1), Payload=b"{}")
    assert b"handler" in changed["Payload"].read()
    # What was published before goes on answering for a night that began with it.
    kept = invoke(FunctionName="nightlake-local-prepare", Qualifier=str(before), Payload=b"{}")
    assert b"InvalidInputError" in kept["Payload"].read()

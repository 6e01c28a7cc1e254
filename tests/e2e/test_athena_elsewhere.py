"""The suites that can be pointed at AWS do run there: the local AWS stands in for it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local import aws

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "athena-elsewhere"


@pytest.fixture
def suite(cloud: aws.Endpoint) -> Callable[..., str]:
    """suite("path", ...): the summary of pytest over the paths, which asks the AWS of its environment."""
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))}
    environment = kept | cloud.environment() | {"ATHENA_ORACLE_OUTPUT": f"s3://{BUCKET}/deep/"}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout.splitlines()[-1]

    return run


def test_the_oracle_is_put_to_athena(suite: Callable[..., str]) -> None:
    summary = suite("tests/sql/test_oracle.py", "-k", "athena_itself and (conditional or map or binary or decimal)")

    assert "passed" in summary
    assert "skipped" not in summary


def test_the_statements_are_put_to_athena(suite: Callable[..., str], cloud: aws.Endpoint) -> None:
    summary = suite("tests/e2e/test_athena_statements.py")

    assert "passed" in summary
    databases = cloud.client("glue").get_databases()["DatabaseList"]
    assert [each["Name"] for each in databases if each["Name"].startswith("statements_")] == []
    assert "Contents" not in cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="deep/statements")

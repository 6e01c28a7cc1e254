"""The walls of the house: an import that must not be there fails the lint, in every room."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BREACHES = [
    ("lambdas/nightlake/core", "import boto3"),
    ("lambdas/nightlake/core", "from aws_lambda_powertools import Logger"),
    ("lambdas/nightlake/core", "from nightlake.adapters import secrets"),
    ("lambdas/nightlake/core", "from nightlake.handlers import prepare"),
    ("lambdas/nightlake/core", "import pyarrow"),
    ("lambdas/nightlake/core/model", "import numpy.random"),
    ("lambdas/nightlake/adapters", "from nightlake.handlers import prepare"),
    ("lambdas/nightlake/adapters", "import infra"),
    ("lambdas/nightlake/adapters", "import nightlake.core.contract"),
    ("lambdas/nightlake/handlers", "from nightlake.core.contract import load_pipelines"),
    ("lambdas/nightlake/handlers", "import boto3"),
    ("lambdas/nightlake/handlers", "import duckdb"),
    ("infra", "import boto3"),
    ("infra", "from local import aws"),
    ("infra", "from nightlake.adapters import secrets"),
    ("local", "import cli"),
    ("local", "import aws_cdk"),
    ("local", "from nightlake.handlers import prepare"),
    ("cli", "import infra"),
    ("cli", "import ministack"),
    ("cli", "import aws_cdk"),
]

PASSAGES = [
    ("lambdas/nightlake/core", "from nightlake.core import errors"),
    ("lambdas/nightlake/adapters", "import boto3"),
    ("lambdas/nightlake/handlers", "from aws_lambda_powertools import Logger"),
    ("lambdas/nightlake/handlers", "from nightlake.adapters import secrets"),
    ("infra", "import aws_cdk"),
    ("infra", "from nightlake.core import errors"),
    ("local", "import ministack"),
    ("cli", "from local import aws"),
]


def import_findings(room: str, statement: str) -> str:
    ruff = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--select",
        "TID251,TID253",
        "--stdin-filename",
        f"{room}/trial.py",
        "-",
    ]
    return subprocess.run(ruff, cwd=ROOT, input=f"{statement}\n", capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(("room", "statement"), BREACHES)
def test_a_breach_of_the_walls_fails_the_lint(room: str, statement: str) -> None:
    assert "TID25" in import_findings(room, statement)


@pytest.mark.parametrize(("room", "statement"), PASSAGES)
def test_what_a_room_needs_may_come_in(room: str, statement: str) -> None:
    assert "All checks passed!" in import_findings(room, statement)

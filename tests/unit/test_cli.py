"""Every command: help, one JSON object, sentences and exit codes, on a machine where nothing runs."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import cloud
from cli.lazy import COMMANDS, FILES
from cli.main import app

GROUPS = {"api", "model"}
HEAVY = {
    *("pyarrow", "pandas", "numpy", "duckdb", "awswrangler", "aws_cdk", "boto3", "yaml", "jsonschema", "sqlglot"),
    *("open_data_contract_standard", "cryptography", "requests", "jwt"),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def nightlake(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    callers = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nobody = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "1",
    }
    environment = {**callers, **nobody, "NIGHTLAKE_HOME": str(home), "COLUMNS": "200", "TERM": "dumb"}
    command = [str(Path(sys.executable).parent / "nightlake"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in GROUPS])
def test_every_command_has_help_and_json(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0
    assert "--json" in done.stdout


def test_the_help_of_all_says_of_each_command_what_its_own_does(home: Path) -> None:
    listed = " ".join(nightlake(home, "--help").stdout.replace("│", " ").split())
    for command in COMMANDS:
        own = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
        usage, told = [line.strip() for line in own.partition("╭")[0].splitlines() if line.strip()][:2]
        assert usage.startswith(f"Usage: root {command} ")
        assert f" {command} {told} " in listed


def test_every_file_with_a_command_is_listed(home: Path) -> None:
    folder = Path(cloud.__file__).parent
    files = {file.stem for file in folder.glob("*.py") if file.read_text().startswith('"""`nightlake ')}
    assert {FILES.get(name, name) for name in COMMANDS} == files


@pytest.mark.parametrize("arguments", [("--help",), ("run", "sales"), ("status",), ("api", "get", "/v1/health")])
def test_a_command_loads_what_it_uses(home: Path, arguments: tuple[str, ...]) -> None:
    program = """
import sys
from cli.main import app
try:
    app()
finally:
    print(*{module.partition(".")[0] for module in sys.modules}, file=sys.stderr)
"""
    environment = {**os.environ, "NIGHTLAKE_HOME": str(home)}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3)
    modules = set(done.stderr.split())
    assert "typer" in modules
    assert sorted(modules & (HEAVY | ({"pydantic", "local"} if arguments == ("--help",) else set()))) == []


def test_status_says_that_nothing_runs(home: Path) -> None:
    done = nightlake(home, "status", "--json")
    assert done.returncode == 3
    assert answer(done)["ok"] is False
    assert answer(done)["emulator"]["running"] is False
    assert "make deploy" in nightlake(home, "status").stdout


@pytest.mark.parametrize("arguments", [("deploy",), ("run", "sales"), ("seed", "sales"), ("env",)])
def test_what_needs_the_local_aws_says_how_to_start_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(cloud, "HOME", home)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 3
    assert "LocalAwsDownError" in done.stderr
    assert "nightlake up" in done.stderr
    told = CliRunner().invoke(app, [*arguments, "--json"])
    assert told.exit_code == 3
    assert json.loads(told.stdout)["error"] == "LocalAwsDownError"


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_an_account_without_credentials_is_said_in_words(home: Path, command: str) -> None:
    done = nightlake(home, command, "--stage", "dev", "--json")
    assert done.returncode == 3, done.stderr
    assert answer(done)["error"] == "AwsUnreachableError"
    assert "AWS_REGION" in answer(done)["reason"]


def test_check_of_a_mistyped_root_is_a_problem(home: Path, tmp_path: Path) -> None:
    done = nightlake(home, "check", "--root", str(tmp_path))
    assert done.returncode == 1
    assert "pipelines" in done.stdout


def test_down_of_nothing_is_well(home: Path) -> None:
    done = nightlake(home, "down", "--json")
    assert done.returncode == 0
    assert answer(done) == {"ok": True, "stopped": False, "sources": [], "forgotten": False}
    assert not home.exists()


def test_an_unknown_stage_is_wrong_usage(home: Path) -> None:
    done = nightlake(home, "status", "--stage", "qa")
    assert done.returncode == 2
    assert "local" in done.stderr
    assert "prod" in done.stderr


def test_doctor_names_what_this_machine_has(home: Path) -> None:
    findings = {finding["subject"]: finding for finding in answer(nightlake(home, "doctor", "--json"))["findings"]}
    assert findings["python"]["found"] == ".".join(map(str, sys.version_info[:3]))
    assert findings["ministack"]["verdict"] == "ok"
    assert findings["aws-cdk"]["verdict"] == "ok"
    assert {"npm", "git", "make", "disk", "memory"} <= findings.keys()


def test_a_port_that_cannot_be_is_wrong_usage(home: Path) -> None:
    done = nightlake(home, "up", "--port", "99999")
    assert done.returncode == 2
    assert "65535" in done.stderr


def test_a_port_in_use_names_its_program(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = nightlake(home, "up", "--port", str(other.getsockname()[1]), "--json")
    assert done.returncode == 1
    assert answer(done)["error"] == "PortInUseError"
    assert f"pid {os.getpid()}" in answer(done)["reason"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one mistake in each kind of file."""
    (tmp_path / "pipelines/shop").mkdir(parents=True)
    (tmp_path / "pipelines/shop/contract.odcs.yaml").write_text("apiVersion: v3.2.0\nkind: DataContract\nidd: shop\n")
    (tmp_path / "pipelines/shop/pipeline.yaml").write_text("shedule: {}\n")
    (tmp_path / "sql/shop/views").mkdir(parents=True)
    (tmp_path / "sql/shop/views/latest.sql").write_text("CREATE VIEW latest AS\nSELECT *\nFROM b")
    (tmp_path / "statemachines/rendered").mkdir(parents=True)
    (tmp_path / "statemachines/rendered/sales.asl.json").write_text('{"StartAt": "Nowhere", "States": {}}')
    return tmp_path


def test_check_finds_the_mistakes_in_every_kind_of_file(home: Path, project: Path) -> None:
    done = nightlake(home, "check", "--root", str(project), "--json")
    assert done.returncode == 1
    problems = answer(done)["problems"]
    assert all(problem["line"] >= 1 and problem["reason"] for problem in problems)
    told = " ".join(f"{problem['file']}:{problem['line']} {problem['reason']}" for problem in problems)
    assert "contract.odcs.yaml:3" in told
    assert "'idd'" in told
    assert "pipeline.yaml:1" in told
    assert "'shedule'" in told
    assert "latest.sql:2" in told
    assert "sales.asl.json" in told
    assert "Nowhere" in told


def test_check_finds_nothing_in_this_project(home: Path) -> None:
    done = nightlake(home, "check")
    assert done.returncode == 0, done.stdout
    assert "no problems" in done.stdout

"""What README tells a newcomer to type does what it says."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local import aws, world
from local.home import HOST, runs

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_refusal_is_what_a_person_sees(tmp_path: Path) -> None:
    for folder in ("pipelines", "sql", "statemachines"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    contract = tmp_path / "pipelines/sales/contract.odcs.yaml"
    contract.write_text(contract.read_text().replace("required: true", "requird: true", 1))
    nightlake = Path(sys.executable).parent / "nightlake"
    done = subprocess.run([nightlake, "check", "--root", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    promised = re.search(r"^pipelines/sales/contract\.odcs\.yaml:\d+: .*$", README, re.MULTILINE)
    assert promised
    assert done.stdout.splitlines()[0] == promised[0]


@pytest.mark.e2e
def test_the_first_commands_work_and_leave_nothing_running(tmp_path: Path) -> None:
    block = re.search(r"<!-- tested: .*? -->\n```sh\n(.*?)```", README, re.DOTALL)
    assert block
    commands = [line.partition("#")[0].strip() for line in block[1].splitlines()]
    environment = {**os.environ, "NIGHTLAKE_HOME": str(tmp_path)}
    # The port of the first five minutes may be taken on this machine; the commands find the local AWS on any other.
    endpoint = aws.start(tmp_path, port=0)
    server = psutil.Process(endpoint.pid)
    try:
        for command in commands:
            done = subprocess.run(
                ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        assert not runs(server)
        with socket.socket() as probe:
            assert probe.connect_ex((HOST, endpoint.port)) != 0
    finally:
        world.forget(tmp_path)
        aws.clean(tmp_path)


@pytest.mark.e2e
def test_the_page_of_athena_says_what_works(tmp_path: Path) -> None:
    page = (ROOT / "docs/athena.md").read_text()
    blocks = re.findall(r"<!-- tested.*?-->\n```(sh|python)\n(.*?)```", page, re.DOTALL)
    assert [language for language, _ in blocks] == ["sh", "python", "python", "python", "python"]
    endpoint = aws.start(tmp_path, port=0)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = kept | endpoint.environment() | {"NIGHTLAKE_HOME": str(tmp_path)}
    shells = {"sh": ["bash", "-e", "-c"], "python": [sys.executable, "-c"]}
    try:
        for language, block in blocks:
            command = [*shells[language], block]
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
    finally:
        world.forget(tmp_path)
        aws.clean(tmp_path)

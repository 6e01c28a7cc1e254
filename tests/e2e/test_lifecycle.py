"""The local AWS is started, found, stopped and survives what people and machines do to it."""

import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from local import aws
from local.errors import OtherModeError, StartFailedError
from local.home import runs

pytestmark = pytest.mark.e2e

SLEEPER = """
import time

def handler(event, context):
    print("asleep")
    time.sleep(600)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    aws.clean(tmp_path)


def family(home: Path) -> list[psutil.Process]:
    return aws._family(home)


def test_it_is_found_running_and_leaves_nothing_running(home: Path) -> None:
    started = aws.start(home, 0)
    found = aws.status(home)

    assert aws.start(home) == started
    assert (found.running, found.healthy, found.endpoint) == (True, True, started)
    assert found.version == "1.5.33"
    assert found.memory_bytes
    assert aws.stop(home) is True
    assert family(home) == []
    assert aws.status(home).running is False
    assert aws.stop(home) is False


def test_it_is_not_silently_another_one(home: Path) -> None:
    aws.start(home, 0)

    with pytest.raises(OtherModeError, match=r"already runs on port \d+ without IAM"):
        aws.start(home, iam=True)


def test_what_was_stored_is_there_after_a_stop_also_in_the_other_mode(home: Path) -> None:
    s3 = aws.start(home, 0).client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="k", Body=b"bread")
    aws.stop(home)

    again = aws.start(home, 0, iam=True).client("s3")

    assert again.get_object(Bucket="kept", Key="k")["Body"].read() == b"bread"


def busy_worker(home: Path, until: Callable[..., Any]) -> psutil.Process:
    """A Lambda worker in the middle of ten minutes."""
    endpoint = aws.start(home, 0)
    archive = home / "code.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", SLEEPER)
    functions = endpoint.client("lambda")
    functions.create_function(
        FunctionName="sleeper",
        Runtime="python3.13",
        Handler="index.handler",
        Role="arn:aws:iam::000000000000:role/nobody",
        Timeout=700,
        Code={"ZipFile": archive.read_bytes()},
    )
    functions.invoke(FunctionName="sleeper", InvocationType="Event")
    worker: psutil.Process = until(lambda: psutil.Process(endpoint.pid).children())[0]
    return worker


def test_a_busy_function_ends_with_a_stop(home: Path, until: Callable[..., Any]) -> None:
    worker = busy_worker(home, until)

    aws.stop(home)

    assert not runs(worker)


def test_a_busy_function_ends_with_a_killed_emulator(home: Path, until: Callable[..., Any]) -> None:
    worker = busy_worker(home, until)
    endpoint = aws.status(home).endpoint
    assert endpoint

    os.kill(endpoint.pid, signal.SIGKILL)

    until(lambda: not runs(worker))
    assert aws.status(home).running is False
    assert aws.start(home, 0).pid != endpoint.pid


def test_it_ends_with_a_killed_owner_that_asked_for_it(home: Path, until: Callable[..., Any]) -> None:
    script = (
        f"from pathlib import Path; from local import aws; aws.start(Path({str(home)!r}), 0, detached=False); input()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as owner:
        until(lambda: aws.status(home).healthy)
        owner.kill()

    until(lambda: family(home) == [])


def test_two_starts_at_once_start_one(home: Path) -> None:
    found: list[aws.Endpoint] = []
    threads = [threading.Thread(target=lambda: found.append(aws.start(home, 0))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 2
    assert found[0] == found[1]
    assert len(family(home)) == 1


def test_a_server_that_ends_at_its_start_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = aws._environment

    def broken(*args: Any, **named: Any) -> dict[str, str]:
        return environment(*args, **named) | {"GATEWAY_PORT": "no-port"}

    monkeypatch.setattr(aws, "_environment", broken)

    with pytest.raises(StartFailedError, match=r"(?s)ended at its start.*emulator\.log:.*gaierror"):
        aws.start(home, 0)
    assert family(home) == []
    assert not (home / "endpoint.json").exists()


def test_the_endpoint_file_is_all_a_program_needs(home: Path) -> None:
    endpoint = aws.start(home, 0, iam=True)

    assert aws.Endpoint.model_validate(json.loads((home / "endpoint.json").read_text())) == endpoint
    assert endpoint.url.startswith("https://127.0.0.1:")

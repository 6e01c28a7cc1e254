"""A stand-in's life as a process of a home: started, found again at the same address, stopped."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from local.errors import ServiceFailedError
from local.home import HOST, await_end, carries, free_port, last_words, locked

_MARK = "NIGHTLAKE_SERVICE"
"""Variable that holds a service's record: the process carries it, a recycled pid does not."""
_START_SECONDS = 30
_STOP_SECONDS = 10


class Service(BaseModel):
    """Where a stand-in listens; stored as `<name>.json` in its home, also while it does not run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    port: int
    pid: int


def start(home: Path, name: str, module: str) -> Service:
    """Start `python -m module PORT`, or find it running; its port is that of the last time.

    Raises:
        ServiceFailedError: it ended or did not answer; the message has the last lines of its log.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    with locked(home, f"{name}.lock"):
        service = recorded(home, name)
        if service and _runs(home, name, service):
            return service
        return _launch(home, name, module, service.port if service else free_port())


def stop(home: Path, name: str) -> bool:
    """End it. False when it did not run."""
    home = home.resolve()
    service = recorded(home, name)
    if service is None or not _runs(home, name, service):
        return False
    process = psutil.Process(service.pid)
    process.terminate()
    for alive in await_end([process], _STOP_SECONDS):
        alive.kill()
    return True


def forget(home: Path, name: str) -> None:
    """Stop it and delete what it left."""
    stop(home, name)
    for suffix in ("json", "lock", "log"):
        (home / f"{name}.{suffix}").unlink(missing_ok=True)


def is_running(home: Path, name: str) -> bool:
    """Whether its process lives."""
    home = home.resolve()
    service = recorded(home, name)
    return service is not None and _runs(home, name, service)


def recorded(home: Path, name: str) -> Service | None:
    """Where it listens or listened; None where it never did."""
    try:
        return Service.model_validate_json((home / f"{name}.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _launch(home: Path, name: str, module: str, port: int) -> Service:
    log, record = home / f"{name}.log", home / f"{name}.json"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ.get("PATH", ""), "TZ": "UTC", "LANG": "C.UTF-8", _MARK: str(record)},
            # Ctrl-C in the terminal that started it must not end it.
            start_new_session=True,
        )
    service = Service(url=f"http://{HOST}:{port}", port=port, pid=process.pid)
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is not None or not _answers(service):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise ServiceFailedError(f"{name} did not start on port {port}. {last_words(log)}")
        time.sleep(0.05)
    record.write_text(service.model_dump_json(indent=2) + "\n")
    # It outlives us: nobody here waits for its end.
    process.returncode = 0
    return service


def _runs(home: Path, name: str, service: Service) -> bool:
    try:
        return carries(psutil.Process(service.pid), _MARK, str(home / f"{name}.json"))
    except psutil.NoSuchProcess:
        return False


def _answers(service: Service) -> bool:
    # Without the empty handler a proxy of the caller's would be asked for 127.0.0.1.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError, ValueError), opener.open(f"{service.url}/control", timeout=5) as response:
        json.load(response)
        return True
    return False

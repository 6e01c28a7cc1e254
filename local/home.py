"""What everything that runs below a home shares: one caller at a time, ports that are free, how it ended."""

import contextlib
import fcntl
import socket
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import psutil

HOST = "127.0.0.1"
_LOG_LINES = 15


@contextlib.contextmanager
def locked(home: Path, name: str = "lock") -> Iterator[None]:
    """One holder at a time of the file `name` in a home that exists; others wait."""
    with (home / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def last_words(log: Path) -> str:
    """The last lines of a log that there is, as an error tells them."""
    return "\n".join([f"The last lines of {log}:", *log.read_text(errors="replace").splitlines()[-_LOG_LINES:]])


def await_end(processes: Collection[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until they have ended; gives those that still run after so many seconds."""
    deadline = time.monotonic() + seconds
    while (running := [each for each in processes if runs(each)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    psutil.wait_procs(processes, timeout=0)  # our own children are buried here
    return running


def runs(process: psutil.Process) -> bool:
    """Whether it does. One that its parent has not buried, as process 1 of a container may never do, has ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def carries(process: psutil.Process, mark: str, value: str) -> bool:
    """Whether the process lives and has the variable `mark` of this value: a recycled pid has not."""
    try:
        return process.environ().get(mark) == value and runs(process)
    except (psutil.Error, OSError):
        return False

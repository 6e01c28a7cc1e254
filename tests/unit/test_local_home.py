"""What runs below a home has ended when it has, whoever is its parent."""

import subprocess
import sys

import psutil

from local.home import await_end

CARELESS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(child.pid, flush=True)
sys.stdin.read()  # and never waits for it
"""


def test_a_process_that_its_parent_has_not_buried_has_ended() -> None:
    command = [sys.executable, "-c", CARELESS, "pass"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))

        assert await_end([child], 30) == []
        assert child.status() == psutil.STATUS_ZOMBIE


def test_what_does_not_end_is_given() -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as one:
        running = psutil.Process(one.pid)

        assert await_end([running], 0.1) == [running]

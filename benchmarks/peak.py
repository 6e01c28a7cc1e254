"""The largest memory that this process has had, in bytes."""

import sys
from pathlib import Path


def peak_bytes() -> int:
    """Of this program alone: Linux's `ru_maxrss` begins with what the process had that started it (execve(2))."""
    if sys.platform != "linux":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) * 1024
    raise OSError("/proc/self/status has no line VmHWM: this Linux does not tell the largest memory of a process")

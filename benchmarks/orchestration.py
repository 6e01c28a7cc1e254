"""CPU seconds of one night by function: those that read and write rows, and everything around them.

    .venv/bin/python benchmarks/orchestration.py sales --date 2017-06-12 [--json]

The local AWS runs, the pipeline is deployed and the day's data is there; a day that is converted already converts
nothing, so it must be a new one. Told apart are the emulator, which plays S3, Step Functions and Athena and in AWS is
nobody's function, and the watchdog, which is called every five minutes and is no part of a night. Workers are looked at
some times a second, so the last moments of one that dies are lost.
"""

import argparse
import json
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path

import psutil
from cli.paths import HOME
from local import aws

READ_AND_WRITE = ("plan", "convert", "plan_http", "plan_postgres", "convert_postgres")
EMULATOR = "emulator"
OTHERS = (EMULATOR, "watchdog")
_SECONDS = 0.2

Seen = dict[tuple[int, float], tuple[str, float]]


def main() -> None:
    """Run the night, then print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipeline")
    parser.add_argument("--date", required=True)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    endpoint = aws.status(HOME).endpoint
    if endpoint is None:
        raise SystemExit("The local AWS does not run: nightlake up, nightlake deploy, nightlake seed.")
    server = psutil.Process(endpoint.pid)
    before: Seen = {}
    _look(server, before)
    after, ended = dict(before), threading.Event()
    watcher = threading.Thread(target=_watch, args=(server, after, ended))
    watcher.start()
    nightlake = Path(sys.executable).parent / "nightlake"
    command = [str(nightlake), "run", given.pipeline, "--date", given.date, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    ended.set()
    watcher.join()
    night = json.loads(done.stdout)
    if done.returncode:
        raise SystemExit(f"The night ended with {night['error']}: {night['cause']}")
    cpu = _by_function(before, after)
    working = sum(seconds for name, seconds in cpu.items() if name in READ_AND_WRITE)
    around = sum(seconds for name, seconds in cpu.items() if name not in (*READ_AND_WRITE, *OTHERS))
    result = {
        "cpu_seconds": {name: round(seconds, 2) for name, seconds in sorted(cpu.items(), key=lambda item: -item[1])},
        "read_and_write": round(working, 2),
        "around": round(around, 2),
        "share_around": round(around / (working + around), 3),
        "calls": night["calls"],
        "seconds": night["seconds"],
    }
    if given.json:
        print(json.dumps(result, indent=1))
        return
    for name, seconds in result["cpu_seconds"].items():
        print(f"{name:24}{seconds:10.2f} s{'  reads and writes' if name in READ_AND_WRITE else ''}")
    print(f"Calls: {result['calls']}")
    print(f"Around those that read and write: {result['share_around']:.1%} of the functions' CPU seconds")


def _watch(server: psutil.Process, seen: Seen, ended: threading.Event) -> None:
    while not ended.wait(_SECONDS):
        _look(server, seen)
    _look(server, seen)


def _look(server: psutil.Process, seen: Seen) -> None:
    """Note what each process has used until now, by the function that it runs."""
    for process in (server, *server.children(recursive=True)):
        try:
            times = process.cpu_times()
            key = (process.pid, process.create_time())
            name = seen[key][0] if key in seen else _function(process, server)
            seen[key] = (name, times.user + times.system)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def _function(process: psutil.Process, server: psutil.Process) -> str:
    if process == server:
        return EMULATOR
    name = process.environ().get("AWS_LAMBDA_FUNCTION_NAME", EMULATOR)
    # nightlake-<stage>-<function>
    return name.split("-", 2)[-1]


def _by_function(before: Seen, after: Seen) -> dict[str, float]:
    used: dict[str, float] = defaultdict(float)
    for key, (name, seconds) in after.items():
        used[name] += seconds - before.get(key, (name, 0.0))[1]
    return {name: seconds for name, seconds in used.items() if seconds > 0}


if __name__ == "__main__":
    main()

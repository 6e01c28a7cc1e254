"""Many clients at once before the API of the local stage: statuses, times, and the memory of its workers.

    .venv/bin/python benchmarks/api_load.py [--clients 50] [--seconds 60] [--dataset transactions]

The stage must be up and its pipeline have had a night (`make run`). Exits with 1 when an answer was a 5xx or a worker
held 1,024 MB or more. 429 is right: the stage's limits are part of what is tried.
"""

import argparse
import statistics
import sys
import threading
import time
from collections import Counter
from http import HTTPStatus
from itertools import cycle

import psutil
from cli import api_access
from cli.cloud import Stage, connect

MEGABYTE = 1_000_000
MOST = 1_024
QUESTIONS = (
    "/v1/datasets",
    "/v1/datasets/{dataset}",
    "/v1/datasets/{dataset}/rows?limit=100",
    "/v1/datasets/{dataset}/rows?limit=1000",
    "/v1/datasets/{dataset}/aggregate",
    "/v1/openapi.json",
)
FORMATS = ("application/json", "text/csv, application/json;q=0.5", "application/vnd.apache.parquet, */*;q=0.5")


class Load:
    """What all clients saw."""

    def __init__(self, dataset: str) -> None:
        self.cloud = connect(Stage.LOCAL)
        self.paths = [question.format(dataset=dataset) for question in QUESTIONS]
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self.megabytes = 0

    def ask(self, until: float, first: int) -> None:
        """Ask one question after the other."""
        asked = cycle([*self.paths[first % len(self.paths) :], *self.paths[: first % len(self.paths)]])
        for number, path in enumerate(asked):
            began = time.monotonic()
            if began > until:
                return
            answer = api_access.get(self.cloud, path, FORMATS[number % len(FORMATS)])
            self.statuses[answer.status] += 1
            self.seconds.append(time.monotonic() - began)

    def watch(self, until: float) -> None:
        """Keep the most memory that a process of the local AWS has held, its server aside."""
        server = psutil.Process(self.cloud.endpoint.pid)
        while time.monotonic() < until:
            for worker in server.children(recursive=True):
                try:
                    self.megabytes = max(self.megabytes, worker.memory_info().rss // MEGABYTE)
                except psutil.NoSuchProcess:
                    continue
            time.sleep(0.5)


def main() -> int:
    """One run of the clients."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--dataset", default="transactions")
    given = parser.parse_args()
    load = Load(given.dataset)
    until = time.monotonic() + given.seconds
    threads = [threading.Thread(target=load.ask, args=(until, number)) for number in range(given.clients)]
    threads.append(threading.Thread(target=load.watch, args=(until,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = ", ".join(f"{count} x {status}" for status, count in sorted(load.statuses.items()))
    times = statistics.quantiles(load.seconds, n=100)
    print(f"{given.clients} clients, {given.seconds} s: {told}")
    print(f"seconds: median {times[49]:.2f}, 99 of 100 {times[98]:.2f}; largest worker {load.megabytes} MB")
    return (
        1
        if load.megabytes >= MOST or any(status >= HTTPStatus.INTERNAL_SERVER_ERROR for status in load.statuses)
        else 0
    )


if __name__ == "__main__":
    sys.exit(main())

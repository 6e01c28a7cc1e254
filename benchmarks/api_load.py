"""Many clients at once before the API's real function, in workers of a process each, as Lambda has them.

Each client asks one question after the other, waiting for a free worker as a caller does for Lambda; before the workers
stands the limit of all callers that API Gateway has in production, which answers 429. A part of `make bench-api`.
"""

import json
import multiprocessing
import os
import queue
import statistics
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from infra.settings import ApiSettings
from nightlake.core.pipeline import Column, Pipeline

from peak import peak_bytes

Question = tuple[str, dict[str, list[str]]]
FORMATS = ("application/json", "application/json", "text/csv", "application/vnd.apache.parquet")
WORKERS = 4
_PATIENCE_SECONDS = 120


def describe(folder: Path, pipeline: str, table: str, columns: Sequence[Column], key: str) -> None:
    """Write the compiled contract of a table to the folder, as a deployment does."""
    described = {
        "name": pipeline,
        "version": "1.0.0",
        "schedule": {"cron": "0 3 * * ? *"},
        "business_date": {},
        "datasets": [{"name": table, "columns": [each.model_dump() for each in columns], "primary_key": [key]}],
        "sources": [
            {
                "dataset": table,
                "from": "s3",
                "path": "sales/{date:%Y/%m/%d}/*.csv",
                "format": "csv",
                "ready": {"files": 1},
                "partition_by": "business_date",
            }
        ],
        "latency_minutes": 30,
        "retention_days": 730,
    }
    compiled = Pipeline.model_validate_json(json.dumps(described)).model_dump_json(by_alias=True)
    (folder / f"{pipeline}.json").write_text(compiled)


def work(requests: Connection, environment: Mapping[str, str]) -> None:
    """One worker: says that it is there; then events in, statuses out, and its largest memory in MB at the end."""
    os.environ.update(environment)
    from nightlake.handlers.query import handler

    context: Any = SimpleNamespace(
        function_name="query",
        function_version="1",
        invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:query",
        aws_request_id="r",
        memory_limit_in_mb=1769,
    )
    requests.send((0, 0))
    while (event := requests.recv()) is not None:
        requests.send((handler(event, context)["statusCode"], 0))
    requests.send((0, peak_bytes() // 1_000_000))


class Limit:
    """Requests a second of all callers together, and as many at once as have been saved up."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst, self._left = rate, burst, float(burst)
        self._at, self._lock = time.monotonic(), threading.Lock()

    def lets_in(self) -> bool:
        """Whether one more may pass."""
        with self._lock:
            now = time.monotonic()
            self._left, self._at = min(self._burst, self._left + (now - self._at) * self._rate), now
            if self._left < 1:
                return False
            self._left -= 1
            return True


class Load:
    """What all clients saw: statuses, and the seconds of those that were answered."""

    def __init__(self, workers: Sequence[Connection], questions: Sequence[Question], event: Mapping[str, Any]) -> None:
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self._event = event
        self._questions = questions
        self._waiting = queue.SimpleQueue[tuple[dict[str, Any], Future[int]]]()
        for each in workers:
            threading.Thread(target=self._serve, args=(each,), daemon=True).start()
        limits = ApiSettings()
        self._limit = Limit(limits.all_rate, limits.all_burst)

    def ask(self, until: float, first: int) -> None:
        """One client: a question after the other, each client beginning elsewhere."""
        for number in count(first):
            began = time.monotonic()
            if began > until:
                return
            if not self._limit.lets_in():
                self.statuses[429] += 1
                time.sleep(1)
                continue
            answered = Future[int]()
            self._waiting.put((self._request(number), answered))
            status = answered.result(_PATIENCE_SECONDS)
            self.statuses[status] += 1
            self.seconds.append(time.monotonic() - began)

    def _serve(self, worker: Connection) -> None:
        """Pass on to a worker what has waited longest, for as long as the program runs."""
        while True:
            request, answered = self._waiting.get()
            try:
                worker.send(request)
                answered.set_result(worker.recv()[0])
            except (EOFError, OSError) as error:
                answered.set_exception(error)
                return

    def _request(self, number: int) -> dict[str, Any]:
        path, parameters = self._questions[number % len(self._questions)]
        kind = FORMATS[number // len(self._questions) % len(FORMATS)] if "/rows" in path else FORMATS[0]
        headers = {"accept": [kind], "accept-encoding": ["gzip"]}
        return dict(self._event) | {
            "path": path,
            "headers": {name: values[-1] for name, values in headers.items()},
            "multiValueHeaders": headers,
            "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
            "multiValueQueryStringParameters": parameters or None,
        }


def run(
    environment: Mapping[str, str], questions: Sequence[Question], event: Path, *, clients: int, seconds: float
) -> dict[str, Any]:
    """Ask for so many seconds, all workers having started; gives statuses, milliseconds and the largest worker."""
    spawn = multiprocessing.get_context("spawn")
    pipes = [spawn.Pipe() for _ in range(WORKERS)]
    workers = [spawn.Process(target=work, args=(theirs, dict(environment)), daemon=True) for _, theirs in pipes]
    for worker, (_, theirs) in zip(workers, pipes, strict=True):
        worker.start()
        theirs.close()  # so that we notice when a worker ends
    ends = [ours for ours, _ in pipes]
    for end in ends:
        end.recv()  # it has imported what it needs
    load = Load(ends, questions, json.loads(event.read_text()))
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(clients) as pool:
        for asking in [pool.submit(load.ask, until, 5 * number) for number in range(clients)]:
            asking.result()
    largest = max(_end(end) for end in ends)
    for worker in workers:
        worker.join()
    parts = statistics.quantiles(load.seconds, n=100)
    return {
        "clients": clients,
        "seconds": seconds,
        "workers": WORKERS,
        "statuses": {str(status): times for status, times in sorted(load.statuses.items())},
        **{f"p{part}_ms": round(1000 * parts[part - 1]) for part in (50, 95, 99)},
        "largest_worker_mb": largest,
    }


def _end(worker: Connection) -> int:
    worker.send(None)
    return int(worker.recv()[1])

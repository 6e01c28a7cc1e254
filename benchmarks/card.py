"""A Lambda's network card beside one core that converts: how much of the time the card is busy.

    .venv/bin/python benchmarks/card.py [--megabytes 480] [--rate 78] [--json]

A server in a process of its own answers S3's ranged GetObject as fast as the card, and never faster. The conversion is
bound to the other core and asks by the same adapter as in AWS. Busy is the time that the bytes take at the card's rate,
of the time that the shards took, one after the other: first request, last Parquet file and receipt included.
"""

import argparse
import json
import os
import re
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any

import boto3
import yaml
from botocore import UNSIGNED
from botocore.config import Config
from cli.directory import Directory
from nightlake.adapters.s3 import Objects
from nightlake.core.code_version import code_version
from nightlake.core.contract import load_pipeline
from nightlake.core.convert import convert
from nightlake.core.plan import Request, plan
from nightlake.core.shard import Plan
from nightlake.core.shard_output import Attempt

from shapes import SHAPES

DAY = date(2017, 6, 12)
KEY = "bench/rows/2017/06/12/narrow.csv"
PIECE = 1 << 16
_LATE = 0.005  # s


class _Card:
    """Lets bytes through at a rate, for all connections together.

    A sleep ends late, by about as long as a piece takes. What it was late by may be caught up within `_LATE`, or the
    card would be slower than its rate, whoever reads.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_at = 0.0
        self._lock = Lock()

    def wait(self, size: int) -> None:
        """Return when so many bytes may have passed."""
        with self._lock:
            self._free_at = max(self._free_at, time.perf_counter() - _LATE) + size / self._rate
            until = self._free_at
        time.sleep(max(0.0, until - time.perf_counter()))


def serve(file: Path, rate: float, told: Connection) -> None:
    """Answer S3 for one object until the process is ended; tells the port."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    card, size = _Card(rate), file.stat().st_size

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._headers(200, size)

        def do_GET(self) -> None:
            if "list-type" in self.path or "versions" in self.path:
                body = _listing(size)
                self._headers(200, len(body))
                self.wfile.write(body)
                return
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "bytes=0-"))
            first = int(asked[1]) if asked else 0
            last = min(int(asked[2]), size - 1) if asked and asked[2] else size - 1
            self._headers(206, last + 1 - first, ("Content-Range", f"bytes {first}-{last}/{size}"))
            with file.open("rb") as opened, _gone_is_fine():
                opened.seek(first)
                left = last + 1 - first
                while left:
                    piece = opened.read(min(PIECE, left))
                    card.wait(len(piece))
                    self.wfile.write(piece)
                    left -= len(piece)

        def _headers(self, status: int, length: int, *more: tuple[str, str]) -> None:
            self.send_response(status)
            modified = ("Last-Modified", "Mon, 12 Jun 2017 00:00:00 GMT")
            for name, value in (("Content-Length", str(length)), ("ETag", '"one"'), modified, *more):
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.send(server.server_port)
    server.serve_forever()


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    """A reader may stop before the end of what it asked for."""
    try:
        yield
    except (BrokenPipeError, ConnectionResetError):
        return


def _listing(size: int) -> bytes:
    """The one object, in the words of ListObjectsV2 and of ListObjectVersions."""
    found = f"<Key>{KEY}</Key><LastModified>2017-06-12T00:00:00Z</LastModified><ETag>one</ETag><Size>{size}</Size>"
    version = f"<Version>{found}<VersionId>null</VersionId><IsLatest>true</IsLatest></Version>"
    return f"<R><IsTruncated>false</IsTruncated><Contents>{found}</Contents>{version}</R>".encode()


def main() -> None:
    """Write a file, serve it, convert it shard by shard."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=480)
    parser.add_argument("--rate", type=float, default=78.0, help="MB/s of the card")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nightlake-card-") as name:
        result = measure(Path(name), given.megabytes * 10**6, given.rate * 1e6)
    if given.json:
        print(json.dumps(result))
    else:
        print(
            f"{result['megabytes']:.0f} MB in {result['seconds']:.1f} s: the card of {given.rate:g} MB/s was busy "
            f"{100 * result['busy']:.0f} % of the time, the core {100 * result['core']:.0f} %"
        )


def measure(folder: Path, size: int, rate: float) -> dict[str, float]:
    """`busy` and `core` are parts of the time of all shards, one after the other."""
    shape, file = SHAPES["narrow"], folder / "narrow.csv"
    shape.write(file, size)
    home = folder / "bench"
    home.mkdir()
    (home / "contract.odcs.yaml").write_text(yaml.safe_dump(shape.contract()))
    (home / "pipeline.yaml").write_text(yaml.safe_dump(shape.pipeline()))
    pipeline = load_pipeline(home)
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    server = context.Process(target=serve, args=(file, rate, sender), daemon=True)
    server.start()
    try:
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{receiver.recv()}",
            region_name="us-east-1",
            config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}),
        )
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        raw, lake = Objects("raw", client), Directory("lake", folder / "lake")
        request = Request(
            pipeline=pipeline.name, dataset="rows", date=DAY, run_id="r", attempt=1, scheduled_at=None, previous=None
        )
        now = datetime.now(UTC)
        planned = plan(request, pipeline, raw=raw, lake=lake, code_version=code_version(), now=now)
        shards = lake.get_model(str(planned.plan), Plan).shards
        quarantine = Directory("quarantine", folder / "quarantine")
        started, core = time.perf_counter(), _cpu()
        for shard in shards:
            convert(shard, pipeline, Attempt("r", "a", now), raw=raw, staging=lake, quarantine=quarantine)
        seconds = time.perf_counter() - started
        size = file.stat().st_size
        return {
            "megabytes": size / 1e6,
            "shards": len(shards),
            "seconds": seconds,
            "busy": size / rate / seconds,
            "core": (_cpu() - core) / seconds,
        }
    finally:
        server.kill()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()

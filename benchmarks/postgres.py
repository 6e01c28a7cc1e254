"""A table of PostgreSQL to Parquet beside a bare COPY of the same rows: server and reader on a core each.

    .venv/bin/python benchmarks/postgres.py [--rows 1000000] [--rounds 3] [--json] [--write]

In each round COPY to STDOUT (text, as psql has it) and the whole conversion (ADBC, count, cast, Parquet in files) run
one after the other, so that a slow moment of the machine slows both; what counts is the median of the rounds' ratios.
Files lie in memory where the machine has a place for that: what is measured is neither disk nor network. `--write`
keeps the result as docs/benchmarks-postgres.json, which `nightlake cost` reckons with.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from local.sources import postgres

HERE = Path(__file__).resolve().parent
KEPT = HERE.parent / "docs" / "benchmarks-postgres.json"
DAY = date(2026, 3, 10)
CREATE = """
CREATE TYPE level AS ENUM ('debug', 'info', 'warn', 'error');
CREATE UNLOGGED TABLE app_logs (id bigint NOT NULL, at timestamptz NOT NULL, level level NOT NULL, service text,
  message text, latency numeric(10, 3), payload jsonb, trace uuid, tags text[]);
CREATE INDEX ON app_logs (at);
"""
FILL = """
INSERT INTO app_logs SELECT i, timestamptz '2026-03-10 00:00Z' + i * (interval '1 day' / ({rows} + 1)),
  (enum_range(NULL::level))[1 + (i % 7) % 4], 'service-' || (i % 20),
  'request ' || i || ' to /api/v1/items/' || (i * 7919 % 100000) || ' took a while; ' || md5(i::text),
  (i % 1000000) / 1000.0,
  jsonb_build_object('user', i % 50000, 'path', '/items/' || (i % 1000), 'ok', i % 3 = 0),
  md5(i::text)::uuid, ARRAY['a' || (i % 5), 'b' || (i % 3)]
FROM generate_series(1, {rows}::bigint) i
"""
COPY = "COPY app_logs TO STDOUT"


def main() -> None:
    """Measure, print, and keep if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print every round, too")
    parser.add_argument("--write", action="store_true", help="keep the result in docs/")
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
    with (
        tempfile.TemporaryDirectory(prefix="nightlake-bench-") as home,
        tempfile.TemporaryDirectory(prefix="nightlake-bench-", dir=memory) as out,
    ):
        os.environ["TMPDIR"] = out
        server = postgres.start(Path(home))
        try:
            _fill(server, given.rows)
            _pin(int((Path(str(server.data)) / "postmaster.pid").read_text().split()[0]), cores[0])
            rounds = [_round(server, Path(out) / str(number), cores[-1]) for number in range(given.rounds)]
        finally:
            postgres.forget(Path(home))
    result = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "rows": given.rows,
        "megabytes": round(rounds[0]["copied_megabytes"], 1),
        "copy_seconds": round(statistics.median(each["copy_seconds"] for each in rounds), 2),
        "seconds": round(statistics.median(each["seconds"] for each in rounds), 2),
        "cpu_seconds": round(statistics.median(each["cpu_seconds"] for each in rounds), 2),
        "to_copy": round(statistics.median(each["copy_seconds"] / each["seconds"] for each in rounds), 2),
        "rss_megabytes": round(max(each["rss_megabytes"] for each in rounds)),
        "parquet_megabytes": round(rounds[0]["parquet_megabytes"], 1),
    }
    print(json.dumps({**result, "rounds": rounds} if given.json else result, indent=1))
    if given.write:
        KEPT.write_text(json.dumps(result, indent=1) + "\n")


def _fill(server: postgres.Server, rows: int) -> None:
    with server.connect() as connection:
        connection.execute(CREATE)
        connection.execute(FILL.format(rows=rows))  # a number of ours
        connection.execute("VACUUM ANALYZE app_logs")


def _pin(pid: int, core: int) -> None:
    """Backends are children of the server, and inherit where it may run."""
    os.sched_setaffinity(pid, {core})


def _round(server: postgres.Server, out: Path, core: int) -> dict[str, Any]:
    told = {"host": server.host, "port": server.port, "dbname": server.database, "sslmode": "disable"}
    secret = json.dumps({**told, "username": server.user, "password": server.password})
    psql = [*Path(str(postgres.wheel())).glob("bin/psql")]
    environment = {**os.environ, "PGPASSWORD": server.password, "NIGHTLAKE_BENCH_SECRET": secret}
    pinned = ["taskset", "-c", str(core)]
    address = ["-h", server.host, "-p", str(server.port), "-U", server.user, "-d", server.database]
    sizes = subprocess.Popen(  # noqa: S603
        [*pinned, str(psql[0]), *address, "-c", COPY], stdout=subprocess.PIPE, env=environment
    )
    started = time.perf_counter()
    copied = 0
    assert sizes.stdout is not None  # noqa: S101
    while content := sizes.stdout.read(1 << 20):
        copied += len(content)
    sizes.wait()
    seconds = time.perf_counter() - started
    done = subprocess.run(  # noqa: S603
        [*pinned, sys.executable, str(HERE / "postgres_ours.py"), str(out)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(out, ignore_errors=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return {"copied_megabytes": copied / 1e6, "copy_seconds": seconds, **json.loads(done.stdout.splitlines()[-1])}


if __name__ == "__main__":
    main()

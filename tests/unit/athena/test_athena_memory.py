"""A query that outgrows its memory spills to disk, or fails in Athena's words; the process stays small."""

import json
import subprocess
import sys

import pytest

MEMORY = 64_000_000
ROWS = (
    "SELECT a * 7919 + b AS k, CAST(a AS varchar) || '-' || CAST(b AS varchar) AS s"
    " FROM UNNEST(sequence(1, 10000)) AS t(a) CROSS JOIN UNNEST(sequence(1, 300)) AS u(b)"
)
RUN = r"""
import json, re, sys, tempfile
from pathlib import Path
import duckdb, pyarrow
from local.athena.engine import Engine
from local.athena.errors import QueryError

sql, memory = sys.argv[1], int(sys.argv[2])
peak = lambda: int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
engine = Engine(None, None, memory_bytes=memory, threads=2)
engine.query("SELECT 1")
before = peak()
with tempfile.TemporaryDirectory() as folder:
    csv = Path(folder) / "result.csv"
    try:
        engine.query(sql, csv=csv)
        with csv.open() as lines:
            answer = next(lines) and next(lines)
    except QueryError as error:
        answer = str(error)
print(json.dumps({"answer": answer, "grown": peak() - before}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the largest memory of a program alone")
@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        (f"SELECT count(*) FROM (SELECT k, s FROM ({ROWS}) GROUP BY k, s)", '"3000000"'),  # noqa: S608
        (f"SELECT k, s FROM ({ROWS}) ORDER BY s, k", '"7920","1-1"'),  # noqa: S608
        (f"SELECT count(*) FROM ({ROWS}) x JOIN ({ROWS}) y ON x.k = y.k AND x.s = y.s", '"3000000"'),  # noqa: S608
        (f"SELECT cardinality(array_agg(s)) FROM ({ROWS})", "Query exhausted resources at this scale factor"),  # noqa: S608
    ],
    ids=["group", "order", "join", "array"],
)
def test_memory_is_bounded(sql: str, answer: str) -> None:
    ran = subprocess.run([sys.executable, "-c", RUN, sql, str(MEMORY)], capture_output=True, text=True, check=True)

    found = json.loads(ran.stdout.splitlines()[-1])

    assert answer in found["answer"]
    assert found["grown"] < 3 * MEMORY  # 3 million such rows take more

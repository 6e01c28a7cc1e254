"""A night of three kinds of sources on the local AWS, with IAM enforced: what is published is what the sources hold."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from local.sources import activity, app, postgres, weather

pytestmark = pytest.mark.e2e

DAY = date(2013, 7, 2)
ROWS = 3000
HEARD = """
    SELECT l.city, date_trunc('hour', l.logged_at) AS hour, count(*) AS requests,
      count(*) FILTER (l.level IN ('error', 'fatal')) AS errors, sum(l.latency_ms) AS latency_ms,
      count(u.id) AS of_known_users, max(w.precipitation) AS precipitation
    FROM logs AS l
    LEFT JOIN users AS u ON u.id = l.user_id AND u.id NOT IN (666, 1066, 1848)
    JOIN weather AS w ON w.city = l.city AND w.hour = date_trunc('hour', l.logged_at)
    GROUP BY 1, 2 ORDER BY 1, 2
"""
PUBLISHED = """
    SELECT city, logged_hour, COUNT(*), COUNT_IF(is_error), SUM(latency_ms), COUNT_IF(is_known_user), MAX(precipitation)
    FROM activity_enriched WHERE year = '2013' AND month = '07' AND day = '02' GROUP BY 1, 2 ORDER BY 1, 2
"""
Answer = dict[str, Any]
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def good(nightlake: Any, outputs: dict[str, str]) -> Ask:
    """good("run", "activity"): the answer of a command that ends well."""

    def run(*arguments: str) -> Answer:
        done = nightlake(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        answer: Answer = json.loads(done.stdout)
        return answer

    return run


@pytest.fixture(scope="module")
def night(good: Ask) -> Answer:
    good("seed", "activity", "--from", DAY.isoformat(), "--rows", str(ROWS))
    return good("run", "activity", "--date", DAY.isoformat())


@pytest.fixture(scope="module")
def heard(home: Path, night: Answer, tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """What DuckDB makes of the same three sources, asked without the lake."""
    folder = tmp_path_factory.mktemp("heard")
    server = postgres.recorded(home)
    assert server is not None
    of_the_day = "SELECT * FROM app_logs WHERE logged_at >= '2013-07-02Z' AND logged_at < '2013-07-03Z'"
    with (
        server.connect(app.DATABASE) as connection,
        connection.cursor().copy(f"COPY ({of_the_day}) TO STDOUT (FORMAT csv, HEADER)") as copy,
    ):
        (folder / "logs.csv").write_bytes(b"".join(copy))
    (folder / "users.csv").write_bytes(activity.deliveries(DAY)[0].body)
    hours = []
    for city, (latitude, longitude) in activity.PLACES.items():
        query = {"latitude": [str(latitude)], "longitude": [str(longitude)], "hourly": ["precipitation"]}
        days = {"start_date": [DAY.isoformat()], "end_date": [DAY.isoformat()]}
        hourly = weather.archive("/v1/archive", query | days, today=DAY)["hourly"]
        hours += [(city, *values) for values in zip(*hourly.values(), strict=True)]
    with duckdb.connect() as connection_:
        connection_.execute("SET TimeZone = 'UTC'")
        connection_.execute(
            "CREATE TABLE logs AS SELECT city, level, user_id, logged_at::timestamptz::timestamp AS logged_at, "
            "latency_ms::decimal(10, 3) AS latency_ms FROM read_csv(?, all_varchar = true)",
            [str(folder / "logs.csv")],
        )
        connection_.execute(
            "CREATE TABLE users AS SELECT id::bigint AS id FROM read_csv(?)", [str(folder / "users.csv")]
        )
        connection_.execute("CREATE TABLE weather (city text, hour timestamp, precipitation decimal(5, 1))")
        connection_.executemany("INSERT INTO weather VALUES (?, ?, ?)", hours)
        return [[str(value) for value in row] for row in connection_.execute(HEARD).fetchall()]


def test_every_source_comes_whole(night: Answer) -> None:
    assert {source["dataset"]: (source["rows"], source["quarantined"]) for source in night["sources"]} == {
        "weather": (72, 0),
        "app_logs": (ROWS, 0),
        "users": (1997, 3),
    }


def test_what_is_published_is_what_the_sources_hold(good: Ask, heard: list[list[str]]) -> None:
    published = [[str(value).removesuffix(".000") if index == 1 else str(value) for index, value in enumerate(row)]
                 for row in good("query", PUBLISHED)["rows"]]  # fmt: skip
    assert len(heard) == 72
    assert published == heard


def test_a_second_run_reads_nothing_again(good: Ask, night: Answer) -> None:
    again = good("run", "activity", "--date", DAY.isoformat())
    assert {source["dataset"]: source["reused"] for source in again["sources"]} == {
        source["dataset"]: source["shards"] for source in night["sources"]
    }

"""Tables of a real PostgreSQL: each of their rows comes into the lake once, as it is, or what keeps it is named."""
# ruff: noqa: S608 (all statements are ours)

import json
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from live_table import COLUMNS, CREATE, DAY, EVENTS, Live, source
from moto import mock_aws
from nightlake.core.cast import _cast_each as cast_each
from nightlake.core.column_type import parse
from nightlake.core.errors import (
    BalanceError,
    ConnectionsExceededError,
    DatabaseAuthError,
    DatabaseSecretError,
    DatabaseTlsError,
    DatabaseUnavailableError,
    HeaderMismatchError,
    LockTimeoutError,
    OverlapPublishedError,
    PermissionDeniedError,
    QueryFailedError,
    QueryTimeoutError,
    SourceChangedError,
    SourceNotReadyError,
    TableNotFoundError,
    TableUnsuitableError,
)
from nightlake.core.pipeline import Column
from nightlake.core.postgres_session import Session
from nightlake.core.readers.table import read_table
from nightlake.core.table import arrow_type
from nightlake.core.value_parser import Reading
from nightlake.handlers import convert_postgres, databases, plan_postgres

from local import tls
from local.sources import postgres

TEN = "INSERT INTO events SELECT i, timestamptz '2026-03-10 00:00Z' + i * interval '1 hour', 'm' || i FROM {} i"
SERIES = "generate_series({}, {})"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    home = tmp_path_factory.mktemp("postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(postgres.OWN_URL, raising=False)
        yield postgres.start(home)
        postgres.forget(home)


@pytest.fixture
def live(server: postgres.Server, request: pytest.FixtureRequest) -> Iterator[Live]:
    """A database of the test's own with the table `events`, empty."""
    name = f"t{abs(hash(request.node.nodeid))}"
    encoding = getattr(request, "param", "UTF8")
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'")
    live = Live(server, name)
    live.run(CREATE)
    yield live
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def fill(live: Live, first: int, last: int) -> None:
    """One event an hour, numbered from midnight of DAY."""
    live.run(TEN.format(SERIES.format(first, last)))


def reader(live: Live, name: str = "reader") -> None:
    """Let nights connect as a role that may read the table and nothing else."""
    role = f"{name}_{live.dbname}"
    live.run(f"CREATE ROLE {role} LOGIN PASSWORD 'secret-of-reader'", f"GRANT SELECT ON events TO {role}")
    live.secrets.text = json.dumps(live.credentials(username=role, password="secret-of-reader"))


# A day


def test_a_day_of_a_table_is_published_row_by_row(live: Live) -> None:
    fill(live, -1, 30)

    verdict = live.night()

    assert verdict.status == "good", verdict
    assert live.ids() == dict.fromkeys(range(24), 1)
    assert {row["day"] for row in live.published()} == {DAY}
    assert {row["_source"] for row in live.published()} == {"postgres://app/public.events"}
    assert sorted(row["_position"] for row in live.published()) == [*range(1, 25)]


def test_a_day_without_rows_has_no_shards(live: Live) -> None:
    planned = live.plan()

    assert planned.ready
    assert planned.shards == 0
    assert live.validate(planned).status == "good"


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 5, 1), 24)], ids=str
)
@pytest.mark.parametrize("kind", ["timestamptz", "timestamp"])
def test_a_day_is_that_of_the_sources_zone_when_clocks_change(live: Live, day: date, hours: int, kind: str) -> None:
    live.source = source(timezone="Europe/Berlin")
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    live.run(
        f"ALTER TABLE events ALTER at TYPE {kind} USING at::{kind}",
        "SET timezone = 'Europe/Berlin'",
        f"INSERT INTO events SELECT i, ('{begin.isoformat()}'::timestamptz + i * interval '1 hour')::{kind} "
        "FROM generate_series(0, 72) i",
    )
    with live.connect() as connection:
        connection.execute("SET timezone = 'Europe/Berlin'")
        local = f"at::{kind}::text" if kind == "timestamp" else "to_char(at, 'YYYY-MM-DD')"
        rows = connection.execute(f"SELECT id FROM events WHERE {local} LIKE '{day}%' ORDER BY 1").fetchall()

    verdict = live.night(day, now=datetime(2027, 1, 1, tzinfo=UTC)) if day.year < 2027 else None

    assert verdict is not None
    assert verdict.status == "good", verdict
    assert sorted(live.ids()) == [row for (row,) in rows]
    if kind == "timestamptz":
        assert len(rows) == hours


def test_a_date_as_watermark_is_its_own_day(live: Live) -> None:
    live.source = source(timezone="America/New_York")
    live.dataset = EVENTS.model_copy(update={"columns": (COLUMNS[0], Column(name="at", type="date", required=True))})
    live.source = source(timezone="America/New_York", on_drift="ignore")
    live.run("ALTER TABLE events ALTER at TYPE date")
    live.run("INSERT INTO events SELECT i, date '2026-03-08' + i FROM generate_series(0, 5) i")

    assert live.night().status == "good"

    assert [(row["id"], row["at"]) for row in live.published()] == [(2, DAY)]


# Cuts


@pytest.mark.parametrize(
    "said",
    [
        {"shards": "time"},
        {"shards": "key", "key": "id"},
        {"shards": "time", "snapshot": "source", "connections": 3},
        {"shards": "key", "key": "id", "snapshot": "source", "connections": 3},
        {"shards": "blocks", "snapshot": "source", "connections": 3},
    ],
    ids=str,
)
def test_all_parts_together_have_every_row_once(live: Live, said: dict[str, Any]) -> None:
    live.run(
        "INSERT INTO events SELECT i * 37 % 10007 - 5000, timestamptz '2026-03-10 00:00Z' + (i % 1439) * "
        "interval '1 minute', repeat('m', 400) FROM generate_series(1, 10006) i",
        "ANALYZE events",
    )
    live.dataset = EVENTS.model_copy(update={"primary_key": ()})
    live.source = source(shard_bytes=1 << 20, **said)

    planned = live.plan()
    for shard in live.shards(planned):
        live.convert(shard)
    verdict = live.validate(planned)
    live.publish(planned)

    assert verdict.status == "good", verdict
    assert (planned.total > 3) == ("snapshot" not in said)
    assert live.ids() == dict.fromkeys(range(-4999, 5007), 1)


def test_rows_without_a_key_are_in_the_first_part(live: Live) -> None:
    live.run(
        "INSERT INTO events SELECT CASE WHEN i % 3 > 0 THEN i END, timestamptz '2026-03-10 12:00Z', repeat('m', 900) "
        "FROM generate_series(1, 6000) i",
        "ANALYZE events",
    )
    live.dataset = EVENTS.model_copy(
        update={"primary_key": (), "columns": (Column(name="id", type="bigint"), *COLUMNS[1:])}
    )
    live.source = source(shards="key", key="id", shard_bytes=1 << 20)

    verdict = live.night()

    assert verdict.shards > 2
    assert live.ids()[None] == 2000  # type: ignore[index]
    assert sum(live.ids().values()) == 6000


def test_the_widest_keys_can_be_cut(live: Live) -> None:
    live.source = source(shards="key", key="id")
    low, high = -(2**63), 2**63 - 1
    live.run(f"INSERT INTO events SELECT i, '2026-03-10 12:00Z' FROM unnest(ARRAY[{low}, 0, {high}]::bigint[]) i")

    assert live.night().status == "good"

    assert live.ids() == {low: 1, 0: 1, high: 1}


def test_partitioned_tables_and_views_are_cut_by_time(live: Live) -> None:
    live.run(
        "CREATE TABLE parts (LIKE events) PARTITION BY RANGE (at)",
        "CREATE TABLE p1 PARTITION OF parts FOR VALUES FROM ('2026-03-10Z') TO ('2026-03-10 12:00Z')",
        "CREATE TABLE p2 PARTITION OF parts FOR VALUES FROM ('2026-03-10 12:00Z') TO ('2026-03-12Z')",
        "CREATE VIEW seen AS SELECT * FROM parts WHERE id > 3",
        TEN.replace("events", "parts").format(SERIES.format(0, 30)),
    )
    live.source = source(table="public.parts")
    assert live.night().rows == 24
    live.source = source(table="seen")
    assert live.night().rows == 20
    for table in ("parts", "seen"):
        live.source = source(table=table, shards="blocks", snapshot="source")
        with pytest.raises(TableUnsuitableError, match="blocks"):
            live.plan()


def test_names_and_types_are_what_the_application_made_of_them(live: Live) -> None:
    live.run(
        "CREATE DOMAIN moment AS timestamptz NOT NULL",
        "CREATE DOMAIN number AS bigint",
        "CREATE DOMAIN serial_number AS number",
        'CREATE SCHEMA "my.shop"',
        'CREATE TABLE "my.shop"."Ereignisse ü" ("select" serial_number, "When At" moment, "a""b" text)',
        """INSERT INTO "my.shop"."Ereignisse ü" SELECT i, timestamptz '2026-03-10Z' + i * interval '1 hour', 'x'
        FROM generate_series(-2, 30) i""",
    )
    names = {"id": "select", "at": "When At", "message": 'a"b'}
    for cut in ({}, {"shards": "key", "key": "select"}):
        live.source = source(table='"my.shop"."Ereignisse ü"', watermark="When At", columns=names, **cut)
        assert live.night().status == "good"
        assert sorted(live.ids()) == [*range(24)]


def test_a_snapshot_of_the_source_has_no_half_of_a_change(live: Live) -> None:
    live.source = source(snapshot="source", shards="key", key="id", connections=3)
    live.dataset = EVENTS.model_copy(update={"primary_key": ()})
    fill(live, 0, 23)
    (shard,) = live.shards(live.plan())
    database = live.database
    sessions = 0

    class Watched:
        """Moves a row from the last part to the first as soon as the first session has its snapshot."""

        @contextmanager
        def session(self, *given: Any, **said: Any) -> Iterator[Session]:
            nonlocal sessions
            sessions += 1
            with database.session(*given, **said) as session:
                if said.get("snapshot") and sessions == 2:
                    live.run("UPDATE events SET id = id - 100 WHERE id = 23", "DELETE FROM events WHERE id = 12")
                yield session

    batches = [*read_table(shard, live.source, live.dataset, database=Watched(), lake=live.lake)]

    assert sorted(value.as_py() for batch in batches for value in batch.columns["id"]) == [*range(24)]
    assert sessions == 3


# Reruns


def test_a_rerun_reads_only_the_parts_that_changed(live: Live) -> None:
    live.run(
        "INSERT INTO events SELECT i, timestamptz '2026-03-10 00:00Z' + i * interval '8 seconds', repeat('m', 400) "
        "FROM generate_series(1, 10000) i",
        "ANALYZE events",
    )
    live.source = source(shard_bytes=1 << 20)
    first = live.plan()
    for shard in live.shards(first):
        live.convert(shard)

    again = live.plan()
    live.run("UPDATE events SET message = 'new' WHERE id = 9000")
    changed = live.plan()

    assert first.total > 3
    assert again.reused == again.total == first.total
    assert changed.reused == changed.total - 1


def test_rows_that_are_committed_after_plan_are_read_by_the_part_of_their_time(live: Live) -> None:
    fill(live, 0, 10)

    live.night(between=lambda: fill(live, 11, 40))

    assert sorted(live.ids()) == [*range(24)]


def test_each_row_is_published_once_whatever_is_late_and_whichever_nights_are_run_again(live: Live) -> None:
    """A model: rows of three days, many of them committed late, and nights in any order, some planned too early."""
    chance = random.Random(7)  # noqa: S311
    live.source = source(overlap_minutes=720)
    days = [DAY + timedelta(days=number) for number in range(4)]
    clock = {day: datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days}
    expected: dict[int, date] = {}

    def commit(day: date, hours: range, count: int) -> None:
        statements = []
        for _ in range(count):
            at = clock[day] + timedelta(hours=chance.choice(hours), seconds=chance.randrange(3600))
            expected[len(expected) + 1] = day
            statements.append(f"INSERT INTO events VALUES ({len(expected)}, '{at.isoformat()}', 'x')")
        live.run(*statements)

    for round_ in range(2):
        for place, day in enumerate(days[:3]):
            commit(day, range(24), 4)
            live.night(day)
            commit(day, range(12, 24), 3)  # late: the next night's overlap reads it, or a rerun does
            if round_ and place:
                live.night(days[chance.randrange(place + 1)])
    order = days[:]
    chance.shuffle(order)
    for day in order:
        live.night(day)
    for day in days:
        live.night(day)

    assert live.ids() == dict.fromkeys(expected, 1)
    assert {row["id"]: row["day"] for row in live.published()} == expected


def test_a_row_that_another_night_published_meanwhile_is_not_taken_from_an_old_receipt(live: Live) -> None:
    live.source = source(overlap_minutes=60)
    fill(live, 0, 22)
    live.night(DAY)
    fill(live, 23, 30)  # 23 is of DAY, and late
    planned = live.plan(DAY + timedelta(days=1))
    for shard in live.shards(planned):
        live.convert(shard)  # and takes 23; but this night is not published
    live.night(DAY)  # takes 23, too

    live.night(DAY + timedelta(days=1))

    assert live.ids() == dict.fromkeys(range(31), 1)


def test_a_shard_whose_rows_were_published_since_plan_is_planned_again(live: Live) -> None:
    live.source = source(overlap_minutes=60)
    fill(live, 0, 30)
    planned = live.plan(DAY + timedelta(days=1))
    live.night(DAY)

    with pytest.raises(SourceChangedError, match="plan again"):
        live.convert(live.shards(planned)[0])


def test_of_two_dates_that_read_the_same_rows_at_once_the_later_one_is_not_published(live: Live) -> None:
    live.source = source(overlap_minutes=60)
    fill(live, 0, 30)
    tomorrow = DAY + timedelta(days=1)
    planned = live.plan(tomorrow)
    for shard in live.shards(planned):
        live.convert(shard)  # takes 23, which nobody has published
    assert live.validate(planned, tomorrow).status == "good"
    with live.as_it_was():
        live.night(DAY)  # takes 23, too

    with pytest.raises(OverlapPublishedError, match=f"rerun {tomorrow}"):
        live.publish(planned, tomorrow)

    live.night(tomorrow)
    assert live.ids() == dict.fromkeys(range(31), 1)


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ((Column(name="message", type="string", private=True),), ("message",)),
        ((Column(name="message", type="string"),), ("id", "message")),
        ((Column(name="message", type="string"),), ("at", "message")),
    ],
    ids=["private", "two", "moment"],
)
def test_keys_of_any_kind_are_known_again(live: Live, columns: tuple[Column, ...], key: tuple[str, ...]) -> None:
    live.dataset = EVENTS.model_copy(update={"columns": (*COLUMNS[:2], *columns), "primary_key": key})
    live.source = source(overlap_minutes=120)
    fill(live, 0, 47)

    first, second = live.night(DAY), live.night(DAY + timedelta(days=1))

    assert (first.rows, second.rows, second.records) == (24, 24, 26)
    assert live.ids() == dict.fromkeys(range(48), 1)


def test_a_row_whose_watermark_moves_with_each_change_is_in_the_day_of_each_that_a_night_has_seen(live: Live) -> None:
    live.source = source(overlap_minutes=120)
    fill(live, 0, 23)
    live.night(DAY)
    live.run("UPDATE events SET at = '2026-03-11 10:00Z', message = 'changed' WHERE id IN (3, 23)")  # 23 is read twice
    fill(live, 24, 30)

    second = live.night(DAY + timedelta(days=1))

    found = {(row["id"], row["message"]): row["day"] for row in live.published() if row["id"] in (3, 23)}
    tomorrow = DAY + timedelta(days=1)
    changed = {(3, "changed"): tomorrow, (23, "changed"): tomorrow}
    assert found == {(3, "m3"): DAY, (23, "m23"): DAY, **changed}
    assert (second.rows, second.records) == (9, 10)
    live.night(DAY)  # and what it was before is not there any more
    assert live.ids() == dict.fromkeys(range(31), 1)


def test_a_row_that_changes_and_stays_in_its_day_is_as_the_last_run_of_its_day_has_seen_it(live: Live) -> None:
    live.source = source(overlap_minutes=120)
    fill(live, 0, 23)
    live.night(DAY)
    live.run("UPDATE events SET message = 'corrected' WHERE id = 23")

    live.night(DAY + timedelta(days=1))  # reads it, and leaves it to the day that has it
    before = {row["message"] for row in live.published() if row["id"] == 23}
    live.night(DAY)

    assert before == {"m23"}
    assert {row["message"] for row in live.published() if row["id"] == 23} == {"corrected"}


# Open transactions


@contextmanager
def open_transaction(live: Live, *statements: str) -> Iterator[Any]:
    with live.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("SET application_name = 'billing'")
        for statement in statements:
            connection.execute(statement)
        yield connection


def test_a_day_that_is_not_over_by_the_databases_clock_is_waited_for(live: Live) -> None:
    now = datetime.now(UTC)
    tomorrow = now.date() + timedelta(days=1)  # it is not over either when this test runs at midnight

    assert not live.plan(tomorrow, scheduled_at=now.isoformat()).ready
    with pytest.raises(SourceNotReadyError, match="the end of the day in UTC"):
        live.plan(tomorrow)


def test_what_is_open_from_before_the_days_end_is_named_with_its_pid(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.source = source()
    today = datetime.now(UTC).date()
    bounds = (datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(hours=1))
    with open_transaction(live, "SELECT 1") as connection:
        pid = connection.info.backend_pid
        # The day's end is put behind the begin of the transaction, and before the clock of the database.
        begun = connection.execute("SELECT now()").fetchone()[0]
        monkeypatch.setattr(
            "nightlake.core.extract_postgres.day_bounds", lambda *_: (bounds[0], begun + timedelta(microseconds=1))
        )
        scheduled = datetime.now(UTC).isoformat()
        assert not live.plan(today, scheduled_at=scheduled).ready
        with pytest.raises(SourceNotReadyError, match=f"transaction pid {pid} of billing, open since"):
            live.plan(today)
        live.source = source(overlap_minutes=30)
        verdict = live.night(today)
        (warning,) = [each for each in verdict.warnings if each.rule == "postgres.open_transactions"]
        assert "the next night reads their rows again" in warning.reason
    live.source = source()
    assert live.plan(today).ready


def test_sessions_that_the_role_may_not_see_are_told_and_waited_for_when_they_have_written(live: Live) -> None:
    other = f"writer_{live.dbname}"
    live.run(f"CREATE ROLE {other} LOGIN PASSWORD 'x'", f"GRANT ALL ON events TO {other}")
    reader(live)
    with psycopg.connect(live.server.conninfo(live.dbname), user=other, password="x") as connection:  # type: ignore[arg-type]
        connection.execute("SELECT 1")
        rules = {each.rule: each.reason for each in live.night().warnings}
        assert rules["postgres.hidden_sessions"].startswith("1 sessions of other roles cannot be seen")
        connection.execute("INSERT INTO events VALUES (1, now())")
        with pytest.raises(SourceNotReadyError, match="for a time that this role may not see"):
            live.plan()
    live.run(f"GRANT pg_read_all_stats TO reader_{live.dbname}")
    with psycopg.connect(live.server.conninfo(live.dbname), user=other, password="x") as connection:  # type: ignore[arg-type]
        connection.execute("INSERT INTO events VALUES (1, now())")
        assert live.plan().ready  # it began long after the day


def test_transactions_that_hide_their_begin_and_soon_end_do_not_hold_up_a_day(live: Live) -> None:
    other = f"busy_{live.dbname}"
    live.run(f"CREATE ROLE {other} LOGIN PASSWORD 'x'", f"GRANT ALL ON events TO {other}")
    reader(live)
    database = live.database
    insert = "INSERT INTO events VALUES (1, now())"
    with psycopg.connect(live.server.conninfo(live.dbname), user=other, password="x") as busy:  # type: ignore[arg-type]
        busy.execute(insert)

        class Busy:
            """Its one writer begins a new transaction while the first ones are waited for."""

            @contextmanager
            def session(self, *given: Any, **said: Any) -> Iterator[Any]:
                with database.session(*given, **said) as session:
                    real = session.rows

                    def rows(sql: str) -> list[dict[str, Any]]:
                        if "pg_sleep" in sql:
                            busy.commit()
                            busy.execute(insert)
                        return real(sql)

                    session.rows = rows  # type: ignore[method-assign]
                    yield session

        live.database = Busy()
        assert live.plan().ready


# Values

TYPES = {
    "small": ("smallint", "smallint", "-7", -7),
    "whole": ("integer", "bigint", "7", 7),
    "big": ("bigint", "decimal(20,0)", "9223372036854775807", Decimal(9223372036854775807)),
    "exact": ("numeric", "decimal(38,18)", "12345678901234567890.123456789012345678", None),
    "money_": ("money", "string", "'12.50'", "$12.50"),
    "double_": ("double precision", "double", "0.1", 0.1),
    "real_": ("real", "float", "0.5", 0.5),
    "yes": ("boolean", "boolean", "true", True),
    "char_": ("char(5)", "string", "'ab'", "ab   "),
    "label": ("level", "string", "'warn'", "warn"),
    "trace": ("uuid", "string", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "bytes": ("bytea", "string", r"'\x00ff10'", "00ff10"),
    "day_": ("date", "date", "'2026-02-28'", date(2026, 2, 28)),
    "moment": ("timestamptz", "timestamp", "'2026-03-10 02:00+05'", datetime(2026, 3, 9, 21)),  # noqa: DTZ001
    "local_": ("timestamp", "timestamp", "'2026-03-10 02:00'", datetime(2026, 3, 10, 2)),  # noqa: DTZ001
    "clock": ("time", "string", "'12:30:01.5'", "12:30:01.5"),
    "span": ("interval", "string", "'1 day 2 hours'", "P1DT2H"),
    "range_": ("int4range", "string", "'[1,5)'", "[1,5)"),
    "address": ("inet", "string", "'10.0.0.1/8'", "10.0.0.1/8"),
    "document": ("jsonb", "string", """'{"a": [1, 2.50]}'""", '{"a": [1, 2.50]}'),
    "shape": (
        "jsonb",
        "struct<a:array<decimal(5,2)>,b:string>",
        """'{"a": [1, 2.50], "b": null}'""",
        {"a": [Decimal("1.00"), Decimal("2.50")], "b": None},
    ),
    "pairs": ("jsonb", "map<string,bigint>", """'{"x": 1}'""", [("x", 1)]),
    "texts": ("text[]", "array<string>", "ARRAY['a', NULL, 'ü']", ["a", None, "ü"]),
    "numbers": ("integer[]", "array<bigint>", "ARRAY[1, 2]", [1, 2]),
    "none_": ("integer[]", "array<int>", "'{}'", []),
    "shifted": ("integer[]", "array<int>", "'[2:3]={1,2}'", [1, 2]),
    "exacts": ("numeric[]", "array<decimal(5,2)>", "ARRAY[1.5, 2]", [Decimal("1.50"), Decimal("2.00")]),
    "uuids": ("text[]", "string", "ARRAY['a']", '["a"]'),
    "row_": ("pair", "struct<n:int,t:string>", "ROW(1, 'x')", {"n": 1, "t": "x"}),
    "named": ("positive", "int", "5", 5),
    "labels": ("tags", "array<string>", "ARRAY['a', 'b']", ["a", "b"]),
    "Odd Name": ("text", "string", "'it''s'", "it's"),
}


def make_types(live: Live) -> None:
    live.run(
        "CREATE TYPE level AS ENUM ('info', 'warn')",
        "CREATE TYPE pair AS (n int, t text)",
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
        "CREATE DOMAIN tags AS text[]",
    )


def test_values_of_every_type_come_as_they_are_and_null_is_null(live: Live) -> None:
    make_types(live)
    names = {name: name.lower().replace(" ", "_") for name in TYPES}
    columns = ", ".join(f'"{name}" {kind}' for name, (kind, *_) in TYPES.items())
    values = ", ".join(text for _, _, text, _ in TYPES.values())
    live.run("DROP TABLE events", f"CREATE TABLE events (id bigint, at timestamptz NOT NULL, {columns})")
    live.run(f"INSERT INTO events VALUES (1, '2026-03-10 12:00Z', {values})")
    live.run("INSERT INTO events VALUES (2, '2026-03-10 12:00Z')")
    more = tuple(Column(name=names[name], type=kind) for name, (_, kind, _, _) in TYPES.items())
    live.dataset = EVENTS.model_copy(update={"columns": (*COLUMNS[:2], *more)})
    live.source = source(columns={"odd_name": "Odd Name"})

    planned = live.plan()
    receipts = [live.convert(shard) for shard in live.shards(planned)]
    assert live.refused(receipts) == []
    assert live.validate(planned).status == "good"
    live.publish(planned)
    full, empty = sorted(live.published(), key=lambda row: int(row["id"]))

    wanted = {name: wanted for name, (*_, wanted) in TYPES.items()}
    wanted["exact"] = Decimal("12345678901234567890.123456789012345678")
    assert {name: full[names[name]] for name in TYPES} == wanted
    assert {name: empty[names[name]] for name in TYPES} == dict.fromkeys(TYPES)
    assert all(arrow_type(parse(column.type)) for column in more)


ODD = {
    "exact": ("numeric", "decimal(10,2)", "'NaN'", "not a finite number"),
    "endless": ("numeric", "decimal(10,2)", "'Infinity'", "not a finite number"),
    "fine": ("numeric", "decimal(10,2)", "1.234", "too fine"),
    "wide": ("numeric", "decimal(10,2)", "12345678901", "too large"),
    "narrow": ("bigint", "int", "2147483648", "out of range"),
    "float_": ("double precision", "double", "'NaN'", "not a finite number"),
    "ever": ("timestamptz", "timestamp", "'infinity'", "not written as"),
    "never": ("timestamp", "timestamp", "'-infinity'", "not written as"),
    "before": ("timestamptz", "timestamp", "'0044-03-15 BC'", "not written as"),
    "behind": ("timestamptz", "timestamp", "'29999-01-01'", "not written as"),
    "someday": ("date", "date", "'infinity'", "not written as"),
    "grid": ("integer[]", "array<int>", "ARRAY[[1, 2], [3, 4]]", "not a"),
    "broken": ("jsonb", "array<int>", """'{"a": 1}'""", "not of type"),
    "daily": ("date", "timestamp", "'2026-03-10'", "'2026-03-10' is no timestamp"),
    "exactly": ("timestamptz", "date", "'2026-03-10 00:00Z'", "'2026-03-10 00:00:00+00' is no date"),
}


@pytest.mark.parametrize("name", ODD)
def test_one_bad_value_is_refused_with_its_row_and_takes_no_other_with_it(live: Live, name: str) -> None:
    kind, wanted, text, reason = ODD[name]
    live.run(f"ALTER TABLE events ADD COLUMN value {kind}")
    live.run(
        f"INSERT INTO events SELECT i, '2026-03-10 12:00Z', 'm', CASE WHEN i = 50 THEN {text}::{kind} END "
        "FROM generate_series(1, 100) i"
    )
    live.dataset = EVENTS.model_copy(update={"columns": (*COLUMNS, Column(name="value", type=wanted))})
    live.source = source(excess_digits="refuse")

    receipts = [live.convert(shard) for shard in live.shards(live.plan())]

    (refused,) = live.refused(receipts)
    assert refused["rules"] == ["events.value.type"]
    assert reason in refused["reasons"][0]
    assert refused["line"] == 50
    assert json.loads(refused["raw"])["id"] == 50
    assert sum(receipt.rows for receipt in receipts) == 99


@pytest.mark.parametrize("live", ["SQL_ASCII"], indirect=True)
@pytest.mark.parametrize(
    ("kind", "type_", "text", "wanted"),
    [
        ("text", "string", "{}", "ü"),
        ("jsonb", "struct<a:string>", '{{"a": "{}"}}', {"a": "ü"}),
        ("text[]", "array<string>", "{{{}}}", ["ü"]),
    ],
)
def test_a_text_of_no_known_encoding_is_refused_with_its_row_and_takes_no_other_with_it(
    live: Live, kind: str, type_: str, text: str, wanted: Any
) -> None:
    good, bad = (f"E'{text.format(octets)}'" for octets in (r"\303\274", r"\377"))
    live.run(
        f"ALTER TABLE events ADD COLUMN value {kind}",
        rf"INSERT INTO events SELECT i, '2026-03-10Z', E'\303\274', (CASE i WHEN 50 THEN {bad} ELSE {good} END)"
        f"::{kind} FROM generate_series(1, 100) i",
    )
    live.dataset = EVENTS.model_copy(update={"columns": (*COLUMNS, Column(name="value", type=type_))})

    planned = live.plan()
    receipts = [live.convert(shard) for shard in live.shards(planned)]
    assert live.validate(planned).status == "good"
    live.publish(planned)

    (refused,) = live.refused(receipts)
    assert refused["line"] == 50
    assert "not a text in whole characters of UTF-8" in refused["reasons"][0]
    assert [(row["message"], row["value"]) for row in live.published()] == [("ü", wanted)] * 99


@pytest.mark.parametrize(
    ("table", "kind"), [("events", "text"), ("events", "jsonb"), ("seen", "bytea"), ("seen", "text[]")]
)
def test_a_value_that_is_too_long_is_refused_with_its_row_and_takes_no_other_with_it(
    live: Live, table: str, kind: str
) -> None:
    long = {"jsonb": "to_jsonb({})", "bytea": "{}::bytea", "text[]": "ARRAY[{}]"}.get(kind, "{}")
    value = long.format("repeat('ab', CASE WHEN i IN (7, 50) THEN 1048576 ELSE 400000 END)")
    live.run(
        f"ALTER TABLE events ADD COLUMN value {kind}",
        f"INSERT INTO events SELECT i, '2026-03-10 12:00Z', 'm', CASE WHEN i IN (3, 7, 50) THEN {value} END "
        "FROM generate_series(1, 100) i",
        "CREATE VIEW seen AS SELECT * FROM events",
    )
    type_ = "array<string>" if kind == "text[]" else "string"
    live.dataset = EVENTS.model_copy(update={"columns": (*COLUMNS, Column(name="value", type=type_))})
    cut = {"shards": "key", "key": "id", "snapshot": "source", "connections": 3}
    live.source = source(table=table, max_value_bytes=2_000_000, **cut)

    planned = live.plan()
    receipts = [live.convert(shard) for shard in live.shards(planned)]
    assert live.validate(planned).status == "good"
    live.publish(planned)

    refused = {json.loads(row["raw"])["id"]: row for row in live.refused(receipts)}
    assert refused.keys() == {7, 50}
    assert refused[7]["rules"] == ["postgres.too_long"]
    assert "more than 2,000,000 bytes" in refused[7]["reasons"][0]
    assert json.loads(refused[7]["raw"])["value"] is None
    assert live.ids() == dict.fromkeys({*range(1, 101)} - {7, 50}, 1)


def test_private_values_of_a_refused_row_are_masked(live: Live) -> None:
    live.run("INSERT INTO events VALUES (NULL, '2026-03-10 12:00Z', 'a secret')")
    private = Column(name="message", type="string", private=True)
    required = Column(name="id", type="smallint", required=True)
    live.dataset = EVENTS.model_copy(update={"columns": (required, COLUMNS[1], private), "primary_key": ()})
    live.run("INSERT INTO events VALUES (99999, '2026-03-10 12:00Z', 'a secret')")

    refused = live.refused([live.convert(shard) for shard in live.shards(live.plan())])

    assert refused
    assert "secret" not in json.dumps(refused, default=str)


DOCUMENTS = [
    """{"n": 1, "t": "a", "l": [1.50, null], "at": "2026-03-10 01:02:03"}""",
    """{"n": null, "t": "ü\\n\\"", "l": []}""",
    "{}",
    None,
    """{"n": -9223372036854775808, "t": null, "l": [-0.01]}""",
]


@pytest.mark.parametrize("odd", [None, '{"n": "x"}', '{"n": 1.5}', '{"more": 1}', "[]", "null", '"text"'])
@pytest.mark.parametrize("kind", ["jsonb", "json"])
def test_documents_are_read_at_once_as_they_are_one_by_one(live: Live, kind: str, odd: str | None) -> None:
    wanted = Column(name="doc", type="struct<n:bigint,t:string,l:array<decimal(5,2)>,at:timestamp>")
    live.run(f"ALTER TABLE events ADD COLUMN doc {kind}")
    texts = [*DOCUMENTS, *([] if odd is None else [odd])]
    with live.connect() as connection:
        for number, text in enumerate(texts):
            connection.execute("INSERT INTO events VALUES (%s, '2026-03-10 12:00Z', 'm', %s)", (number, text))
    live.dataset = EVENTS.model_copy(update={"columns": (*COLUMNS, wanted)})

    planned = live.plan()
    receipts = [live.convert(shard) for shard in live.shards(planned)]
    live.source = live.source.model_copy(update={"max_quarantined_percent": 100.0})
    assert live.validate(planned).status == "good"
    live.publish(planned)

    slow = cast_each([None if text == "null" else text for text in texts], parse(wanted.type), Reading.of(live.source))
    good = {number: value for number, value in enumerate(slow.values.to_pylist()) if number not in slow.refused}
    assert {row["id"]: row["doc"] for row in live.published()} == good
    assert [row["line"] - 1 for row in live.refused(receipts)] == [*slow.refused]


# Columns


def test_columns_that_the_contract_has_not_are_taken_or_refused_as_the_source_says(live: Live) -> None:
    live.run("ALTER TABLE events ADD COLUMN extra numeric", "INSERT INTO events VALUES (1, '2026-03-10Z', 'm', 1.50)")

    with pytest.raises(HeaderMismatchError, match="'extra' is not declared"):
        live.plan()
    live.source = source(on_drift="evolve")
    verdict = live.night()

    assert "'extra' as extra" in verdict.warnings[-1].reason
    assert [row["extra"] for row in live.published()] == ["1.50"]


def test_columns_that_are_missing_are_null_or_refuse_the_source(live: Live) -> None:
    live.run("ALTER TABLE events DROP COLUMN message", "INSERT INTO events VALUES (1, '2026-03-10Z')")

    with pytest.raises(HeaderMismatchError, match="'message' is missing"):
        live.plan()
    live.source = source(on_drift="ignore")
    assert live.night().status == "good"
    assert [row["message"] for row in live.published()] == [None]


def test_a_column_that_goes_after_plan_is_named(live: Live) -> None:
    fill(live, 0, 3)
    planned = live.plan()
    live.run("ALTER TABLE events DROP COLUMN message")

    with pytest.raises(SourceChangedError, match="'message'"):
        live.convert(live.shards(planned)[0])


# Warnings


def test_what_a_person_should_know_of_the_table_is_told_with_the_verdict(live: Live) -> None:
    live.run("ALTER TABLE events ALTER at DROP NOT NULL", "INSERT INTO events VALUES (1, NULL), (2, '2026-03-10Z')")

    warnings = {each.rule: each.reason for each in live.night().warnings}

    assert warnings.keys() == {"postgres.role_may_write", "postgres.no_index", "postgres.no_watermark"}
    assert warnings["postgres.no_watermark"].startswith("1 rows have no 'at'")


def test_a_reader_of_an_indexed_table_is_told_nothing(live: Live) -> None:
    live.run("CREATE INDEX ON events (at)", "INSERT INTO events VALUES (2, '2026-03-10Z')")
    reader(live)

    assert live.night().warnings == ()


# Errors


def test_a_table_that_cannot_be_read_as_declared_is_named(live: Live) -> None:
    fill(live, 0, 3)
    for said, error, match in (
        ({"table": "nope"}, TableNotFoundError, "no table or view nope"),
        ({"table": "nope.events"}, TableNotFoundError, r"nope\.events"),
        ({"table": "Events"}, TableNotFoundError, "Events"),
        ({"watermark": "nope", "partition_by": "business_date"}, TableUnsuitableError, "'nope' is not there"),
        ({"watermark": "id", "partition_by": "business_date"}, TableUnsuitableError, "'id' is of type bigint"),
        ({"shards": "key", "key": "message"}, TableUnsuitableError, "'message' is of type text"),
        ({"connections": 64}, None, ""),
    ):
        live.source = source(**said)
        if error is None:
            assert live.plan().ready
        else:
            with pytest.raises(error, match=match):
                live.plan()


def test_a_role_that_may_not_read_the_table_is_told_so(live: Live) -> None:
    fill(live, 0, 3)
    reader(live)
    live.run(f"REVOKE SELECT ON events FROM reader_{live.dbname}")

    with pytest.raises(PermissionDeniedError, match="grant SELECT"):
        live.plan()


def test_more_connections_than_are_left_are_refused(live: Live) -> None:
    reader(live)
    live.run(f"ALTER ROLE reader_{live.dbname} CONNECTION LIMIT 2")
    live.source = source(connections=3)

    with pytest.raises(ConnectionsExceededError, match="declares 3 connections to app, which has 2 left"):
        live.plan()
    live.source = source(connections=2)
    assert live.plan().ready


def test_a_secret_that_was_rotated_is_read_again_at_once(live: Live) -> None:
    fill(live, 0, 3)
    reader(live)
    live.secrets.stale = json.dumps({**json.loads(live.secrets.text), "password": "the-old-one"})

    assert live.plan().ready
    assert live.secrets.asked == [False, True, False]
    assert sum(live.secrets.waited) == 0


def test_a_rotation_that_has_told_the_database_and_not_yet_the_secret_is_waited_for(live: Live) -> None:
    fill(live, 0, 3)
    reader(live)
    old = json.loads(live.secrets.text)
    live.run(f"ALTER ROLE {old['username']} PASSWORD 'the-new-one'")
    live.secrets.rotated = (3, json.dumps({**old, "password": "the-new-one"}))

    assert live.plan().ready
    assert sum(live.secrets.waited) == 3


def test_a_wrong_password_is_told_after_half_a_minute_and_never_shown(live: Live) -> None:
    reader(live)
    live.secrets.text = json.dumps({**json.loads(live.secrets.text), "password": "the-old-one"})

    with pytest.raises(DatabaseAuthError, match="mend the secret") as raised:
        live.plan()

    assert sum(live.secrets.waited) == 30
    assert "the-old-one" not in str(raised.value)
    assert "reader_" not in str(raised.value)


@pytest.mark.parametrize(
    ("said", "error", "match"),
    [
        ({"port": 1}, DatabaseUnavailableError, "refused"),
        ({"dbname": "nope"}, DatabaseAuthError, "does not exist"),
        ({"sslmode": "verify-full"}, DatabaseTlsError, "SSL"),
        ({"sslmode": "prefer"}, DatabaseSecretError, "sslmode"),
        ({"sslmode": "disable", "host": "db.example.com"}, DatabaseSecretError, "same machine alone"),
        ({"username": None}, DatabaseSecretError, "username"),
    ],
    ids=str,
)
def test_a_database_that_cannot_be_reached_is_named_without_its_secret(
    live: Live, said: dict[str, Any], error: type[Exception], match: str
) -> None:
    live.secrets.text = json.dumps({**live.credentials(), **said})

    with pytest.raises(error, match=match) as raised:
        live.plan()

    assert live.server.password not in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "password=x", "{"])
def test_a_secret_that_says_nothing_is_named(live: Live, text: str) -> None:
    live.secrets.text = text

    with pytest.raises(DatabaseSecretError, match="'app'"):
        live.plan()


def test_a_locked_table_and_a_slow_statement_are_given_up(live: Live) -> None:
    fill(live, 0, 3)
    live.source = source(lock_timeout_seconds=1)
    with open_transaction(live, "LOCK TABLE events IN ACCESS EXCLUSIVE MODE"), pytest.raises(LockTimeoutError):
        live.plan()
    live.run("CREATE VIEW slow AS SELECT id, at, message FROM events, pg_sleep(60)")
    live.source = source(table="slow", statement_timeout_seconds=1)
    with pytest.raises(QueryTimeoutError):
        live.plan()


def test_what_a_failing_view_says_is_not_told_as_it_may_hold_values(live: Live) -> None:
    live.run(
        "CREATE VIEW broken AS SELECT id, at, (message || 'secret')::int::text AS message FROM events",
        "INSERT INTO events VALUES (1, '2026-03-10Z', 'm')",
    )
    live.source = source(table="broken")

    with pytest.raises(QueryFailedError, match="22P02") as raised:
        live.night()
    assert "secret" not in str(raised.value)


def test_a_connection_that_ends_in_the_middle_of_the_rows_is_named_and_its_rerun_is_whole(live: Live) -> None:
    live.run(
        "INSERT INTO events SELECT i, '2026-03-10 12:00Z', repeat(md5(i::text), 20) FROM generate_series(1, 60000) i"
    )
    (shard,) = live.shards(live.plan())
    batches = read_table(shard, live.source, live.dataset, database=live.database, lake=live.lake)

    next(batches)
    live.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nightlake' "
        "AND datname = current_database()"
    )
    with pytest.raises(DatabaseUnavailableError):
        list(batches)
    assert live.night().rows == 60000


def test_rows_that_the_database_counts_and_does_not_give_are_missed(live: Live) -> None:
    fill(live, 0, 10)
    (shard,) = live.shards(live.plan())
    database = live.database

    class Losing:
        """Gives all rows but those of its last batch."""

        @contextmanager
        def session(self, *given: Any, **said: Any) -> Iterator[Any]:
            with database.session(*given, **said) as session:
                real = session.stream
                session.stream = lambda sql: (batch.slice(1) for batch in real(sql))  # type: ignore[method-assign]
                yield session

    with pytest.raises(BalanceError, match="counts 11 rows and gave 10"):
        [*read_table(shard, live.source, live.dataset, database=Losing(), lake=live.lake)]


def test_nothing_can_be_written_through_a_session(live: Live) -> None:
    with (
        pytest.raises(QueryFailedError, match="25006"),
        live.database.session(live.source) as session,
    ):
        session.rows("INSERT INTO events VALUES (1, now()) RETURNING id")


# The Tasks


@pytest.fixture
def tasks(
    live: Live, environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Buckets and a secret of a stage whose one pipeline reads the table."""
    contracts = tmp_path / "shop"
    contracts.mkdir()
    (contracts / "shop.json").write_text(live.pipeline.model_dump_json(by_alias=True))
    environment(
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        CONTRACTS=str(contracts),
        DATABASES=json.dumps({"app": {"secret_name": "app", "port": live.server.port}}),
    )
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        for name in ("raw", "lake", "quarantine"):
            boto3.client("s3").create_bucket(
                Bucket=f"nightlake-dev-{name}-123456789012-eu-west-1",
                CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
            )
        text = json.dumps({**live.credentials(), "port": 1, "engine": "postgres"})  # settings go before
        boto3.client("secretsmanager").create_secret(Name="app", SecretString=text)
        databases.secrets.cache_clear()
        yield
        databases.secrets.cache_clear()


@pytest.mark.usefixtures("tasks")
def test_the_tasks_plan_and_convert_a_day(live: Live, lambda_context: Any) -> None:
    fill(live, -3, 30)
    request = {"pipeline": "shop", "dataset": "events", "date": str(DAY), "run_id": "r", "attempt": 0}

    planned = plan_postgres.handler({**request, "scheduled_at": None, "previous": None}, lambda_context)
    body = boto3.client("s3").get_object(Bucket="nightlake-dev-lake-123456789012-eu-west-1", Key=planned["shard_file"])[
        "Body"
    ]
    (shard,) = map(json.loads, body.read().splitlines())
    done = convert_postgres.handler({"shard": shard, "run_id": "r"}, lambda_context)

    assert (planned["ready"], planned["shards"], done["rows"]) == (True, 1, 24)


@pytest.mark.usefixtures("tasks")
def test_a_database_that_the_stage_has_not_is_named(live: Live, environment: Any, lambda_context: Any) -> None:
    environment(DATABASES=json.dumps({"other": {"secret_name": "x"}}))
    request = {"pipeline": "shop", "dataset": "events", "date": str(DAY), "run_id": "r", "attempt": 0}

    with pytest.raises(DatabaseSecretError, match=r"no database 'app' \(it has: other\)"):
        plan_postgres.handler({**request, "scheduled_at": None, "previous": None}, lambda_context)


# TLS


@contextmanager
def with_tls(server: postgres.Server, material: tls.Material) -> Iterator[int]:
    """The server behind TLS, which the wheel's does not have: the port of what speaks it for it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(material.certificate, material.key)
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server((server.host, 0)))

        def pump(here: socket.socket, there: socket.socket) -> None:
            with suppress(OSError):
                while content := here.recv(1 << 16):
                    there.sendall(content)
            with suppress(OSError):
                there.shutdown(socket.SHUT_RDWR)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    client.recv(8)  # SSLRequest
                    client.sendall(b"S")
                    with suppress(OSError):
                        secured = context.wrap_socket(client, server_side=True)
                        upstream = socket.create_connection((server.host, server.port))
                        for ends in ((secured, upstream), (upstream, secured)):
                            threading.Thread(target=pump, args=ends, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_the_server_must_prove_who_it_is(live: Live, tmp_path: Path) -> None:
    material, other = tls.ensure(tmp_path / "own"), tls.ensure(tmp_path / "other")
    with with_tls(live.server, material) as port:
        known = {**live.credentials(port=port, host="localhost"), "sslmode": "verify-full"}
        live.secrets.text = json.dumps({**known, "sslrootcert": material.authority.read_text()})
        assert live.plan().ready
        live.secrets.text = json.dumps({**known, "sslrootcert": str(material.authority)})
        assert live.plan().ready
        for said in (
            {"sslrootcert": other.authority.read_text()},
            {"sslrootcert": str(material.authority), "host": "127.0.0.2"},
        ):
            live.secrets.text = json.dumps({**known, **said})
            with pytest.raises((DatabaseTlsError, DatabaseUnavailableError)):
                live.plan()

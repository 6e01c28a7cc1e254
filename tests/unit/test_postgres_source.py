"""What a table's source may say, where it connects to, and how its day is written as SQL: no database is asked."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from live_table import source
from nightlake.core.chain import unjoined
from nightlake.core.column_type import parse
from nightlake.core.errors import DatabaseSecretError
from nightlake.core.postgres_login import Address, login
from nightlake.core.postgres_table import TableColumn, TableInfo, asked, identifier, literal, relation
from nightlake.core.postgres_window import condition, day_bounds, pieces, window
from nightlake.core.shard import Plan, Receipt, Shard, SourceObject, TablePart, origin
from pydantic import ValidationError

SECRET = '{"host": "db.example.com", "dbname": "app", "username": "u", "password": "p\'a\\\\b", "engine": "postgres"}'


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"shards": "key"}, "needs `key`"),
        ({"key": "id"}, "nothing else takes one"),
        ({"shards": "blocks"}, "snapshot: source"),
        ({"overlap_minutes": 5, "partition_by": "business_date"}, "column of the watermark"),
        ({"overlap_minutes": 5, "partition_by": "other"}, "watermark 'at'"),
        ({"table": 'events" CASCADE; DROP TABLE "events'}, "table"),
        ({"table": "a.b.c"}, "table"),
        ({"watermark": 'at"'}, "watermark"),
    ],
    ids=str,
)
def test_a_source_that_makes_no_sense_is_refused(said: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        source(**said)


def test_an_overlap_knows_its_watermark_by_the_name_in_the_contract() -> None:
    assert source(overlap_minutes=5, partition_by="seen", columns={"seen": "at"}).partitions_by_watermark


@pytest.mark.parametrize(
    ("zone", "day", "start", "end"),
    [
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00", "2026-03-29T22:00"),
        ("Europe/Berlin", date(2026, 10, 25), "2026-10-24T22:00", "2026-10-25T23:00"),
        ("Africa/Cairo", date(2026, 4, 24), "2026-04-23T22:00", "2026-04-24T21:00"),  # midnight is skipped
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00", "2026-11-02T05:00"),  # midnight comes twice
    ],
)
def test_a_day_begins_and_ends_on_the_clocks_of_its_place(zone: str, day: date, start: str, end: str) -> None:
    found = day_bounds(day, source(timezone=zone))

    assert found == tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))


def test_the_overlap_lies_before_the_day() -> None:
    since, until = window(date(2026, 3, 10), source(overlap_minutes=90))

    assert (since.isoformat(), until.isoformat()) == ("2026-03-09T22:30:00+00:00", "2026-03-11T00:00:00+00:00")


def table(watermark: str) -> TableInfo:
    column = TableColumn(name="at", type=watermark, kind="b", declared=watermark, required=True)
    return TableInfo(
        name="public.events",
        kind="table",
        columns=(column,),
        bytes=None,
        rows=None,
        blocks=0,
        aside_bytes=None,
        indexed=frozenset(),
        may_write=False,
    )


PART = TablePart(by="time", since="2026-03-28T23:00:00+00:00", until="2026-03-29T22:00:00+00:00")


@pytest.mark.parametrize(
    ("watermark", "since", "until"),
    [
        ("timestamptz", "2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
        ("timestamp", "2026-03-29T00:00:00", "2026-03-30T00:00:00"),
        ("date", "2026-03-29", "2026-03-30"),
    ],
)
def test_the_window_is_written_as_the_watermark_holds_it(watermark: str, since: str, until: str) -> None:
    where = condition(PART, table(watermark), source(timezone="Europe/Berlin"))

    assert where == f"\"at\" >= '{since}'::{watermark} AND \"at\" < '{until}'::{watermark}"


def test_the_first_range_of_a_key_has_the_rows_without_one() -> None:
    first, last = pieces(PART.model_copy(update={"by": "key", "cuts": ("-5",)}))
    said = source(shards="key", key="id")

    assert condition(first, table("timestamptz"), said).endswith("""("id" < ('-5')::bigint OR "id" IS NULL)""")
    assert condition(last, table("timestamptz"), said).endswith("""AND "id" >= ('-5')::bigint""")


def test_names_and_texts_cannot_leave_their_quotes() -> None:
    assert identifier('a"; DROP') == '"a""; DROP"'
    assert literal("a'; DROP") == "'a''; DROP'"


def test_a_domain_comes_as_what_it_is_made_of() -> None:
    hidden = TableColumn(name="v", type="int4", kind="b", declared="positive", required=False, is_domain=True)

    assert asked(hidden, parse("int"), source()).value == '"v"::pg_catalog."int4"'


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("events", '"events"'),
        ("public.events", '"public"."events"'),
        ('"odd.schema"."Odd Table"', '"odd.schema"."Odd Table"'),
        ("Sales.Täglich", '"Sales"."Täglich"'),
    ],
)
def test_a_table_is_called_as_the_catalog_calls_it(table: str, said: str) -> None:
    assert relation(source(table=table)) == said


def test_what_the_settings_say_goes_before_the_secret() -> None:
    found = login("app", Address(secret_name="s", host="other.example.com", port=6432), SECRET)

    assert (found.host, found.port, found.dbname) == ("other.example.com", 6432, "app")
    told = found.conninfo("/opt/rds-ca.pem")
    assert "sslmode='verify-full' sslrootcert='/opt/rds-ca.pem'" in told
    assert r"password='p\'a\\b'" in told
    assert "p'a" not in repr(found)


@pytest.mark.parametrize(
    "more",
    [
        '"sslmode": "require"',
        '"sslmode": "disable"',
        '"host": "a,b"',
        '"port": 0',
        '"port": "x"',
    ],
)
def test_a_secret_that_is_not_safe_or_not_whole_is_refused_and_not_shown(more: str) -> None:
    with pytest.raises(DatabaseSecretError) as raised:
        login("app", Address(secret_name="s"), SECRET.replace('"engine"', f'{more}, "x"'))

    assert "p'a" not in str(raised.value)


def shard(index: int, start: str | None, end: str | None) -> Shard:
    item = SourceObject(key="postgres://app/public.events", version_id=f"{start}..{end}", etag="1-1", size=10)
    return Shard(
        pipeline="shop",
        dataset="events",
        date=date(2026, 3, 29),
        index=index,
        object=item,
        start=0,
        end=10,
        part=PART.model_copy(update={"start": start, "end": end}),
        fingerprint=str(index),
    )


@pytest.mark.parametrize(
    ("bounds", "is_whole"),
    [
        ([(None, None)], True),
        ([(None, "a"), ("a", None)], True),
        ([(None, "a"), ("b", None)], False),
        ([(None, "a")], False),
        ([("a", None)], False),
        ([(None, "a"), (None, "a"), ("a", None)], False),
    ],
)
def test_parts_that_leave_rows_out_or_have_them_twice_are_found(bounds: list[Any], is_whole: bool) -> None:
    shards = tuple(shard(index, *each) for index, each in enumerate(bounds))
    plan = Plan(
        dataset="events",
        attempt=0,
        delivery="d",
        objects=tuple(dict.fromkeys(each.object for each in shards)),
        shards=shards,
    )
    receipts = [
        Receipt(shard=each, run_id="r", records=1, header=0, skipped=0, rows=1, quarantined=0, files=())
        for each in shards
    ]

    found = [each for each in unjoined(plan, receipts, "raw") if "without a gap" in each.reason]

    assert (found == []) is is_whole


def test_a_row_says_which_part_it_came_with() -> None:
    assert origin(shard(0, None, "a"), "raw") == "postgres://app/public.events"
    assert origin(shard(1, "a", None), "raw") == "postgres://app/public.events#a"

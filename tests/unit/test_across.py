"""Keys and relationships are counted by Athena: repeated and missing values of one run, whatever table holds them."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from athena_lake import athena_lake
from athena_shop import DATABASES, Shop
from nightlake.core.across import across_query, duplicates_query, missing_query
from nightlake.core.pipeline import Column, Dataset, Pipeline, Relationship, Rule
from nightlake.core.statement import RunDay, render

DAY = "2017-06-12"
PEOPLE = Dataset(
    name="people",
    columns=(
        Column(name="id", type="bigint"),
        Column(name="copies", type="string"),
        Column(name="manager", type="bigint"),
        Column(name="email", type="string", private=True),
    ),
    primary_key=("id",),
    rules=(
        Rule(id="people.primary_key", metric="duplicateValues", severity="fail", columns=("id",)),
        Rule(id="people.it's", metric="duplicateValues", severity="warn", columns=("copies", "manager")),
        Rule(id="people.email.unique", metric="duplicateValues", severity="fail", columns=("email",)),
        Rule(id="people.both", metric="duplicateValues", severity="fail", columns=("copies", "email")),
        Rule(id="people.rows", metric="rowCount", severity="fail", operator="mustBeGreaterThan"),
    ),
    relationships=(
        Relationship(id="manager", columns=("manager",), to="people", to_columns=("id",), severity="warn"),
        Relationship(id="pair", columns=("id", "copies"), to="places", to_columns=("person", "place"), severity="fail"),
    ),
)
PLACES = Dataset(name="places", columns=(Column(name="person", type="int"), Column(name="place", type="string")))


@pytest.fixture
def shop(sales: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with athena_lake(tmp_path, monkeypatch) as lake:
        yield Shop(lake, sales.model_copy(update={"datasets": (PEOPLE, PLACES), "merge": ()}))


def counted(shop: Shop) -> dict[str, tuple[int, int]]:
    statement = render(
        across_query(shop.pipeline),
        kind="across",
        name="across",
        run=RunDay(date=date.fromisoformat(DAY), run_id="run"),
        pipeline=shop.pipeline,
        databases=DATABASES,
        lake_bucket="lake",
        suffix="a",
    )
    rows = shop.lake(statement.query, database=statement.database).table.to_pylist()
    return {row["rule"]: (row["broken"], row["checked"]) for row in rows}


def land(shop: Shop, *people: tuple[int | None, str | None, int | None, str | None], day: str = DAY) -> None:
    """People and, for the first of them, the place that their pair names."""
    shop.land(
        day,
        people=[
            {"id": id_, "copies": copies, "manager": manager, "_source": "s3://raw/a.csv", "_position": line}
            for line, (id_, copies, manager, _) in enumerate(people)
        ],
        people_private=[
            {"id": id_, "email": email, "_source": "s3://raw/a.csv", "_position": line}
            for line, (id_, _, _, email) in enumerate(people)
        ],
        places=[{"person": id_, "place": copies} for id_, copies, _, _ in people[:1]],
    )


def test_rows_that_repeat_another_are_counted_and_nulls_repeat_nothing(shop: Shop) -> None:
    land(
        shop,
        (1, "a", 1, "x@a"),
        (1, "a", 1, "x@a"),
        (1, "b", None, "x@a"),
        (2, "b", None, None),
        (3, None, 9, None),
        (3, None, 9, "y@a"),
    )
    assert counted(shop) == {
        "people.primary_key": (3, 6),
        "people.it's": (1, 6),
        "people.email.unique": (2, 6),
        "people.both": (1, 6),
        "manager": (2, 6),
        "pair": (2, 6),
    }


def test_only_rows_of_the_runs_day_are_looked_at(shop: Shop) -> None:
    land(shop, (1, "a", 1, "x@a"))
    land(shop, (1, "a", 7, "x@a"), day="2017-06-11")
    assert counted(shop) == dict.fromkeys(
        ("people.primary_key", "people.it's", "people.email.unique", "people.both", "manager", "pair"), (0, 1)
    )


def test_nothing_landed_breaks_nothing(shop: Shop) -> None:
    assert set(counted(shop).values()) == {(0, 0)}


def test_a_pipeline_without_such_rules_asks_a_query_that_answers_no_rows(shop: Shop) -> None:
    shop.pipeline = shop.pipeline.model_copy(update={"datasets": (PLACES,)})
    assert counted(shop) == {}


def test_the_queries_for_people_show_the_values(shop: Shop) -> None:
    land(shop, (1, "a", 5, "x@a"), (1, "a", 5, "x@a"), (2, "b", None, None), (2, "c", 5, None))
    scope = {"day": date.fromisoformat(DAY), "database": DATABASES.staging}
    both = next(rule for rule in PEOPLE.rules if rule.id == "people.both")
    repeated = shop.lake(duplicates_query(both, PEOPLE, **scope)).table.to_pylist()
    assert repeated == [{"copies": "a", "email": "x@a", "count(*)": 2}]
    missing = shop.lake(missing_query(PEOPLE.relationships[0], PEOPLE, PEOPLE, **scope)).table.to_pylist()
    assert missing == [{"manager": 5, "count(*)": 3}]

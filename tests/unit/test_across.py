"""Keys and relationships are counted by Athena: repeated and missing values of one run, whatever table holds them."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from athena_lake import athena_lake
from athena_shop import DATABASES, Shop
from nightlake.core.across import across_query, duplicates_query, missing_query
from nightlake.core.across_parts import KEYS_OF_A_QUERY, MAX_PARTS, Part, across_parts
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
SPOTS = Dataset(
    name="spots",
    columns=(Column(name="at", type="double"),),
    rules=(Rule(id="spots.at", metric="duplicateValues", severity="warn", columns=("at",)),),
)
PLACES = Dataset(name="places", columns=(Column(name="person", type="int"), Column(name="place", type="string")))


@pytest.fixture
def shop(sales: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with athena_lake(tmp_path, monkeypatch) as lake:
        yield Shop(lake, sales.model_copy(update={"datasets": (PEOPLE, PLACES, SPOTS), "merge": ()}))


def counted(shop: Shop, parts: int = 1) -> dict[str, tuple[int, int]]:
    """By rule, the rows that break it and those that were looked at, over all parts."""
    found = [asked(shop, Part(part=part, parts=parts)) for part in range(parts)]
    return {rule: (sum(each[rule][0] for each in found), sum(each[rule][1] for each in found)) for rule in found[0]}


def asked(shop: Shop, part: Part) -> dict[str, tuple[int, int]]:
    statement = render(
        across_query(shop.pipeline, part),
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
        "spots.at": (0, 0),
    }


@pytest.mark.parametrize("parts", [2, 8])
def test_the_parts_add_up_to_the_whole(shop: Shop, parts: int) -> None:
    keys = [*range(40), *range(0, 40, 3), None]
    land(shop, *((key, f"c{key % 2}" if key else None, key and key + 1, f"{key}@a") for key in keys))
    assert counted(shop, parts) == counted(shop)
    looked_at = [asked(shop, Part(part=part, parts=parts))["people.primary_key"][1] for part in range(parts)]
    assert sum(looked_at) == len(keys)
    assert 0 < max(looked_at) < len(keys)


def test_equal_floats_that_are_written_otherwise_meet_in_one_part(shop: Shop) -> None:
    shop.land(DAY, spots=[{"at": 0.0}, {"at": -0.0}, {"at": 1.5}])
    assert counted(shop, 8)["spots.at"] == (1, 3)


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        ({}, 1),
        ({"people": KEYS_OF_A_QUERY // 5}, 1),
        ({"people": KEYS_OF_A_QUERY // 5, "places": 1}, 2),
        ({"people": KEYS_OF_A_QUERY}, 8),
        ({"people": 10**15}, MAX_PARTS),
    ],
)
def test_no_part_has_more_keys_than_a_query_can_hold(sales: Pipeline, rows: dict[str, int], parts: int) -> None:
    found = across_parts(sales.model_copy(update={"datasets": (PEOPLE, PLACES)}), rows)
    assert found == tuple(Part(part=part, parts=parts) for part in range(parts))


def test_only_rows_of_the_runs_day_are_looked_at(shop: Shop) -> None:
    land(shop, (1, "a", 1, "x@a"))
    land(shop, (1, "a", 7, "x@a"), day="2017-06-11")
    found = counted(shop)
    assert found.pop("spots.at") == (0, 0)
    assert found == dict.fromkeys(
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

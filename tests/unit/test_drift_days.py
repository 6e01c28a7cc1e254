"""Three days of one source, the second with a column that nobody declared: Athena and the API read all of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from athena_lake import Lake, athena_lake
from nightlake.adapters.glue import Glue
from nightlake.core import layout, lock
from nightlake.core.api import rows
from nightlake.core.api.datasets import describe_dataset, find_dataset
from nightlake.core.api.kept import Kept
from nightlake.core.api.published import Published
from nightlake.core.api.result import records
from nightlake.core.databases import Databases
from nightlake.core.errors import UnknownParameterError
from nightlake.core.history import rollback
from nightlake.core.lock import Executions, Owner
from nightlake.core.pipeline import Column, Dataset, Pipeline
from nightlake.core.plan import Request as PlanRequest
from nightlake.core.plan import plan
from nightlake.core.projection import project
from nightlake.core.publish import publish
from nightlake.core.quarantine import quarantine_table
from nightlake.core.seal import seal
from nightlake.core.shard import Plan, Validation
from nightlake.core.table import table_input
from nightlake.core.validate import Places, Request, validate, verdict_key
from nightlake.core.view import is_current
from shop_shard import ORDERS, Shop, csv_source

from local.athena.errors import ColumnNotFoundError

DATABASES = Databases(served="db", staging="staging", quarantine="bad")
DAYS = [date(2017, 6, 12), date(2017, 6, 13), date(2017, 6, 14)]
PLAIN = ORDERS.model_copy(update={"columns": (ORDERS.columns[0], *ORDERS.columns[2:]), "rules": ORDERS.rules[:1]})


class Ended(Executions):
    """All nights before this one have ended."""

    def status(self, execution_id: str) -> str | None:
        return "SUCCEEDED" if execution_id else None


@dataclass
class Nights:
    """Nights of the shop on moto's Glue, with the local Athena over what they publish."""

    athena: Lake
    nights: int = 0
    shop: Shop = field(default_factory=lambda: Shop(csv_source(on_drift="evolve"), PLAIN))

    def __post_init__(self) -> None:
        self.glue = Glue(self.athena.glue)
        for database in (DATABASES.staging, DATABASES.quarantine):
            self.athena.glue.create_database(DatabaseInput={"Name": database})
        self.glue.create_table(DATABASES.quarantine, table_input(quarantine_table("shop"), "s3://bad/empty/"))

    @property
    def pipeline(self) -> Pipeline:
        return self.shop.pipeline

    def __call__(self, day: date, body: str) -> Validation:
        """One night: what its Tasks do, in their order."""
        self.nights += 1
        run_id, store = f"run-{self.nights}", self.shop.lake
        self.shop.raw.put(f"shop/{day:%Y/%m/%d}/a.csv", body.encode())
        owner = Owner(execution_id=run_id, run_id=run_id, since="2017-06-13T03:00:00+00:00")
        lock.acquire(store, Ended(), layout.date_lock("shop", day), owner)
        self.project()
        planned = plan(
            PlanRequest(
                pipeline="shop", dataset="orders", date=day, run_id=run_id, attempt=0, scheduled_at=None, previous=None
            ),
            self.pipeline,
            raw=self.shop.raw,
            lake=store,
            code_version="1",
            now=datetime.now(UTC),
        )
        assert planned.plan is not None
        for shard in store.get_model(planned.plan, Plan).shards:
            self.shop.convert(shard, run_id=run_id)
        places = Places(
            lake=store,
            quarantine=self.shop.quarantine,
            raw_bucket="raw",
            catalog=self.glue,
            quarantine_database=DATABASES.quarantine,
        )
        request = Request(pipeline="shop", dataset="orders", date=day, run_id=run_id, attempt=0, plan=planned.plan)
        verdict = validate(request, self.pipeline, places, code_version="1")
        assert isinstance(verdict, Validation)
        if verdict.status == "good":
            seal(
                store,
                self.glue,
                self.pipeline,
                staging_database=DATABASES.staging,
                day=day,
                run_id=run_id,
                validations=[verdict_key(request)],
            )
            publish(
                store, pipeline="shop", day=day, run_id=run_id, contract_hash="", created_at="2017-06-13T03:30:00+00:00"
            )
            self.project()
        return verdict

    def project(self) -> None:
        """The catalog after HEAD, and the files where the local Athena reads."""
        project(self.shop.lake, self.glue, self.pipeline, database=DATABASES.served)
        for found in self.shop.lake.list("data/"):
            self.athena.store.write(f"s3://lake/{found.key}", self.shop.lake.get(found.key))

    def deploy(self, *more: Column, dataset: Dataset = PLAIN) -> None:
        """Let the contract have these columns, too."""
        self.shop.dataset = dataset.model_copy(update={"columns": (*dataset.columns, *more)})

    def asked(self, **parameters: str) -> list[dict[str, Any]]:
        """What the API answers for all days."""
        question = {"from": ["2017-06-12"], "to": ["2017-06-14"], **{key: [text] for key, text in parameters.items()}}
        found = rows.ask(Published(self.shop.lake), "shop", "orders", question)
        return list(records(rows.answer(Kept(self.shop.lake), found)))


@pytest.fixture
def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nights]:
    with athena_lake(tmp_path, monkeypatch) as athena:
        yield Nights(athena)


def three_days(nights: Nights) -> list[Validation]:
    return [
        nights(DAYS[0], "id,amount,sold_at\n1,1.00,\n"),
        nights(DAYS[1], "id,amount,sold_at,Loyalty Points\n2,2.00,,007\n"),
        nights(DAYS[2], "id,amount\n3,3.00\n"),
    ]


def test_all_days_are_read_with_the_column_that_one_of_them_brought(nights: Nights) -> None:
    first, second, third = three_days(nights)
    assert first.warnings == ()
    assert [each.rule for each in second.warnings] == ["orders.extra_columns"]
    assert "'Loyalty Points' as loyalty_points" in second.warnings[0].reason
    assert [each.rule for each in third.warnings] == ["orders.missing_columns"]
    assert nights.athena.rows("SELECT id, loyalty_points FROM orders ORDER BY id") == [(1, None), (2, "007"), (3, None)]
    assert nights.athena.rows("SELECT * FROM orders WHERE loyalty_points = '007'")[0][0] == 2
    assert nights.asked(select="id,loyalty_points") == [
        {"id": 1, "loyalty_points": None},
        {"id": 2, "loyalty_points": "007"},
        {"id": 3, "loyalty_points": None},
    ]
    assert [row["id"] for row in nights.asked(loyalty_points="007")] == [2]
    pinned = Published(nights.shop.lake).newest("shop")
    described = describe_dataset(find_dataset([nights.pipeline], "orders"), pinned)
    assert described["columns"][-1] == {
        "name": "loyalty_points",
        "type": "string",
        "required": False,
        "private": False,
        "drift": True,
        "description": "'Loyalty Points' of the delivery, which the contract does not declare.",
    }


def test_a_table_takes_only_so_many_columns_that_nobody_declared(nights: Nights) -> None:
    many = [f"c{number}" for number in range(60)]
    nights(DAYS[0], f"id,amount,sold_at,{','.join(many)}\n1,1.00,,{','.join(many)}\n")
    again = nights(DAYS[1], f"id,amount,sold_at,{','.join(many)}\n2,1.00,,{','.join(many)}\n")
    assert (again.status, len(again.warnings)) == ("good", 1)
    others = [f"d{number}" for number in range(60)]
    refused = nights(DAYS[2], f"id,amount,sold_at,{','.join(others)}\n3,1.00,,{','.join(others)}\n")
    (problem,) = refused.problems
    assert problem.rule == "orders.extra_columns"
    assert problem.reason.startswith("orders has 60 columns that the contract does not declare, and at most 100 may")


def test_the_runs_own_rows_have_it_for_merges_on_every_day(nights: Nights) -> None:
    three_days(nights)
    query = "SELECT id, loyalty_points FROM orders WHERE year = '2017' AND month = '06' AND day = '{}'"
    assert nights.athena.rows(query.format(13), database="staging") == [(2, "007")]
    assert nights.athena.rows(query.format(14), database="staging") == [(3, None)]


def test_where_columns_are_private_it_is_too(nights: Nights) -> None:
    nights.shop.dataset = ORDERS
    nights(DAYS[0], "id,email,amount,sold_at,ssn\n1,a@b,1.00,,078-05-1120\n")
    assert nights.athena.rows("SELECT id, ssn FROM orders_private") == [(1, "078-05-1120")]
    with pytest.raises(ColumnNotFoundError, match="ssn"):
        nights.athena.rows("SELECT ssn FROM orders")
    with pytest.raises(UnknownParameterError):
        nights.asked(ssn="078-05-1120")


def test_a_view_of_all_columns_is_created_again_when_there_is_another(nights: Nights) -> None:
    statement = 'CREATE OR REPLACE VIEW "db"."everything" AS SELECT * FROM "db"."orders"'
    nights(DAYS[0], "id,amount,sold_at\n1,1.00,\n")
    nights.athena(statement)
    assert is_current(nights.glue, "db", "everything", statement)
    nights(DAYS[1], "id,amount,sold_at,tip\n2,2.00,,7\n")
    assert not is_current(nights.glue, "db", "everything", statement)
    nights.athena(statement)
    assert is_current(nights.glue, "db", "everything", statement)
    nights(DAYS[2], "id,amount,sold_at,tip\n3,3.00,,\n")
    assert is_current(nights.glue, "db", "everything", statement)
    assert nights.athena.rows("SELECT id, tip FROM everything ORDER BY id") == [(1, None), (2, "7"), (3, None)]


def test_after_a_rollback_queries_that_name_it_still_run(nights: Nights) -> None:
    three_days(nights)
    rollback(nights.shop.lake, "shop", 1)
    nights.project()
    assert nights.athena.rows("SELECT id, loyalty_points FROM orders") == [(1, None)]


def test_a_contract_that_declares_it_takes_it_over_with_all_its_days(nights: Nights) -> None:
    three_days(nights)
    nights.deploy(Column(name="loyalty_points", type="string"))
    nights.shop.source = csv_source(on_drift="evolve", columns={"loyalty_points": "Loyalty Points"})
    assert nights(DAYS[2], "id,amount,sold_at,Loyalty Points\n3,3.00,,9\n").warnings == ()
    assert nights.athena.rows("SELECT id, loyalty_points FROM orders ORDER BY id") == [(1, None), (2, "007"), (3, "9")]
    assert nights.asked(select="id,loyalty_points")[1:] == [
        {"id": 2, "loyalty_points": "007"},
        {"id": 3, "loyalty_points": "9"},
    ]


def test_another_type_goes_under_another_name_beside_it(nights: Nights) -> None:
    three_days(nights)
    nights.deploy(Column(name="points", type="int"))
    nights.shop.source = csv_source(on_drift="evolve", columns={"points": "Loyalty Points"})
    nights(DAYS[2], "id,amount,sold_at,Loyalty Points\n3,3.00,,9\n")
    query = "SELECT id, loyalty_points, points FROM orders ORDER BY id"
    assert nights.athena.rows(query) == [(1, None, None), (2, "007", None), (3, None, 9)]


def test_a_column_that_the_contract_adds_or_widens_is_read_in_old_days(nights: Nights) -> None:
    narrow = PLAIN.model_copy(update={"columns": (*PLAIN.columns, Column(name="pieces", type="int"))})
    nights.deploy(dataset=narrow)
    nights(DAYS[0], "id,amount,sold_at,pieces\n1,1.00,,7\n")
    wide = PLAIN.model_copy(update={"columns": (*PLAIN.columns, Column(name="pieces", type="bigint"))})
    nights.deploy(Column(name="colour", type="string"), dataset=wide)
    nights(DAYS[1], f"id,amount,sold_at,pieces\n2,2.00,,{2**40}\n")
    found = [(1, 7, None), (2, 2**40, None)]
    assert nights.athena.rows("SELECT id, pieces, colour FROM orders ORDER BY id") == found
    assert [tuple(row.values()) for row in nights.asked(select="id,pieces,colour")] == found

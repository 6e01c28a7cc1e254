"""The query API as its callers see it: every route, problem documents, ETags, origins; and a log that knows why."""

import base64
import gzip
import json
import random
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightlake.adapters import s3
from nightlake.core import layout
from nightlake.core.history import rollback
from nightlake.core.pipeline import Pipeline
from nightlake.core.query_result import QueryResult, ResultColumn
from nightlake.core.report import build
from nightlake.core.run_record import Failure, RunRecord, SourceRecord
from nightlake.core.table import tables
from nightlake.handlers.api import asked
from published_lake import PublishedLake, Row

REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
SHOP, OFFICE = "https://shop.example", "https://office.example"
MONDAY, TUESDAY = date(2017, 6, 12), date(2017, 6, 13)
API_PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
PATHS = [
    "/v1/health",
    "/v1/datasets",
    "/v1/datasets/transactions",
    "/v1/datasets/transactions/rows",
    "/v1/datasets/transactions/rows/31198570044,0",
    "/v1/datasets/transactions/aggregate",
    "/v1/reports",
    "/v1/reports/top_products",
    "/v1/runs",
    "/v1/runs/20261122T030000Z-00000001",
    "/v1/snapshots",
]
EVERYWHERE = {"Content-Type", "ETag", "Cache-Control", "Vary", "X-Request-Id", "X-Content-Type-Options"}
Answer = dict[str, Any]
Get = Callable[..., Answer]


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> PublishedLake:
    """The lake that the API reads, still without a night."""
    lake = PublishedLake()
    monkeypatch.setattr(asked, "lake", lambda: lake.store)
    return lake


@pytest.fixture
def get(environment: Callable[..., None], lake: PublishedLake, tmp_path: Path, send: Get) -> Get:
    """`get(path, query=..., headers=..., method=...)`: the answer where two reports are known."""
    reports = tmp_path / "sql" / "sales" / "reports"
    reports.mkdir(parents=True)
    for name in ("top_products", "baskets"):
        (reports / f"{name}.sql").write_text("SELECT 1")
    environment(SQL=str(tmp_path / "sql"))
    return send


def sale(number: int) -> Row:
    """One row of the dataset transactions."""
    return {
        "basket_id": 31_198_570_044 + number,
        "product_id": number,
        "customer_id": 1,
        "store_id": 2,
        "quantity": 3,
        "sales_value": Decimal("4.20"),
        "retail_disc": Decimal("0.00"),
        "coupon_disc": Decimal("0.00"),
        "coupon_match_disc": Decimal("0.00"),
        "week": 24,
        "sold_at": datetime(2017, 6, 12, 8, 15),  # noqa: DTZ001 (as Parquet holds it)
        "_run_id": "r",
        "_loaded_at": datetime(2017, 6, 13, 3),  # noqa: DTZ001
        "_source": "s3://raw/f",
        "_position": 1,
    }


def night(lake: PublishedLake, sales: Pipeline, day: date, rows: int) -> str:
    """A good night with this many transactions and two private customers; returns the name of its run."""
    transactions, _, customers = sales.datasets
    private = tables(customers)[1]
    lake.publish(private.name, private.columns, {day: [[{}, {}]]}, private=True)
    lake.publish("transactions", tables(transactions)[0].columns, {day: [[sale(each) for each in range(rows)]]})
    return lake.run_id(lake.nights)


def record(lake: PublishedLake, run_id: str, **values: Any) -> RunRecord:
    """The record of a run, as Complete writes it."""
    made = RunRecord.model_validate(
        {
            "pipeline": "sales",
            "date": MONDAY,
            "run_id": run_id,
            "execution_id": "arn:aws:states:eu-west-1:123456789012:execution:nightlake-dev-sales-daily:a",
            "outcome": "succeeded",
            "error": None,
            "started_at": "2026-11-22T03:00:00.000Z",
            "ended_at": "2026-11-22T03:05:00.000Z",
            "contract_hash": "0" * 64,
            "sources": (),
            "audits": (),
            "tables": (),
            "snapshot": 2,
            "reports": (),
        }
        | values
    )
    lake.store.put_model(layout.record("sales", run_id), made)
    return made


def report(lake: PublishedLake, name: str, day: date, run_id: str) -> None:
    """A report of one row, as the night keeps it."""
    columns = (ResultColumn(name="product_id", type="bigint"), ResultColumn(name="revenue", type="decimal(18,2)"))
    result = QueryResult(columns=columns, rows=((1, Decimal("4.20")),))
    made = build(pipeline="sales", name=name, day=day, run_id=run_id, snapshot=1, result=result)
    lake.store.put_model(layout.report("sales", name, run_id), made)


def content(answer: Answer) -> Any:
    """The body of a good answer, which must be JSON."""
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert answer["multiValueHeaders"]["Content-Type"] == ["application/json"]
    return json.loads(answer["body"])


def problem(answer: Answer, status: HTTPStatus, path: str) -> str:
    """The detail of an error, which must be a problem document of RFC 9457 of this status and path."""
    assert answer["statusCode"] == status.value
    assert answer["multiValueHeaders"]["Content-Type"] == ["application/problem+json"]
    assert answer["multiValueHeaders"]["Cache-Control"] == ["no-store"]
    body = json.loads(answer["body"])
    detail: str = body.pop("detail")
    body.pop("parameter", None)
    assert body == {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "instance": path,
        "request_id": REQUEST_ID,
    }
    return detail


def test_health_says_what_is_deployed(get: Get, sales: Pipeline) -> None:
    assert content(get("/v1/health")) == {
        "status": "ok",
        "stage": "dev",
        "pipelines": [{"name": "sales", "version": sales.version}],
    }


def test_datasets_are_listed_before_the_first_night_and_after(get: Get, lake: PublishedLake, sales: Pipeline) -> None:
    datasets = content(get("/v1/datasets"))["datasets"]
    assert [each["name"] for each in datasets] == [*(dataset.name for dataset in sales.datasets), *sales.merge]
    assert {each["contract_hash"] for each in datasets} == {sales.contract_hash}
    assert {each["published"] for each in datasets} == {None}
    night(lake, sales, MONDAY, 7)
    after = {each["name"]: each["published"] for each in content(get("/v1/datasets"))["datasets"]}
    assert after == dict.fromkeys(after) | {
        "transactions": {
            "snapshot": 2,
            "updated_at": "2026-11-21T03:10:00Z",
            "days": 1,
            "newest_day": "2017-06-12",
            "business_date": "2017-06-12",
            "rows": 7,
        }
    }


def test_a_dataset_is_described(get: Get, lake: PublishedLake, sales: Pipeline) -> None:
    run_id = night(lake, sales, MONDAY, 7)
    for dataset in sales.datasets:
        described = content(get(f"/v1/datasets/{dataset.name}"))
        assert described["primary_key"] == list(dataset.primary_key)
        assert described["columns"] == [column.model_dump() for column in dataset.columns]
    assert (described["partitions"], described["partition_count"]) == ([], 0)
    described = content(get("/v1/datasets/transactions"))
    (partition,) = described["partitions"]
    assert partition.pop("bytes") > 0
    assert partition == {"date": "2017-06-12", "grain": "day", "rows": 7, "files": 1, "run_id": run_id}
    assert described["quality"] is None  # the run has not ended
    source = SourceRecord(dataset="transactions", status="good", records=9, rows=7, quarantined=2)
    record(lake, run_id, sources=(source,))
    assert content(get("/v1/datasets/transactions"))["quality"] == {
        "run_id": run_id,
        "date": "2017-06-12",
        "status": "good",
        "records": 9,
        "rows": 7,
        "quarantined": 2,
        "rounded": 0,
        "rules": [],
    }


def test_a_merge_is_described_by_what_it_made(get: Get, lake: PublishedLake, sales: Pipeline) -> None:
    before = content(get("/v1/datasets/sales_enriched"))
    assert (before["kind"], before["columns"], before["published"]) == ("merge", [], None)
    columns = tables(sales.datasets[0])[0].columns
    lake.publish("sales_enriched", columns, {MONDAY: [[sale(1)]]})
    described = content(get("/v1/datasets/sales_enriched"))
    assert [each["name"] for each in described["columns"]] == [each.name for each in sales.datasets[0].columns]
    assert described["published"]["rows"] == 1


def test_rows_are_answered_over_pages(get: Get, lake: PublishedLake, sales: Pipeline) -> None:
    night(lake, sales, MONDAY, 7)
    path = "/v1/datasets/transactions/rows"
    asked = {"select": "product_id,sales_value", "product_id.gte": "2", "limit": "3"}
    first = content(get(path, query=asked))
    assert first["rows"] == [{"product_id": number, "sales_value": "4.20"} for number in (2, 3, 4)]
    assert content(get(path, query=asked | {"cursor": first["next_cursor"]}))["rows"] == [
        {"product_id": number, "sales_value": "4.20"} for number in (5, 6)
    ]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"prodct_id": "1"}, "There is no parameter or column 'prodct_id'; parameters are date, from,"),
        ({"product_id": "one"}, "product_id=one: not a number; 'product_id' is bigint"),
        ({"income": "35-49K"}, "There is no parameter or column 'income'"),
        ({"product_id": ["1", "2"]}, "product_id is given 2 times; give it once"),
        ({"prodct_id.gt": "1"}, "There is no parameter or column 'prodct_id'; parameters are date, from,"),
        ({"product_id.gt": "x", "product_id": "1"}, "product_id.gt=x: not a number"),
        ({"select": "product_id,x", "product_id": "1"}, "select: there is no column 'x'"),
        ({"limit": "0", "select": "week"}, "limit=0: write a whole number"),
        ({"date": "today"}, "date: 'today' is not a day"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_by_name(
    get: Get, lake: PublishedLake, sales: Pipeline, query: dict[str, str], said: str
) -> None:
    night(lake, sales, MONDAY, 1)
    path = "/v1/datasets/transactions/rows"
    refused = get(path, query=query)
    assert problem(refused, HTTPStatus.BAD_REQUEST, path).startswith(said)
    assert json.loads(refused["body"])["parameter"] == next(iter(query))


def test_a_parameter_that_is_called_like_what_there_is_not_is_not_to_blame(get: Get) -> None:
    assert "parameter" not in json.loads(get("/v1/datasets/limit/rows", query={"limit": "1"})["body"])


def test_private_tables_are_as_unknown_as_any_other(get: Get, lake: PublishedLake, sales: Pipeline) -> None:
    night(lake, sales, MONDAY, 1)
    for name in ("customers_private", "customers_secret"):
        for path in (f"/v1/datasets/{name}", f"/v1/datasets/{name}/rows"):
            detail = problem(get(path), HTTPStatus.NOT_FOUND, path)
            assert detail.startswith(f"There is no dataset '{name}'; there are: customers, products, sales_enriched")
    assert "private" not in json.dumps(content(get("/v1/snapshots")))


def test_rows_of_what_no_night_has_published_are_not_found(get: Get, lake: PublishedLake, sales: Pipeline) -> None:
    for path in ("/v1/datasets/products/rows", "/v1/datasets/sales_enriched/rows"):
        assert problem(get(path), HTTPStatus.NOT_FOUND, path).startswith("Nothing of '")
    night(lake, sales, MONDAY, 1)
    path = "/v1/datasets/products/rows"
    assert problem(get(path), HTTPStatus.NOT_FOUND, path).startswith("Nothing of 'products' is published yet")


def test_a_cursor_that_was_made_up_leads_to_no_page(get: Get, lake: PublishedLake, sales: Pipeline) -> None:
    night(lake, sales, MONDAY, 1)
    path = "/v1/datasets/transactions/rows"
    # What looks like a cursor leads to no page; anything else is no cursor.
    for cursor in ("made-up", "", "é", "AAAA", "A" * 60):
        status = HTTPStatus.NOT_FOUND if cursor == "A" * 60 else HTTPStatus.BAD_REQUEST
        refused = get(path, query={"cursor": cursor})
        assert problem(refused, status, path).startswith("cursor is none of ours")
        assert json.loads(refused["body"])["parameter"] == "cursor"


def test_a_cursor_whose_files_are_gone_is_gone(get: Get, lake: PublishedLake, sales: Pipeline) -> None:
    night(lake, sales, MONDAY, 5)
    path = "/v1/datasets/transactions/rows"
    cursor = content(get(path, query={"limit": "2"}))["next_cursor"]
    lake.store.delete([each.key for each in lake.store.list("data/")])
    asked.kept.cache_clear()  # another worker, which has none of them in memory
    detail = problem(get(path, query={"limit": "2", "cursor": cursor}), HTTPStatus.GONE, path)
    assert detail == "Files that this cursor pages through are gone; ask again without the cursor"


def test_a_repeated_question_costs_a_304_until_something_is_published(
    get: Get, lake: PublishedLake, sales: Pipeline
) -> None:
    night(lake, sales, MONDAY, 5)
    path = "/v1/datasets/transactions/rows"
    first = get(path)
    (tag,) = first["multiValueHeaders"]["ETag"]
    assert first["multiValueHeaders"]["Cache-Control"] == ["private, no-cache"]
    lake.store.read_keys.clear()
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = get(path, headers={"if-none-match": known})
        assert (again["statusCode"], again["body"], again["multiValueHeaders"]["ETag"]) == (304, "", [tag])
    assert not [key for key in lake.store.read_keys if key.startswith("data/")]
    night(lake, sales, TUESDAY, 6)
    renewed = get(path, headers={"if-none-match": tag})
    assert len(content(renewed)["rows"]) == 6
    rollback(lake.store, "sales", 2)
    assert get(path, headers={"if-none-match": tag})["statusCode"] == 304


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_can_be_known_already(get: Get, lake: PublishedLake, sales: Pipeline, path: str) -> None:
    run_id = night(lake, sales, MONDAY, 1)
    record(lake, "20261122T030000Z-00000001")
    report(lake, "top_products", MONDAY, run_id)
    (tag,) = get(path)["multiValueHeaders"]["ETag"]
    assert get(path, headers={"if-none-match": tag})["statusCode"] == 304
    assert get(path, headers={"if-none-match": tag[:-1]})["statusCode"] == 200


def test_a_report_is_that_of_the_newest_date_or_of_the_one_asked_for(
    get: Get, lake: PublishedLake, sales: Pipeline
) -> None:
    path = "/v1/reports/top_products"
    assert problem(get(path), HTTPStatus.NOT_FOUND, path).endswith("the newest are of: no date yet")
    monday, tuesday = night(lake, sales, MONDAY, 1), night(lake, sales, TUESDAY, 1)
    report(lake, "top_products", MONDAY, monday)
    assert content(get(path))["date"] == "2017-06-12"  # while Tuesday's is being built
    report(lake, "top_products", TUESDAY, tuesday)
    newest = content(get(path))
    assert (newest["date"], newest["run_id"]) == ("2017-06-13", tuesday)
    assert newest["columns"][1] == {"name": "revenue", "type": "decimal(18,2)"}
    assert newest["rows"] == [{"product_id": 1, "revenue": "4.20"}]
    assert content(get(path, query={"date": "2017-06-12"}))["run_id"] == monday
    listed = {each["name"]: (each["pipeline"], each["dates"]) for each in content(get("/v1/reports"))["reports"]}
    assert listed == {"baskets": ("sales", []), "top_products": ("sales", ["2017-06-13", "2017-06-12"])}
    detail = problem(get(path, query={"date": "2017-06-14"}), HTTPStatus.NOT_FOUND, path)
    assert detail == "There is no report 'top_products' of 2017-06-14; the newest are of: 2017-06-13, 2017-06-12"


def test_a_report_is_for_spreadsheets_too(get: Get, lake: PublishedLake, sales: Pipeline) -> None:
    report(lake, "top_products", MONDAY, night(lake, sales, MONDAY, 1))
    path = "/v1/reports/top_products"
    assert get(path, headers={"Accept": "text/csv"})["body"] == "product_id,revenue\r\n1,4.20\r\n"
    lines = get(path, headers={"Accept": "application/x-ndjson"})["body"]
    assert lines == '{"product_id":1,"revenue":"4.20"}\n'


def test_a_backfilled_date_is_not_the_newest_and_a_run_that_was_rolled_back_is_not_there(
    get: Get, lake: PublishedLake, sales: Pipeline
) -> None:
    for day in (TUESDAY, MONDAY):
        report(lake, "top_products", day, night(lake, sales, day, 1))
    path = "/v1/reports/top_products"
    assert content(get(path))["date"] == "2017-06-13"
    rollback(lake.store, "sales", 2)
    assert problem(get(path, query={"date": "2017-06-12"}), HTTPStatus.NOT_FOUND, path)


def test_an_unknown_report_or_date_is_refused(get: Get) -> None:
    path = "/v1/reports/..%2Fruns"
    detail = problem(get(path), HTTPStatus.NOT_FOUND, path)
    assert detail.endswith("there are: baskets, top_products")
    path = "/v1/reports/baskets"
    detail = problem(get(path, query={"date": "yesterday"}), HTTPStatus.BAD_REQUEST, path)
    assert detail == "date: 'yesterday' is not a day of the calendar; write it like 2026-11-20"


def test_runs_are_listed_by_their_start_the_newest_first(get: Get, lake: PublishedLake) -> None:
    assert content(get("/v1/runs")) == {"runs": []}
    for number in (2, 1, 3):
        record(lake, lake.run_id(number), date=MONDAY if number > 1 else TUESDAY)
    failed = Failure(Error="SourceRejectedError", Cause="transactions: no rows")
    record(lake, lake.run_id(4), outcome="failed", error=failed, date=None, snapshot=None)
    runs = content(get("/v1/runs", query={"limit": "3", "pipeline": "sales"}))["runs"]
    assert [each["run_id"] for each in runs] == [lake.run_id(number) for number in (4, 3, 2)]
    assert runs[0] == {
        "pipeline": "sales",
        "date": None,
        "run_id": lake.run_id(4),
        "outcome": "failed",
        "error": {"Error": "SourceRejectedError", "Cause": "transactions: no rows"},
        "started_at": "2026-11-22T03:00:00.000Z",
        "ended_at": "2026-11-22T03:05:00.000Z",
        "snapshot": None,
    }
    detail = problem(get("/v1/runs", query={"pipeline": "sale"}), HTTPStatus.BAD_REQUEST, "/v1/runs")
    assert detail == "pipeline=sale: there is none of this name; there are: sales"


def test_a_run_is_told_in_full(get: Get, lake: PublishedLake) -> None:
    made = record(lake, lake.run_id(1))
    assert content(get(f"/v1/runs/{made.run_id}")) == made.model_dump(mode="json")


@pytest.mark.parametrize("run_id", ["20261122T030000Z-ffffffff", "x", "..", "records", "%2e%2e%2fHEAD"])
def test_an_unknown_run_is_not_found(get: Get, lake: PublishedLake, run_id: str) -> None:
    record(lake, lake.run_id(1))
    path = f"/v1/runs/{run_id}"
    detail = problem(get(path), HTTPStatus.NOT_FOUND, path)
    assert detail.startswith(f"There is no record of a run '{run_id}'")


def test_snapshots_are_listed_with_the_one_that_readers_see(get: Get, lake: PublishedLake, sales: Pipeline) -> None:
    assert content(get("/v1/snapshots")) == {"snapshots": []}
    night(lake, sales, MONDAY, 1)
    rollback(lake.store, "sales", 1)
    snapshots = content(get("/v1/snapshots"))["snapshots"]
    assert [(each["number"], each["published"]) for each in snapshots] == [(2, False), (1, True)]
    assert snapshots[0] == {
        "pipeline": "sales",
        "number": 2,
        "date": "2017-06-12",
        "run_id": lake.run_id(2),
        "created_at": "2026-11-21T03:10:00Z",
        "published": False,
    }
    assert len(content(get("/v1/snapshots", query={"limit": "1"}))["snapshots"]) == 1


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_an_answer_that_lambda_could_not_carry_is_led_to(
    get: Get, lake: PublishedLake, environment: Callable[..., None], encoding: str
) -> None:
    environment(AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="secret", AWS_SESSION_TOKEN="token")
    s3._link_client.cache_clear()
    noise = random.Random(7).randbytes(4_000_000).hex()  # noqa: S311 (zipped, half of it is left)
    made = record(lake, lake.run_id(1), execution_id=noise)
    path = f"/v1/runs/{lake.run_id(1)}"
    answer = get(path, headers={"Accept-Encoding": encoding})
    if encoding:
        assert answer["statusCode"] == 200
        assert gzip.decompress(base64.b64decode(answer["body"])) == dumped(made)
        return
    assert (answer["statusCode"], answer["body"]) == (303, "")
    assert answer["multiValueHeaders"]["Cache-Control"] == ["no-store"]
    link = urlsplit(answer["multiValueHeaders"]["Location"][0])
    assert parse_qs(link.query)["X-Amz-Expires"] == ["300"]
    assert lake.store.get(link.path.removeprefix("/")) == dumped(made)


def dumped(made: RunRecord) -> bytes:
    """The record as the API tells it."""
    return json.dumps(made.model_dump(mode="json"), separators=(",", ":"), ensure_ascii=False).encode()


def examples() -> list[tuple[str, Any]]:
    """The requests of docs/api.md and what it shows of their answers."""
    found = re.findall(r"```\nGET (\S+)\n```\n```json\n(.*?)```", API_PAGE.read_text(), re.DOTALL)
    return [(path, json.loads(shown)) for path, shown in found]


def shown(answer: Any, example: Any) -> Any:
    """The answer with `…` wherever the example has it."""
    if example == "…":
        return example
    if isinstance(answer, dict) and isinstance(example, dict):
        return {name: shown(value, example.get(name)) for name, value in answer.items()}
    return answer


@pytest.mark.parametrize(("path", "example"), examples())
def test_what_the_docs_show_is_answered(
    get: Get, lake: PublishedLake, sales: Pipeline, path: str, example: Any
) -> None:
    rows = [
        sale(number) | {"sales_value": Decimal(number) + Decimal("0.50"), "sold_at": datetime(2017, 6, 12, 8, number)}  # noqa: DTZ001
        for number in range(5)
    ]
    lake.publish("transactions", tables(sales.datasets[0])[0].columns, {MONDAY: [rows]})
    record(lake, lake.run_id(1), snapshot=1)
    report(lake, "top_products", MONDAY, lake.run_id(1))
    answer = get(urlsplit(path).path, query=parse_qs(urlsplit(path).query))
    assert shown(json.loads(answer["body"]), example) == example


def test_the_docs_show_every_kind_of_route() -> None:
    assert {path.split("/")[2].partition("?")[0] for path, _ in examples()} == {
        path.split("/")[2] for path in PATHS if path != "/v1/health"
    }


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(PATHS) | st.text(max_size=20).map(lambda text: f"/v1/{text}"),
    st.dictionaries(
        st.text(max_size=8) | st.sampled_from(["limit", "cursor", "date", "from", "to", "select", "pipeline", "week"]),
        st.lists(st.text(max_size=20) | st.sampled_from(["1", "2017-06-12", "sales"]), min_size=1, max_size=2),
        max_size=3,
    ),
)
def test_whatever_is_asked_is_no_failure_of_ours(
    get: Get, lake: PublishedLake, sales: Pipeline, path: str, query: dict[str, list[str]]
) -> None:
    if not lake.nights:
        night(lake, sales, MONDAY, 3)
    answer = get(path, query=query)
    assert answer["statusCode"] in {200, 400, 404}
    json.loads(answer["body"])


def test_a_slash_at_the_end_asks_for_the_same(get: Get) -> None:
    assert content(get("/v1/datasets/")) == content(get("/v1/datasets"))


@pytest.mark.parametrize("name", ["sale", "Transactions", "transactions;drop", "..", "%00", "<script>"])
def test_an_unknown_dataset_is_not_found(get: Get, name: str) -> None:
    detail = problem(get(f"/v1/datasets/{name}"), HTTPStatus.NOT_FOUND, f"/v1/datasets/{name}")
    assert detail == f"There is no dataset '{name}'; there are: customers, products, sales_enriched, transactions"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/dataset"), ("GET", "/v1/datasets/sales/row"), ("POST", "/v1")],
)
def test_an_unknown_route_is_not_found(get: Get, method: str, path: str) -> None:
    detail = problem(get(path, method=method), HTTPStatus.NOT_FOUND, path)
    assert detail == f"There is no {method} {path}; start at /v1/datasets"


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE", "TRACE"])
@pytest.mark.parametrize("path", ["/v1/datasets", "/v1/datasets/sale/rows/"])
def test_a_route_is_not_asked_by_another_method(get: Get, method: str, path: str) -> None:
    refused = get(path, method=method)
    detail = problem(refused, HTTPStatus.METHOD_NOT_ALLOWED, path)
    assert (detail, refused["multiValueHeaders"]["Allow"]) == (f"{path} knows no {method}, only GET", ["GET"])


def test_what_is_longer_than_anybody_asks_is_refused(get: Get) -> None:
    for path, query in (("/v1/datasets", {"x" * 9_000: ""}), (f"/v1/datasets/{'x' * 9_000}", {})):
        detail = problem(get(path, query=query), HTTPStatus.REQUEST_URI_TOO_LONG, path)
        assert "at most 8192 are read" in detail


def test_every_answer_tells_its_request(get: Get) -> None:
    for path in ("/v1/datasets", "/v1/datasets/sale", "/v1/nothing"):
        assert get(path)["multiValueHeaders"]["X-Request-Id"] == [REQUEST_ID]


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_query_parameter_is_refused(get: Get, lake: PublishedLake, sales: Pipeline, path: str) -> None:
    night(lake, sales, MONDAY, 1)
    assert "'dat'" in problem(get(path, query={"dat": "2026-11-20"}), HTTPStatus.BAD_REQUEST, path)


def test_a_refused_parameter_is_told_with_those_that_there_are(get: Get) -> None:
    detail = problem(get("/v1/health", query={"dat": "1", "": ""}), HTTPStatus.BAD_REQUEST, "/v1/health")
    assert detail == "/v1/health knows no query parameter 'dat', ''; leave it out"
    detail = problem(get("/v1/runs", query={"from": "1"}), HTTPStatus.BAD_REQUEST, "/v1/runs")
    assert detail == "/v1/runs knows no query parameter 'from'; it knows pipeline, limit"
    detail = problem(get("/v1/runs", query={"limit": ["1", "2"]}), HTTPStatus.BAD_REQUEST, "/v1/runs")
    assert detail == "limit is given 2 times; give it once"


def test_a_failure_of_ours_is_logged_and_not_shown(
    get: Get, environment: Callable[..., None], tmp_path: Path, log: Callable[[], list[dict[str, Any]]]
) -> None:
    (tmp_path / "broken.json").write_text('{"name": "internal-name"}')
    environment(CONTRACTS=str(tmp_path))
    answer = get("/v1/datasets")
    detail = problem(answer, HTTPStatus.INTERNAL_SERVER_ERROR, "/v1/datasets")
    assert detail == "The request failed on our side; report its request_id"
    assert "internal-name" not in json.dumps(answer)
    (line,) = log()
    assert (line["level"], line["correlation_id"], line["exception_name"]) == ("ERROR", REQUEST_ID, "ValidationError")
    assert "validation error" in line["exception"]
    assert "a-key-of-a-caller" not in json.dumps(line)


@pytest.mark.parametrize("path", ["/v1/datasets", "/v1/datasets/sale", "/v1/nothing"])
@pytest.mark.parametrize("origin", [SHOP, OFFICE])
def test_a_page_of_an_allowed_origin_may_read_every_answer(
    get: Get, environment: Callable[..., None], origin: str, path: str
) -> None:
    environment(CORS_ORIGINS=json.dumps([SHOP, OFFICE]))
    headers = get(path, headers={"origin": origin})["multiValueHeaders"]
    assert headers["Access-Control-Allow-Origin"] == [origin]
    assert headers["Vary"] == ["Accept, Accept-Encoding, Origin"]
    assert "X-Request-Id" in headers["Access-Control-Expose-Headers"][0]
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize("headers", [{}, {"origin": "https://evil.example"}, {"origin": f"{SHOP}.evil.example"}])
def test_any_other_page_may_not(get: Get, environment: Callable[..., None], headers: dict[str, str]) -> None:
    environment(CORS_ORIGINS=json.dumps([SHOP, OFFICE]))
    answered = get("/v1/datasets", headers=headers)["multiValueHeaders"]
    assert set(answered) == EVERYWHERE
    assert "Origin" in answered["Vary"][0]


def test_every_page_may_where_the_settings_say_so(get: Get, environment: Callable[..., None]) -> None:
    environment(CORS_ORIGINS='["*"]')
    headers = get("/v1/datasets", headers={"origin": SHOP})["multiValueHeaders"]
    assert headers["Access-Control-Allow-Origin"] == ["*"]


def test_no_page_may_where_the_settings_name_none(get: Get) -> None:
    headers = get("/v1/datasets", headers={"origin": SHOP})["multiValueHeaders"]
    assert set(headers) == EVERYWHERE
    assert headers["Vary"] == ["Accept, Accept-Encoding"]

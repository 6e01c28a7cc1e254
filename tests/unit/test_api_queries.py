"""Reports with parameters over the API: submitted, polled and read; values stay values, scopes hold."""

import base64
import io
import json
import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pyarrow.parquet as pq
import pytest
from fake_athena import FakeAthena
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightlake.core import layout
from nightlake.core.api.report_table import report_table
from nightlake.core.errors import TooManyQueriesError
from nightlake.core.pipeline import Pipeline
from nightlake.core.query_result import QueryResult, ResultColumn
from nightlake.core.report import build
from nightlake.core.table import tables
from nightlake.handlers.api import asked, queries
from nightlake.handlers.query import handler
from published_lake import PublishedLake

SQL = Path(__file__).resolve().parents[2] / "sql"
MONDAY, TUESDAY = date(2017, 6, 12), date(2017, 6, 13)
PRODUCTS = "department_products"
Answer = dict[str, Any]
Call = Callable[..., Answer]


@pytest.fixture
def athena(monkeypatch: pytest.MonkeyPatch) -> FakeAthena:
    athena = FakeAthena()
    monkeypatch.setattr(queries, "engine", lambda: athena)
    return athena


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch, sales: Pipeline) -> PublishedLake:
    """A lake with two nights that published a table."""
    lake = PublishedLake()
    monkeypatch.setattr(asked, "lake", lambda: lake.store)
    table = tables(sales.datasets[1])[0]
    for day in (MONDAY, TUESDAY):
        lake.publish(table.name, table.columns, {day: [[]]}, day=day)
    return lake


@pytest.fixture
def call(environment: Callable[..., None], lake: PublishedLake, athena: FakeAthena, send: Call) -> Call:
    """`call(path, body)`: the answer to a GET, or to a POST of a body; `scopes` are the caller's."""
    environment(SQL=str(SQL), API_WORKGROUP="nightlake-dev-api", QUERIES_AT_ONCE="2")

    def ask(
        path: str,
        body: object = None,
        *,
        method: str = "",
        caller: str = "shop",
        scopes: str = "read:* query:*",
        accept: str = "",
        **query: str,
    ) -> Answer:
        return send(
            path,
            query,
            headers={"Accept": accept} if accept else {},
            method=method or ("GET" if body is None else "POST"),
            body=body if body is None or isinstance(body, str) else json.dumps(body),
            authorizer={"caller": caller, "scopes": scopes},
        )

    return ask


def content(answer: Answer, status: int = 200) -> Any:
    assert answer["statusCode"] == status, answer["body"]
    return json.loads(answer["body"])


def test_a_report_is_submitted_polled_and_read(call: Call, athena: FakeAthena) -> None:
    submitted = call("/v1/queries", {"report": PRODUCTS, "parameters": {"department": "FUEL"}})
    query = content(submitted, 202)
    (place,) = submitted["multiValueHeaders"]["Location"]
    path = urljoin("/dev/v1/queries", place).removeprefix("/dev")
    assert path == f"/v1/queries/{query['id']}"
    assert query["parameters"] == {"department": "FUEL", "brand": "all", "since": "2017-06-13"}
    assert (query["date"], query["snapshot"], query["state"]) == ("2017-06-13", 2, "queued")
    (started,) = athena.started.values()
    assert started.parameters == ("DATE '2017-06-13'", "'FUEL'", "'all'", "'all'")
    assert '"nightlake_dev"."sales_enriched"' in started.query
    assert started.query.endswith(
        "department = ?\n  AND (brand = ? OR ? = 'all')" + started.query.partition("'all')")[2]
    )
    assert content(call(f"{path}/result"), 409)["detail"].endswith("ask for its result when it succeeded")
    athena.end(rows=[(1, Decimal("4.20")), (2, Decimal("1.00"))])
    assert content(call(path))["state"] == "succeeded"
    first = content(call(f"{path}/result", limit="1"))
    rest = content(call(f"{path}/result", limit="1", cursor=first["next_cursor"]))
    assert first["rows"] + rest["rows"] == [{"product_id": 1, "revenue": "4.20"}, {"product_id": 2, "revenue": "1.00"}]


def test_a_report_of_an_earlier_date_is_of_that_date(call: Call, athena: FakeAthena) -> None:
    content(call("/v1/queries", {"report": PRODUCTS, "date": "2017-06-12"}), 202)
    assert athena.started["execution-1"].parameters[0] == "DATE '2017-06-12'"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("", 400, "body: it is not JSON"),
        ("{", 400, "body: it is not JSON"),
        ('{"report": NaN}', 400, "body: it is not JSON"),
        ("[" * 60_000, 400, "body: it is not JSON"),
        (" " * 70_000, 400, "body: it has 70,000 characters"),
        ("[1]", 400, "body: write an object that names a report"),
        ({"report": 5}, 400, "body: write an object that names a report"),
        ({"report": PRODUCTS, "sql": "SELECT 1"}, 400, "body knows no 'sql'; it knows report, date, parameters"),
        ({"report": PRODUCTS, "date": "today"}, 400, "date: 'today' is not a day"),
        ({"report": PRODUCTS, "date": {"a": 1}}, 400, "date: "),
        (
            {"report": PRODUCTS, "date": "2017-06-11"},
            404,
            "of 2017-06-11; the newest can be of: 2017-06-13, 2017-06-12",
        ),
        ({"report": "revenue"}, 404, "There is no report 'revenue'; there are: basket_size, department_products, "),
        ({"report": PRODUCTS, "parameters": []}, 400, "parameters: write an object"),
        ({"report": PRODUCTS, "parameters": {"brnd": "x"}}, 400, "There is no parameter 'brnd' of this report"),
        ({"report": PRODUCTS, "parameters": {"brand": "Other"}}, 400, "brand=Other: there are only all, National,"),
        ({"report": PRODUCTS, "parameters": {"since": "monday"}}, 400, "since=monday: "),
        ({"report": "household_baskets"}, 400, "customer_id is missing; it is bigint and has no default"),
        ({"report": "household_baskets", "parameters": {"customer_id": 1.5}}, 400, "customer_id=1.5: "),
        ({"report": "household_baskets", "parameters": {"customer_id": "1 OR 1=1"}}, 400, "customer_id=1 OR 1=1: "),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(
    call: Call, athena: FakeAthena, body: object, status: int, said: str
) -> None:
    assert said in content(call("/v1/queries", body), status)["detail"]
    assert athena.started == {}


def test_a_value_is_never_a_part_of_the_statement(call: Call, athena: FakeAthena) -> None:
    hostile = ["' OR '1'='1", "\\'; DROP TABLE x; --", "\u2019 OR 1=1", "?", ":brand", "'' -- \n", "x\x00"]
    for number, value in enumerate(hostile, 1):
        content(call("/v1/queries", {"report": PRODUCTS, "parameters": {"department": value}}), 202)
        started = athena.started[f"execution-{number}"]
        assert started.query == athena.started["execution-1"].query
        assert started.parameters[1] == "'" + value.replace("'", "''") + "'"
        athena.end()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.dictionaries(
            st.sampled_from(["report", "date", "parameters", "department", "since", PRODUCTS]) | st.text(max_size=4),
            inner | st.sampled_from([PRODUCTS, "household_baskets", "2017-06-12"]),
            max_size=4,
        ),
        max_leaves=8,
    )
)
def test_no_body_breaks_it(call: Call, athena: FakeAthena, body: object) -> None:
    assert call("/v1/queries", json.dumps(body))["statusCode"] in (202, 400, 404, 429)


def test_bytes_that_are_no_text_are_refused(
    call: Call, event: Callable[[str], dict[str, Any]], lambda_context: Any
) -> None:
    request = event("api_get") | {
        "path": "/v1/queries",
        "httpMethod": "POST",
        "body": base64.b64encode(b"\xff\xfe").decode(),
        "isBase64Encoded": True,
    }
    assert content(handler(request, lambda_context), 400)["detail"] == "body: it is not text in UTF-8"


def test_a_query_is_for_who_has_the_scope_and_asked_it(call: Call) -> None:
    place = f"/v1/queries/{content(call('/v1/queries', {'report': PRODUCTS}), 202)['id']}"
    content(call("/v1/queries", {"report": PRODUCTS}, scopes="read:*"), 403)
    content(call(place, scopes="read:* operate:*"), 403)
    for path in (place, f"{place}/result"):
        told = content(call(path, caller="office"), 404)["detail"]
        unknown = f"/v1/queries/{'0' * 32}"
        assert told.replace(urlsplit(place).path.rpartition("/")[2], "0" * 32) == content(call(unknown), 404)["detail"]
    content(call(place), 200)


def test_an_asker_lists_and_cancels_his_own_queries(call: Call, athena: FakeAthena) -> None:
    query = content(call("/v1/queries", {"report": PRODUCTS}), 202)
    place = f"/v1/queries/{query['id']}"
    assert content(call("/v1/queries")) == {"queries": [content(call(place))], "next_cursor": None}
    assert content(call("/v1/queries", caller="office"))["queries"] == []
    assert content(call("/v1/queries", scopes="query:orders"), 403)["status"] == 403
    content(call(place, method="DELETE", caller="office"), 404)
    content(call(place, method="DELETE", scopes="read:*"), 403)
    cancelled = call(place, method="DELETE")
    assert (cancelled["statusCode"], cancelled["body"]) == (204, "")
    assert content(call(place))["state"] == "cancelled"
    assert "submit it again" in content(call(f"{place}/result"), 409)["detail"]
    content(call("/v1/queries", {"report": PRODUCTS}), 202)
    athena.end()
    assert "nothing to cancel" in content(call(place, method="DELETE"), 409)["detail"]


def test_queries_are_listed_page_by_page(call: Call, athena: FakeAthena) -> None:
    for department in ("a", "b", "c"):
        content(call("/v1/queries", {"report": PRODUCTS, "parameters": {"department": department}}), 202)
        athena.end()
    first = content(call("/v1/queries", limit="2"))
    rest = content(call("/v1/queries", limit="2", cursor=first["next_cursor"]))
    departments = [each["parameters"]["department"] for page in (first, rest) for each in page["queries"]]
    assert (departments, rest["next_cursor"]) == (["c", "b", "a"], None)
    assert content(call("/v1/queries", cursor="x"), 400)["parameter"] == "cursor"
    content(call("/v1/queries", limit="51"), 400)


def test_a_third_query_waits(call: Call, monkeypatch: pytest.MonkeyPatch, athena: FakeAthena) -> None:
    for department in ("a", "b"):
        content(call("/v1/queries", {"report": PRODUCTS, "parameters": {"department": department}}), 202)
    refused = call("/v1/queries", {"report": PRODUCTS})
    assert "2 of your queries are under way" in content(refused, 429)["detail"]
    assert refused["multiValueHeaders"]["Retry-After"] == ["10"]

    def busy(*_: Any, **__: Any) -> str:
        raise TooManyQueriesError("Athena has as many queries as it takes; try again in a minute")

    athena.end()
    monkeypatch.setattr(athena, "start", busy)
    assert content(call("/v1/queries", {"report": PRODUCTS}), 429)["detail"].startswith("Athena has as many")


@pytest.mark.parametrize(
    ("state", "status"), [("failed", 502), ("cancelled", 409), ("too_costly", 422), ("succeeded", 410)]
)
def test_how_a_query_ended_is_a_status(call: Call, athena: FakeAthena, state: Any, status: int) -> None:
    query = content(call("/v1/queries", {"report": PRODUCTS}), 202)
    athena.end(state, scanned=12_000_000)
    athena.started["execution-1"].is_kept = False
    told = content(call(f"/v1/queries/{query['id']}/result"), status)
    assert "SELECT" not in json.dumps(told)
    assert query["id"] in told["detail"]


def kept(lake: PublishedLake, night: int, day: date, revenue: str, column: str = "revenue") -> None:
    """A report as a night keeps it."""
    columns = (ResultColumn(name="product_id", type="bigint"), ResultColumn(name=column, type="decimal(18,2)"))
    result = QueryResult(columns=columns, rows=((1, Decimal(revenue)),))
    values = {"department": "GROCERY", "brand": "all", "since": day}
    made = build(
        pipeline="sales",
        name=PRODUCTS,
        day=day,
        run_id=lake.run_id(night),
        snapshot=night,
        result=result,
        values=values,
    )
    lake.store.put_model(layout.report("sales", PRODUCTS, lake.run_id(night)), made)


def test_reports_are_listed_with_their_parameters(call: Call) -> None:
    found = {each["name"]: each for each in content(call("/v1/reports"))["reports"]}
    assert found["top_products"]["parameters"] == []
    assert found["household_baskets"]["description"].startswith("The baskets of one household, the newest first")
    customer, since, least = found["household_baskets"]["parameters"]
    assert (customer["name"], customer["type"], customer["required"]) == ("customer_id", "bigint", True)
    assert (since["default"], least["default"], least["required"]) == ("2000-01-01", "0.00", False)
    assert found[PRODUCTS]["parameters"][1] == {
        "name": "brand",
        "type": "string",
        "required": False,
        "default": "all",
        "allowed": ["all", "National", "Private"],
        "description": "the maker's or the chain's own",
    }


def test_a_report_is_instant_with_the_values_of_the_night(call: Call, lake: PublishedLake, athena: FakeAthena) -> None:
    kept(lake, 2, TUESDAY, "4.20")
    path = f"/v1/reports/{PRODUCTS}"
    night = content(call(path))
    assert night["parameters"] == {"department": "GROCERY", "brand": "all", "since": "2017-06-13"}
    assert content(call(path, department="GROCERY", since="2017-06-13", date="2017-06-13")) == night
    refused = content(call(path, department="FUEL"), 404)
    assert refused["parameter"] == "department"
    told = refused["detail"]
    assert told == f"department=FUEL: no night computes '{PRODUCTS}' with it; POST /v1/queries asks for any value"
    told = content(call(path, departmnt="FUEL"), 400)["detail"]
    assert told.endswith("knows no query parameter 'departmnt'; it knows date, department, brand, since")
    assert content(call(path, since="x"), 400)["detail"].startswith("since=x: ")
    assert athena.started == {}


def test_the_history_of_a_report_is_its_last_dates(call: Call, lake: PublishedLake) -> None:
    kept(lake, 1, MONDAY, "1.00", column="earned")
    kept(lake, 2, TUESDAY, "4.20")
    path = f"/v1/reports/{PRODUCTS}/history"
    told = content(call(path))
    assert [each["date"] for each in told["history"]] == ["2017-06-13", "2017-06-12"]
    assert [column["name"] for column in told["columns"]] == ["product_id", "earned", "revenue"]
    assert told["history"][1]["rows"] == [{"product_id": 1, "earned": "1.00", "revenue": None}]
    assert [each["date"] for each in content(call(path, limit="1"))["history"]] == ["2017-06-13"]
    assert [each["date"] for each in content(call(path, to="2017-06-12"))["history"]] == ["2017-06-12"]
    picked = content(call(path, select="revenue"))
    assert [each["rows"] for each in picked["history"]] == [[{"revenue": "4.20"}], [{"revenue": None}]]
    for wanted, said in (
        ("cost", "select: there is no column 'cost'"),
        ("revenue,revenue", "select names a column twice"),
    ):
        for until in ({}, {"to": "2017-06-12"}, {"to": "2017-06-01"}):
            assert content(call(path, select=wanted, **until), 400)["detail"].startswith(said)
    older = content(call(path, select="revenue", to="2017-06-12"))
    assert (older["columns"][0]["type"], older["history"][0]["rows"]) == ("decimal(18,2)", [{"revenue": None}])
    content(call(path, limit="32"), 400)
    content(call("/v1/reports/none/history"), 404)
    assert content(call("/v1/reports/top_products/history"))["history"] == []


def test_a_row_of_a_time_is_written_as_the_night_writes_it(call: Call, athena: FakeAthena) -> None:
    query = content(call("/v1/queries", {"report": PRODUCTS}), 202)
    athena.end(rows=[(1, datetime(2017, 6, 12, 8, 15))])  # noqa: DTZ001 (as Athena answers)
    assert content(call(f"/v1/queries/{query['id']}/result"))["rows"][0]["revenue"] == "2017-06-12T08:15:00.000Z"


def test_rows_come_in_any_format(call: Call, lake: PublishedLake, athena: FakeAthena) -> None:
    kept(lake, 2, TUESDAY, "4.20")
    query = content(call("/v1/queries", {"report": PRODUCTS}), 202)
    athena.end(rows=[(1, Decimal("4.20")), (2, Decimal("0.50"))])
    path = f"/v1/queries/{query['id']}/result"
    assert call(f"/v1/reports/{PRODUCTS}", accept="text/csv")["body"] == "product_id,revenue\r\n1,4.20\r\n"
    page = call(path, accept="text/csv", limit="1")
    assert page["body"] == "product_id,revenue\r\n1,4.20\r\n"
    (link,) = page["multiValueHeaders"]["Link"]
    cursor = parse_qs(urlsplit(link.partition(">")[0]).query)["cursor"][0]
    rest = call(path, accept="application/x-ndjson", limit="1", cursor=cursor)
    assert json.loads(rest["body"]) == {"product_id": 2, "revenue": "0.50"}
    parquet = call(path, accept="application/vnd.apache.parquet")
    table = pq.read_table(io.BytesIO(base64.b64decode(parquet["body"])))
    assert table.to_pylist() == [
        {"product_id": 1, "revenue": Decimal("4.20")},
        {"product_id": 2, "revenue": Decimal("0.50")},
    ]
    content(call(path, accept="image/png"), 406)


def test_values_keep_their_types_in_typed_formats() -> None:
    kinds = {
        "a": ("integer", 1),
        "b": ("double", "NaN"),
        "c": ("real", 0.5),
        "d": ("boolean", True),
        "e": ("date", "2017-06-12"),
        "f": ("timestamp", "2017-06-12T08:15:00.005Z"),
        "g": ("varchar", None),
        "h": ("array", "[1, 2]"),
        "i": ("timestamp with time zone", "2017-06-12 08:15:00.000 UTC"),
        "j": ("bigint", None),
    }
    told = {
        "name": "r",
        "date": "2017-06-12",
        "snapshot": 1,
        "columns": [{"name": name, "type": kind} for name, (kind, _) in kinds.items()],
        "rows": [{name: value for name, (_, value) in kinds.items()}],
    }
    (row,) = report_table(told).rows.to_pylist()
    assert math.isnan(row.pop("b"))
    assert row == {
        "a": 1,
        "c": 0.5,
        "d": True,
        "e": date(2017, 6, 12),
        "f": datetime(2017, 6, 12, 8, 15, 0, 5000),  # noqa: DTZ001 (as Parquet holds it)
        "g": None,
        "h": "[1, 2]",
        "i": "2017-06-12 08:15:00.000 UTC",
        "j": None,
    }

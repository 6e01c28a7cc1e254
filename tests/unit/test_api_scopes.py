"""What a caller has no scope for is not there for him: personal values, tables, pipelines; by no route, no question."""

import base64
import gzip
import json
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightlake.core.column_type import parse
from nightlake.core.pipeline import Column, Pipeline
from nightlake.core.table import tables
from nightlake.handlers.api import asked
from nightlake.handlers.api.routes import router
from nightlake.handlers.query import handler
from published_lake import PublishedLake, Row

DAY = date(2017, 6, 12)
PERSONAL = "zq-personal-"
FORMATS = ["application/json", "text/csv", "application/x-ndjson", "application/vnd.apache.arrow.stream", "*/*"]
OPEN = ("read:*", "query:*", "operate:*")
Answer = dict[str, Any]


def value(column: Column, number: int) -> Any:
    """A value of the column's type; of a private text one that is known again wherever it shows."""
    kind = parse(column.type)
    if kind.name == "string":
        return f"{PERSONAL}{number}" if column.private else f"open-{number}"
    if kind.name == "timestamp":
        return datetime(2017, 6, 12)  # noqa: DTZ001 (as Parquet holds it)
    return DAY if kind.name == "date" else number


def rows(columns: tuple[Column, ...]) -> list[Row]:
    return [{column.name: value(column, number) for column in columns} for number in range(3)]


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch, sales: Pipeline) -> PublishedLake:
    """A night of customers: their open table and the private one, whose texts are all personal."""
    lake = PublishedLake()
    monkeypatch.setattr(asked, "lake", lambda: lake.store)
    for place, table in enumerate(tables(sales.datasets[2])):
        columns = tuple(column.model_copy(update={"private": place > 0}) for column in table.columns)
        lake.publish(table.name, table.columns, {DAY: [rows(columns)]}, private=place > 0)
    return lake


@pytest.fixture
def ask(environment: Callable[..., None], lake: PublishedLake, send: Callable[..., Answer]) -> Callable[..., Answer]:
    """`ask(path, query, scopes=..., accept=...)`: the proxy response; without scopes nobody has said who asks."""
    environment(SERVES_PRIVATE="true")

    def answer(
        path: str, query: dict[str, str] | None = None, *, scopes: tuple[str, ...] | None = OPEN, accept: str = "*/*"
    ) -> Answer:
        caller = scopes and {"caller": "shop", "scopes": " ".join(scopes)}
        return send(path, query, headers={"Accept": accept}, authorizer=caller)

    return answer


def text(answer: Answer) -> str:
    """Everything that an answer tells, headers and body."""
    body = answer["body"]
    if answer["isBase64Encoded"]:
        raw = base64.b64decode(body)
        body = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode(errors="replace")
    return json.dumps(answer["multiValueHeaders"]) + body


def paths() -> list[str]:
    """Every GET of the API, with names in it that there are and that there are not."""
    names = {
        "name": ["customers", "customers_private", "customers_hidden"],
        "key": ["1", "zq-personal-1"],
        "run_id": ["20261122T030000Z-00000001"],
        "pipeline": ["sales"],
        "query_id": ["x"],
    }
    found = []
    for route in router._routes:
        path, methods = str(route[0]), route[1]
        if "GET" not in methods:
            continue
        (wanted,) = re.findall(r"<(\w+)>", path)[:1] or ("",)
        found += [path.replace(f"<{wanted}>", each) for each in names.get(wanted, ["x"])]
    return [re.sub(r"<\w+>", "1", path) for path in found if "pages" not in path]


COLUMNS = ["income", "age_group", "customer_id", "home_ownership", "_source", "nothing"]
QUERIES = st.dictionaries(
    st.sampled_from([*COLUMNS, "select", "order_by", "limit", "date", "group_by", "measures", "cursor", "bucket"])
    | st.builds("{}.{}".format, st.sampled_from(COLUMNS), st.sampled_from(["gt", "like", "in", "is_null", "between"])),
    st.sampled_from(
        [*COLUMNS, f"{PERSONAL}1", f"eq.{PERSONAL}1", "count", "max(income)", "min(age_group)", "1", "true"]
    ),
    max_size=3,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(paths()),
    QUERIES,
    st.sampled_from([OPEN, ("read:sales",), ("private:*",), ("read:*", "private:orders"), ("query:*", "operate:*")]),
    st.sampled_from(FORMATS),
)
def test_without_its_scope_no_personal_value_is_in_any_answer(
    ask: Any, path: str, query: dict[str, str], scopes: tuple[str, ...], accept: str
) -> None:
    answer = ask(path, query, scopes=scopes, accept=accept)
    assert answer["statusCode"] < 500
    # A refusal may repeat what it was asked.
    repeated = json.dumps([path, query]) if answer["statusCode"] >= 400 else ""
    assert set(re.findall(rf"{PERSONAL}\d", text(answer))) <= set(re.findall(rf"{PERSONAL}\d", repeated))


def test_with_it_they_are_there(ask: Any) -> None:
    scopes = ("read:sales", "private:sales")
    found = json.loads(ask("/v1/datasets/customers_private/rows", scopes=scopes)["body"])
    assert len(found["rows"]) == 3
    assert PERSONAL in json.dumps(found["rows"])
    described = json.loads(ask("/v1/datasets/customers_private", scopes=scopes)["body"])
    assert described["name"] == "customers_private"
    assert described["published"]["rows"] == 3
    assert {column["name"] for column in described["columns"]} < set(found["rows"][0]) | {"nothing"}
    listed = json.loads(ask("/v1/datasets", scopes=scopes)["body"])["datasets"]
    assert "customers_private" in {each["name"] for each in listed}


def test_a_stage_that_does_not_serve_them_has_them_for_nobody(ask: Any, environment: Callable[..., None]) -> None:
    environment(SERVES_PRIVATE="false")
    assert ask("/v1/datasets/customers_private/rows", scopes=("read:*", "private:*"))["statusCode"] == 404


@pytest.mark.parametrize("suffix", ["", "/rows", "/rows?income=x", "/rows?cursor=x"])
@pytest.mark.parametrize("scopes", [OPEN, ("read:sales",), ("read:*", "private:orders")])
def test_what_may_not_be_seen_costs_and_says_the_same_as_what_there_is_not(
    ask: Any, lake: PublishedLake, suffix: str, scopes: tuple[str, ...]
) -> None:
    path, _, pair = suffix.partition("?")
    query = dict([pair.split("=")]) if pair else None

    def seen(name: str) -> tuple[Any, ...]:
        lake.store.read_keys.clear()
        answer = ask(f"/v1/datasets/{name}{path}", query, scopes=scopes)
        return answer["statusCode"], text(answer).replace(name, "NAME"), tuple(lake.store.read_keys)

    assert seen("customers_private") == seen("customers_nothing")


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/v1/datasets", "read"),
        ("/v1/datasets/customers", "read"),
        ("/v1/datasets/customers/rows", "read"),
        ("/v1/reports", "read"),
        ("/v1/runs", "operate"),
        ("/v1/runs/20261122T030000Z-00000001", "operate"),
        ("/v1/snapshots", "operate"),
    ],
)
def test_each_route_asks_for_its_scope(ask: Any, path: str, scope: str) -> None:
    others = tuple(f"{ability}:*" for ability in ("read", "private", "query", "operate") if ability != scope)
    refused = ask(path, scopes=others)
    assert (refused["statusCode"], refused["multiValueHeaders"]["Content-Type"]) == (403, ["application/problem+json"])
    assert f"{scope}:PIPELINE" in json.loads(refused["body"])["detail"]
    assert ask(path, scopes=(f"{scope}:sales",))["statusCode"] in {200, 404}
    assert ask(path, scopes=(f"{scope}:orders",))["statusCode"] == 403


def test_a_pipeline_that_no_scope_names_is_not_told_of(ask: Any) -> None:
    assert json.loads(ask("/v1/health", scopes=("read:orders",))["body"])["pipelines"] == []
    assert "sales" in ask("/v1/health", scopes=("query:sales",))["body"]


def test_a_request_of_which_nobody_has_said_who_asks_is_refused(ask: Any) -> None:
    for path in ("/v1/health", "/v1/datasets", "/v1/runs"):
        assert ask(path, scopes=None)["statusCode"] == 401


def test_a_signed_request_is_of_whom_the_settings_name(
    ask: Any, environment: Callable[..., None], event: Any, lambda_context: Any
) -> None:
    role = "arn:aws:iam::123456789012:role/teams/analyst"
    environment(CALLERS=json.dumps({role: ["read:sales"]}))
    request = event("api_get")
    identity = request["requestContext"]["identity"]
    # What an authorizer might have said counts for nothing where requests are signed.
    for arn, status in (
        ("arn:aws:sts::123456789012:assumed-role/analyst/ada", 200),
        (role, 200),
        ("arn:aws:sts::123456789012:assumed-role/teams/ada", 401),
        ("arn:aws:sts::999999999999:assumed-role/analyst/ada", 401),
        ("arn:aws:iam::123456789012:user/analyst", 401),
        (None, 401),
    ):
        identity["userArn"] = arn
        assert handler(request, lambda_context)["statusCode"] == status, arn

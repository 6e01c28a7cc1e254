"""The query API as its callers see it: datasets, problem documents, origins; and a log that knows what went wrong."""

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from nightlake.core.pipeline import Pipeline
from nightlake.handlers.query import handler

REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
SHOP, OFFICE = "https://shop.example", "https://office.example"
Answer = dict[str, Any]
Get = Callable[..., Answer]


@pytest.fixture
def get(environment: object, event: Callable[[str], dict[str, Any]], lambda_context: Any) -> Get:
    """`get(path, query, headers, method)`: the proxy response to a request as API Gateway passes it on."""

    def ask(
        path: str, query: dict[str, str] | None = None, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> Answer:
        request = event("api_get")
        request |= {
            "path": path,
            "httpMethod": method,
            "queryStringParameters": query,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        }
        request["headers"] |= headers or {}
        request["multiValueHeaders"] |= {name: [value] for name, value in (headers or {}).items()}
        return handler(request, lambda_context)

    return ask


def content(answer: Answer) -> Any:
    """The body of a good answer, which must be JSON."""
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert answer["multiValueHeaders"]["Content-Type"] == ["application/json"]
    return json.loads(answer["body"])


def problem(answer: Answer, status: HTTPStatus, path: str) -> str:
    """The detail of an error, which must be a problem document of RFC 9457 of this status and path."""
    assert answer["statusCode"] == status.value
    assert answer["multiValueHeaders"]["Content-Type"] == ["application/problem+json"]
    body = json.loads(answer["body"])
    detail: str = body.pop("detail")
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


def test_datasets_are_listed(get: Get, sales: Pipeline) -> None:
    datasets = content(get("/v1/datasets"))["datasets"]
    assert [each["name"] for each in datasets] == [dataset.name for dataset in sales.datasets]
    assert {each["contract_hash"] for each in datasets} == {sales.contract_hash}
    assert all(set(each) == {"name", "pipeline", "description", "version", "contract_hash"} for each in datasets)


def test_a_dataset_is_described(get: Get, sales: Pipeline) -> None:
    for dataset in sales.datasets:
        described = content(get(f"/v1/datasets/{dataset.name}"))
        assert described["primary_key"] == list(dataset.primary_key)
        assert described["columns"] == [column.model_dump() for column in dataset.columns]


def test_a_slash_at_the_end_asks_for_the_same(get: Get) -> None:
    assert content(get("/v1/datasets/")) == content(get("/v1/datasets"))


@pytest.mark.parametrize("name", ["sale", "Transactions", "transactions;drop", "..", "%00", "<script>"])
def test_an_unknown_dataset_is_not_found(get: Get, name: str) -> None:
    detail = problem(get(f"/v1/datasets/{name}"), HTTPStatus.NOT_FOUND, f"/v1/datasets/{name}")
    assert detail == f"There is no dataset '{name}'; there are: customers, products, transactions"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/dataset"), ("GET", "/v1/datasets/sales/rows"), ("POST", "/v1/datasets"), ("OPTIONS", "/v1/datasets")],
)
def test_an_unknown_route_is_not_found(get: Get, method: str, path: str) -> None:
    detail = problem(get(path, method=method), HTTPStatus.NOT_FOUND, path)
    assert detail == f"There is no {method} {path}; start at /v1/datasets"


@pytest.mark.parametrize("path", ["/v1/health", "/v1/datasets", "/v1/datasets/products"])
def test_an_unknown_query_parameter_is_refused(get: Get, path: str) -> None:
    detail = problem(get(path, query={"dat": "2026-11-20", "": ""}), HTTPStatus.BAD_REQUEST, path)
    assert detail == f"{path} knows no query parameter 'dat', ''; leave it out"


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
    assert headers["Vary"] == ["Origin"]
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize("headers", [{}, {"origin": "https://evil.example"}, {"origin": f"{SHOP}.evil.example"}])
def test_any_other_page_may_not(get: Get, environment: Callable[..., None], headers: dict[str, str]) -> None:
    environment(CORS_ORIGINS=json.dumps([SHOP, OFFICE]))
    answered = get("/v1/datasets", headers=headers)["multiValueHeaders"]
    assert set(answered) == {"Content-Type", "Vary"}


def test_every_page_may_where_the_settings_say_so(get: Get, environment: Callable[..., None]) -> None:
    environment(CORS_ORIGINS='["*"]')
    headers = get("/v1/datasets", headers={"origin": SHOP})["multiValueHeaders"]
    assert headers["Access-Control-Allow-Origin"] == ["*"]


def test_no_page_may_where_the_settings_name_none(get: Get) -> None:
    headers = get("/v1/datasets", headers={"origin": SHOP})["multiValueHeaders"]
    assert set(headers) == {"Content-Type"}

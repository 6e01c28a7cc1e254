"""The API under schemathesis with every check, and under questions that want what they may not have.

`FUZZ_EXAMPLES=100` asks so much more often; the seed is always the same: what fails today fails tomorrow.
"""

import json
import os
from collections.abc import Iterator
from itertools import product
from typing import Any, Final

import pytest
import schemathesis
from api_gateway import PERSONAL, SCOPES, Gateway, served
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

SEED: Final = 7
EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "3"))
INJECTIONS: Final = (
    "' OR '1'='1",
    '"; DROP TABLE transactions; --',
    "1); SELECT pg_sleep(9)--",
    "../../HEAD",
    "%2e%2e%2fHEAD",
    "{{7*7}}${7*7}",
    "<script>alert(1)</script>",
    "\x00",
    "\ud800",
    'in."a,b',
    "9" * 400,
    "1e999999999",
    "\N{MATHEMATICAL SANS-SERIF BOLD DIGIT ONE}",
    "is_null.true\r\nX-Injected: 1",
)


def run(address: str, key: str) -> tuple[list[str], set[tuple[str, int]]]:
    """What schemathesis finds wrong when it asks by this key, and which operations answered with which status."""
    config = SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "headers": {"x-api-key": key},
            "generation": {"deterministic": True, "database": "none", "max-examples": EXAMPLES},
            "phases": {"stateful": {"enabled": False}},
            "continue-on-failure": True,
            "workers": 1,
        }
    )
    schema = schemathesis.openapi.from_url(f"{address}/v1/openapi.json", config=config, headers={"x-api-key": key})
    found, answered = [], set()
    for event in from_schema(schema).execute():
        if isinstance(event, events.FatalError):
            raise event.exception
        if isinstance(event, events.NonFatalError):
            found.append(f"{event.label}: {event.info.format()}")
        if isinstance(event, events.ScenarioFinished):
            found += _failures(event)
            answers = (each.response for each in event.recorder.interactions.values() if each.response)
            answered |= {(event.recorder.label, each.status_code) for each in answers}
    return found, answered


def _failures(event: events.ScenarioFinished) -> Iterator[str]:
    for checks in event.recorder.checks.values():
        for each in checks:
            if each.failure_info:
                yield f"{each.name}: {each.failure_info.failure}\n{each.failure_info.code_sample}"


def test_the_fuzzer_finds_nothing_wrong(gateway: Gateway) -> None:
    with served(gateway) as address:
        found, answered = run(address, "everything")
    assert not found, f"{len(found)} failures:\n\n" + "\n\n".join(found[:5])
    asked = {label for label, _ in answered}
    assert {label for label, status in answered if status < 300} >= {
        label for label in asked if "{" not in label and not label.startswith("GET /v1/reports/")
    } | {"GET /v1/recommendations/{user_id}"}
    assert {status for _, status in answered} >= {200, 202, 400, 401, 404, 405}


def questions(document: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The paths that are asked by GET, and the query parameters of each."""
    for path, methods in document["paths"].items():
        if "get" in methods:
            yield path, [each["name"] for each in methods["get"]["parameters"] if each["in"] == "query"]


def test_an_injection_is_data_or_refused(gateway: Gateway) -> None:
    for number, (path, names) in enumerate(questions(gateway.document())):
        place = path.replace("{", "").replace("}", "") if "{" not in path else path[: path.index("{")]
        for shift, name in enumerate([*names, ""]):
            text = INJECTIONS[(number + shift) % len(INJECTIONS)]
            target, query = (place, [(name, text)]) if name else (f"{place.rstrip('/')}/{text}", [])
            status, headers, body = gateway.ask(target, query)
            assert status in {200, 400, 404, 405, 406, 409, 414}, (target, query, body)
            assert "x-injected" not in headers
            if status != 200 or headers["content-type"] == "application/json":
                json.loads(body)


@pytest.mark.parametrize("body", [*(each.encode(errors="surrogatepass") for each in INJECTIONS), b"[]", b"\xff", b"{"])
def test_an_injected_query_is_refused(gateway: Gateway, body: bytes) -> None:
    for sent in (body, b'{"report": %s}' % body, b'{"report": "top_products", "parameters": {"x": "%s"}}' % body):
        status, _, answer = gateway.ask("/v1/queries", method="POST", body=sent)
        assert status in {400, 404}, answer
        json.loads(answer)


def asked_of(path: str, column: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Every way to ask for a column."""
    value = f"eq.{PERSONAL}"
    yield f"{path}/rows", [(column, value)]
    yield f"{path}/rows", [(f"{column}.like", "a%")]
    yield f"{path}/rows", [("select", column)]
    yield f"{path}/rows", [("order_by", f"-{column}")]
    yield f"{path}/rows/1", [("select", column)]
    yield f"{path}/aggregate", [("measures", f"min({column})")]
    yield f"{path}/aggregate", [("group_by", column)]
    yield f"{path}/aggregate", [(column, value)]


@pytest.mark.parametrize("key", [key for key in SCOPES if key != "everything"])
def test_a_key_without_the_scope_sees_no_personal_value_and_no_difference_to_what_there_is_not(
    gateway: Gateway, key: str
) -> None:
    columns = (("income", "incomf"), ("marital_status", "marital_statut"))
    datasets = (("customers", "customers"), ("customers_private", "customers_privatf"))
    for (secret, made_up), (there, nowhere) in product(columns, datasets):
        asked, other = asked_of(f"/v1/datasets/{there}", secret), asked_of(f"/v1/datasets/{nowhere}", made_up)
        for (one, two), accept in product(zip(asked, other, strict=True), ("application/json", "text/csv")):
            status, _, body = gateway.ask(*one, key=key, headers={"accept": accept})
            expected, _, told = gateway.ask(*two, key=key, headers={"accept": accept})
            assert status == expected >= 400
            assert body == told.replace(nowhere.encode(), there.encode()).replace(made_up.encode(), secret.encode())


def test_a_key_without_the_scope_is_answered_no_personal_value_anywhere(gateway: Gateway) -> None:
    seen = 0
    for path, _ in questions(gateway.document()):
        for accept in ("application/json", "text/csv", "application/vnd.apache.parquet"):
            status, _, body = gateway.ask(path, key="reader", headers={"accept": accept})
            assert PERSONAL.encode() not in body
            seen += status == 200
    assert seen > 10
    assert PERSONAL.encode() in gateway.ask("/v1/datasets/customers_private/rows")[2]

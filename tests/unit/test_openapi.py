"""The OpenAPI document: valid, complete, of what the caller may see; and its page, which runs and loads nothing."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from api_gateway import Gateway
from nightlake.core import column_type
from nightlake.core.api import openapi, openapi_schemas
from nightlake.core.api.value import parse, to_json
from nightlake.core.pipeline import Pipeline
from openapi_spec_validator import OpenAPIV31SpecValidator

ROUTES = Path(openapi.__file__).parents[2] / "handlers" / "api"
TYPES = ["tinyint", "smallint", "int", "bigint", "decimal(12,2)", "decimal(3,3)", "decimal(5,0)", "double", "boolean"]


def registered() -> set[tuple[str, str]]:
    """The methods and paths that the handlers register, as OpenAPI writes them."""
    found = set()
    listed = (ROUTES / "routes.py").read_text()
    for file in ROUTES.glob("*.py"):
        if not re.search(rf"\b{file.stem}\b", listed):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name("router"), attr=method), args=[ast.Constant(str(path))]
                ):
                    found.add((method.upper(), path.replace("<", "{").replace(">", "}")))
    return found


def test_every_route_is_known_by_its_methods() -> None:
    assert registered() == set(openapi.ROUTES)
    assert openapi.methods_of("/v1/queries/") == ["GET", "POST"]
    assert openapi.methods_of("/v1/datasets/a/b") == []


def test_the_document_is_valid(gateway: Gateway) -> None:
    OpenAPIV31SpecValidator(gateway.document()).validate()


def test_each_dataset_has_its_columns_as_parameters_and_in_its_rows(gateway: Gateway, sales: Pipeline) -> None:
    document = gateway.document()
    rows = document["paths"]["/v1/datasets/transactions/rows"]["get"]
    asked = {each["name"]: each["schema"] for each in rows["parameters"]}
    declared = {column.name for column in sales.dataset("transactions").columns}
    assert declared < set(asked)
    assert asked["limit"] == {"type": "integer", "minimum": 1, "maximum": 1000}
    row = document["components"]["schemas"]["transactions.row"]
    assert declared < set(row["properties"])
    assert set(rows["responses"]["200"]["content"]) == {
        "application/json",
        "text/csv",
        "application/x-ndjson",
        "application/vnd.apache.arrow.stream",
        "application/vnd.apache.parquet",
    }


def test_every_parameter_that_a_route_knows_is_in_the_document(gateway: Gateway) -> None:
    asked = 0
    for path, methods in gateway.document()["paths"].items():
        if "get" not in methods:
            continue
        documented = {each["name"] for each in methods["get"]["parameters"] if each["in"] == "query"}
        place = re.sub(r"\{\w+\}", "0" * 32, path).replace("pages/" + "0" * 32, "pages/sales")
        status, _, body = gateway.ask(place, [("no-such-parameter", "1")])
        told = json.loads(body)["detail"]
        assert status == 400, (path, told)
        known = re.search(r"(?:it knows|parameters are) (.*?)(?:, columns are (.*))?$", told)
        names = {*known[1].split(", ")} if known else set()
        columns = {*known[2].split(", ")} if known and known[2] else set()
        # A column that is called like a parameter is asked for with an operator.
        columns = {f"{each}.is_null" if each in names else each for each in columns}
        assert documented == names | columns, path
        asked += bool(names)
    assert asked > 12


def test_a_report_is_documented_with_its_parameters_and_columns(gateway: Gateway) -> None:
    paths = gateway.document()["paths"]
    report = {each["name"]: each for each in paths["/v1/reports/department_products"]["get"]["parameters"]}
    assert report["brand"]["schema"] == {"enum": ["all", "National", "Private"]}
    assert report["since"]["description"].endswith("The night computes it with the business date.")
    history = {each["name"]: each for each in paths["/v1/reports/department_products/history"]["get"]["parameters"]}
    assert history["select"]["schema"]["items"] == {"enum": ["product_id", "revenue"]}


def test_a_caller_is_told_only_of_what_he_may_ask(gateway: Gateway) -> None:
    everything, little = gateway.document(), gateway.document(key="nothing")
    assert {"/v1/runs", "/v1/datasets/transactions/rows"} < set(everything["paths"])
    assert set(little["paths"]) == {f"/v1/{name}" for name in ("health", "openapi.json", "docs", "datasets", "reports")}
    assert "private" not in json.dumps(gateway.document(key="reader"))
    assert "/v1/datasets/customers_private/rows" in gateway.document(key="everything")["paths"]


@pytest.mark.parametrize("kind", TYPES)
def test_what_the_document_lets_ask_is_a_value(kind: str) -> None:
    from hypothesis import given
    from hypothesis import strategies as st

    parsed = column_type.parse(kind)

    @given(st.from_regex(openapi_schemas.question_schema(parsed)["pattern"]))
    def accepted(text: str) -> None:
        from nightlake.core.api.condition import read_condition

        condition = read_condition("c", text.removesuffix("\n"), {"c": parsed}, ())
        assert condition.column == "c"

    accepted()


def test_values_in_json_are_as_the_schemas_say() -> None:
    import jsonschema

    for kind, text in [("decimal(12,2)", "-4.20"), ("bigint", str(-(2**63))), ("timestamp", "2017-06-12T08:15:00.001")]:
        parsed = column_type.parse(kind)
        value: Any = to_json(parsed, parse(parsed, text))
        schema = openapi_schemas.value_schema(parsed)
        jsonschema.validate(value, schema)
        jsonschema.validate(None, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate([], schema)


def test_the_page_shows_every_path_and_can_do_nothing(gateway: Gateway) -> None:
    status, headers, body = gateway.ask("/v1/docs", headers={"accept": "text/html,*/*;q=0.8"})
    page = body.decode()
    assert (status, headers["content-type"]) == (200, "text/html")
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert all(path in page for path in gateway.document()["paths"])
    assert not re.search(r"<script|<link|<img|src=|href=|@import|url\(", page)


def test_the_page_shows_what_is_hostile_as_text() -> None:
    from nightlake.core.api.openapi_page import page

    hostile = "<script>alert(1)</script>"
    operation = openapi._operation(hostile, hostile, {}, [openapi._query(hostile, {"enum": [hostile]}, hostile)])
    shown = page(
        {
            "info": {"title": hostile, "description": hostile},
            "paths": {hostile: {"get": operation}},
            "components": {"schemas": {hostile: {"const": hostile}}},
        }
    )
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown

"""Who may ask the deployed API: keys open what their scopes name, count, end and are revoked; README's words work."""

import json
import os
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.aws import API_KEY, Endpoint

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
PROBLEM = "application/problem+json"
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def ask(cloud: Endpoint, outputs: dict[str, str]) -> Ask:
    """ask(path, key): status and parsed body of the API's answer; a refusal must be a problem document."""
    context = ssl.create_default_context(cafile=str(cloud.ca_bundle))
    base = f"{cloud.url}/restapis/{outputs['ApiId']}/{outputs['ApiStage']}/_user_request_"

    def get(path: str, key: str | None = None) -> tuple[int, Any]:
        request = urllib.request.Request(base + path, headers={"x-api-key": key} if key else {})  # noqa: S310
        try:
            with urllib.request.urlopen(request, context=context) as reply:  # noqa: S310
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            refused = error
        with refused:
            body = json.load(refused)
            assert refused.headers.get_content_type() == PROBLEM
            assert body["request_id"]
            return refused.code, body

    return get


@pytest.fixture(scope="module")
def made(nightlake: Any, outputs: dict[str, str]) -> Callable[..., dict[str, Any]]:
    """made(name, scope, ...): a new key, as the command tells of it."""

    def create(name: str, *scopes: str) -> dict[str, Any]:
        words = [word for scope in scopes for word in ("--scope", scope)]
        done = nightlake("api", "keys", "create", name, *words, "--json")
        assert done.returncode == 0, done.stdout
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    return create


def test_nobody_is_let_in_without_a_key_of_ours(ask: Ask, made: Any, cloud: Endpoint) -> None:
    status, body = ask("/v1/datasets")
    assert (status, body["title"]) == (401, "Unauthorized")
    assert ask("/v1/datasets", "not-a-key")[0] == 401
    # Whoever may list the keys of API Gateway learns nothing that opens the API.
    made("listed", "read:*")
    values = [each["value"] for each in cloud.client("apigateway").get_api_keys(includeValues=True)["items"]]
    assert values
    assert {ask("/v1/datasets", value)[0] for value in values} == {401}


def test_a_key_opens_what_its_scopes_name_and_all_else_is_unknown(ask: Ask, made: Any) -> None:
    reader = made("reader", "read:activity")["key"]
    status, body = ask("/v1/datasets", reader)
    assert status == 200
    assert {each["pipeline"] for each in body["datasets"]} == {"activity"}
    status, body = ask("/v1/datasets/customers", reader)
    assert (status, "There is no dataset 'customers'" in body["detail"]) == (404, True)
    assert "customers," not in body["detail"]
    status, body = ask("/v1/runs", reader)
    assert (status, "operate" in body["detail"]) == (403, True)


def test_personal_columns_are_there_for_their_scope_alone(ask: Ask, made: Any, api_key: str) -> None:
    assert ask("/v1/datasets/customers_private", api_key)[0] == 404
    allowed = made("officer", "read:sales", "private:sales")["key"]
    status, body = ask("/v1/datasets/customers_private", allowed)
    assert status == 200
    assert any(column["private"] for column in body["columns"])
    assert ask("/v1/datasets/users_private", allowed)[0] == 404


def test_a_revoked_key_is_refused(ask: Ask, made: Any, nightlake: Any) -> None:
    key = made("leaver", "read:*")
    assert ask("/v1/health", key["key"])[0] == 200
    assert nightlake("api", "keys", "revoke", key["id"]).returncode == 0
    # API Gateway may remember for a minute that the key was good; what counts its requests is gone at once.
    assert ask("/v1/health", key["key"])[0] == 401


def test_each_key_has_limits_of_its_own(ask: Ask, made: Any, cloud: Endpoint, outputs: dict[str, str]) -> None:
    greedy, other = made("greedy", "read:*")["key"], made("other", "read:*")["key"]
    (limit,) = [{"op": "replace", "path": "/quota/limit", "value": "3"}]
    before = cloud.client("apigateway").get_usage_plan(usagePlanId=outputs["UsagePlan"])["quota"]["limit"]
    cloud.client("apigateway").update_usage_plan(usagePlanId=outputs["UsagePlan"], patchOperations=[limit])
    try:
        assert [ask("/v1/health", greedy)[0] for _ in range(4)] == [200, 200, 200, 429]
        assert ask("/v1/health", other)[0] == 200
    finally:
        back = [{**limit, "value": str(before)}]
        cloud.client("apigateway").update_usage_plan(usagePlanId=outputs["UsagePlan"], patchOperations=back)


def test_what_the_readme_says_of_the_api_works(nightlake: Any, cloud: Endpoint, outputs: Any, home: Path) -> None:
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(r"tests/e2e/test_api\.py runs this block -->\n```sh\n(.*?)```", text, re.DOTALL)
    environment = {
        **os.environ,
        "NIGHTLAKE_HOME": str(home),
        "CURL_CA_BUNDLE": str(cloud.ca_bundle),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    script = "set -eu\n" + block.replace(".nightlake", str(home))
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r'"name": ?"transactions"', done.stdout)
    assert (home / API_KEY).stat().st_mode & 0o777 == 0o600

"""`nightlake api`: keys are made, kept as hashes, listed and revoked; answers are shown or passed on as they came."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from key_desk import KeyDesk, Staged, staged
from nightlake.core.api_key import digest
from nightlake.core.errors import InvalidKeyError
from typer.testing import CliRunner, Result

from cli import api, api_access, api_keys, main
from cli.api_access import Answered
from cli.cloud import Cloud, Stage
from cli.errors import CredentialMissingError, KeyUnknownError, NoKeysError

ROWS = {
    "dataset": "orders",
    "columns": [{"name": "order_id", "type": "bigint"}],
    "rows": [{"order_id": 7, "website": "VVNL"}, {"order_id": 8, "website": None}],
    "next_cursor": "abc",
}


@pytest.fixture
def desk() -> KeyDesk:
    return KeyDesk()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(api_keys, "HOME", tmp_path)
    monkeypatch.delenv(api_access.KEY, raising=False)
    return tmp_path


@pytest.fixture
def run(desk: KeyDesk, home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`run("api", "keys", ...)`: the command against this desk; `answered` is what the API then answers."""
    monkeypatch.setattr(api, "connect", lambda stage: staged(desk, stage))

    def invoke(*words: str, answered: Answered | None = None) -> Result:
        if answered:
            monkeypatch.setattr(api_access, "get", lambda *_: answered)
        return CliRunner().invoke(main.app, list(words), env={"COLUMNS": "200"})

    return invoke


def make(desk: KeyDesk, name: str = "shop", **changes: Any) -> str:
    cloud = staged(desk)
    return api_keys.create(cloud, cloud.outputs(), name=name, scopes=["read:sales"], expires_at=None, **changes)[0]


def test_a_key_is_shown_once_and_only_its_hash_is_kept(run: Callable[..., Result], desk: KeyDesk) -> None:
    made = run("api", "keys", "create", "shop", "--scope", "read:sales", "--scope", "query:*", "--days", "30", "--json")
    told = json.loads(made.stdout)
    assert (told["name"], told["scopes"], told["state"]) == ("shop", "query:* read:sales", "valid")
    assert told["key"] not in json.dumps([desk.items, desk.counters])
    assert set(desk.items) == {digest(told["key"])}
    # The usage plan counts by the hash, so that whoever lists API Gateway's keys learns none of ours.
    assert [each["value"] for each in desk.counters.values()] == [digest(told["key"])]
    assert desk.plan == set(desk.counters)
    listed = run("api", "keys", "list", "--json").stdout
    assert json.loads(listed)["keys"] == [{name: told[name] for name in told if name not in {"key", "ok"}}]
    assert told["key"] not in listed


def test_a_scope_of_a_pipeline_that_is_not_deployed_is_refused(run: Callable[..., Result], desk: KeyDesk) -> None:
    refused = run("api", "keys", "create", "shop", "--scope", "read:sale", "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["error"] == InvalidKeyError.__name__
    assert (desk.items, desk.counters) == ({}, {})


def test_a_revoked_key_counts_and_opens_no_more(run: Callable[..., Result], desk: KeyDesk) -> None:
    old, new, other = make(desk), make(desk), make(desk, "office")
    revoked = json.loads(run("api", "keys", "revoke", digest(old)[:12], "--json").stdout)["revoked"]
    assert [each["id"] for each in revoked] == [digest(old)[:12]]
    assert {key: item["disabled"]["BOOL"] for key, item in desk.items.items()} == {
        digest(old): True,
        digest(new): False,
        digest(other): False,
    }
    assert {each["value"] for each in desk.counters.values()} == {digest(new), digest(other)}
    run("api", "keys", "revoke", "shop")
    assert {each["value"] for each in desk.counters.values()} == {digest(other)}
    states = {each["id"]: each["state"] for each in json.loads(run("api", "keys", "list", "--json").stdout)["keys"]}
    assert states[digest(new)[:12]] == "revoked"


def test_revoking_what_there_is_not_names_what_there_is(desk: KeyDesk) -> None:
    key, cloud = make(desk), staged(desk)
    with pytest.raises(KeyUnknownError, match=f"there are: {digest(key)[:12]} \\(shop\\)"):
        api_keys.revoke(cloud, cloud.outputs(), "nobody")


def test_this_machine_has_a_key_of_its_own_that_nobody_else_can_read(desk: KeyDesk, home: Path) -> None:
    cloud = staged(desk)
    file = api_keys.header_file(cloud, cloud.outputs())
    assert (file.parent, file.stat().st_mode & 0o777) == (home, 0o600)
    (item,) = desk.items.values()
    assert item["scopes"]["SS"] == ["operate:*", "query:*", "read:*"]
    header = api_keys.header_of(file)
    assert digest(header["x-api-key"]) == item["hash"]["S"]
    assert api_keys.header_of(api_keys.header_file(cloud, cloud.outputs())) == header
    assert len(desk.items) == 1


def test_it_gets_a_new_one_where_the_stacks_were_made_anew(desk: KeyDesk, home: Path) -> None:
    cloud = staged(desk)
    before = api_keys.header_of(api_keys.header_file(cloud, cloud.outputs()))
    anew = staged(KeyDesk())
    after = api_keys.header_of(api_keys.header_file(anew, anew.outputs()))
    assert after != before
    api_keys.revoke(anew, anew.outputs(), "local")
    assert api_keys.header_of(api_keys.header_file(anew, anew.outputs())) != after


def test_the_curl_holds_no_key(desk: KeyDesk, home: Path) -> None:
    cloud = staged(desk)
    words = shlex.split(api_access.curl(cloud, cloud.outputs(), "/v1/datasets"))
    assert words == [
        *("curl", "-H", f"@{home}/api-key"),
        "http://127.0.0.1:4566/restapis/api/local/_user_request_/v1/datasets",
    ]
    for item in desk.items:
        assert item not in " ".join(words)


def test_an_api_of_tokens_has_no_keys(desk: KeyDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = staged(desk)
    outputs = {name: value for name, value in cloud.outputs().items() if name != "UsagePlan"} | {"ApiAuth": "jwt"}
    monkeypatch.setattr(Staged, "outputs", lambda _: outputs)
    with pytest.raises(NoKeysError, match="known by jwt"):
        api_keys.listed(cloud, outputs)
    monkeypatch.delenv(api_access.TOKEN, raising=False)
    with pytest.raises(CredentialMissingError, match="NIGHTLAKE_API_TOKEN"):
        api_access.get(cloud, "/v1/datasets", "application/json")


def test_in_aws_the_key_is_the_callers(desk: KeyDesk, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud: Cloud = staged(desk, Stage.DEV)
    monkeypatch.setattr(Staged, "outputs", lambda _: {"ApiAuth": "key", "ApiUrl": "https://api.example/dev/"})
    with pytest.raises(CredentialMissingError, match="nightlake api keys create NAME --stage dev"):
        api_access.get(cloud, "/v1/datasets", "application/json")
    assert shlex.split(api_access.curl(cloud, cloud.outputs(), "/v1/datasets"))[2:] == [
        "x-api-key: $NIGHTLAKE_API_KEY",
        "https://api.example/dev/v1/datasets",
    ]


def test_rows_are_shown_as_a_table_and_passed_on_as_they_came(run: Callable[..., Result]) -> None:
    body = json.dumps(ROWS).encode()
    shown = run("api", "get", "v1/datasets/orders/rows", answered=Answered(200, "application/json", body))
    assert shown.exit_code == 0
    assert "VVNL" in shown.stdout
    assert "next_cursor" in shown.stdout
    passed_on = run("api", "get", "/v1/x", "--json", answered=Answered(200, "application/json", body))
    assert json.loads(passed_on.stdout) == ROWS
    written = run("api", "get", "/v1/x", "--accept", "text/csv", answered=Answered(200, "text/csv", b"a,b\r\n1,2\r\n"))
    assert written.stdout_bytes == b"a,b\r\n1,2\r\n"


def test_a_refusal_is_told_and_ends_the_command_with_one(run: Callable[..., Result]) -> None:
    problem = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "There is no dataset 'x'"}
    answered = Answered(404, "application/problem+json", json.dumps(problem).encode())
    refused = run("api", "get", "/v1/datasets/x", answered=answered)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "404 Not Found: There is no dataset 'x'" in refused.stderr
    refused = run("api", "get", "/v1/datasets/x", "--json", answered=answered)
    assert (refused.exit_code, json.loads(refused.stdout)) == (1, problem)

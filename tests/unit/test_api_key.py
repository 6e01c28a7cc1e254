"""Keys of the API: unguessable, scoped, kept without themselves, and known or refused by the authorizer."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from nightlake.adapters.dynamodb import Keys
from nightlake.core.api.caller import Caller
from nightlake.core.api_key import KEY_BYTES, ApiKey, digest, make_key
from nightlake.core.errors import InvalidKeyError
from nightlake.handlers import authorize

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
METHOD = "arn:aws:execute-api:eu-west-1:123456789012:abc123/dev/GET/v1/datasets"


def made(**changes: Any) -> tuple[str, ApiKey]:
    values: dict[str, Any] = {
        "name": "shop",
        "scopes": ["read:*"],
        "pipelines": ["sales", "orders"],
        "now": NOW,
        "expires_at": None,
    }
    return make_key(changes.pop("randomness", bytes(KEY_BYTES)), **values | changes)


class Table:
    """DynamoDB's client of one table of keys, as far as the adapter calls it; it is down on request."""

    def __init__(self, *keys: ApiKey) -> None:
        self.items = {key.hash: key.item() for key in keys}
        self.asked: list[str] = []
        self.down = False

    def get_item(self, **request: Any) -> dict[str, Any]:
        assert (request["TableName"], request["ConsistentRead"]) == ("keys", True)
        if self.down:
            raise ClientError({"Error": {"Code": "InternalServerError"}}, "GetItem")
        found = request["Key"]["hash"]["S"]
        self.asked.append(found)
        return {"Item": self.items[found]} if found in self.items else {}


@pytest.fixture
def authorized(
    monkeypatch: pytest.MonkeyPatch, environment: Callable[..., None], lambda_context: Any
) -> Callable[[Table, dict[str, str]], dict[str, Any]]:
    """`authorized(table, headers)`: what the authorizer answers to a request with these headers."""
    environment(KEYS_TABLE="keys")

    def ask(table: Table, headers: dict[str, str]) -> dict[str, Any]:
        client: Any = table
        monkeypatch.setattr(authorize, "keys", lambda: Keys("keys", client))
        event = {"type": "REQUEST", "methodArn": METHOD, "headers": headers, "requestContext": {"requestId": "r"}}
        return authorize.handler(event, lambda_context)

    return ask


def test_every_byte_of_randomness_is_in_the_key_and_nothing_of_it_is_kept() -> None:
    key, kept = made(randomness=bytes(range(KEY_BYTES)))
    other, _ = made(randomness=bytes(range(1, KEY_BYTES + 1)))
    assert key != other
    assert len(key) > KEY_BYTES
    assert kept.hash == digest(key)
    assert key not in json.dumps(kept.item())
    assert kept.id not in key


def test_a_key_is_kept_as_it_is() -> None:
    for ends in (None, NOW + timedelta(days=1)):
        _, kept = made(scopes=["read:*", "private:sales"], expires_at=ends)
        assert ApiKey.of_item(kept.item()) == kept


def test_a_key_opens_until_it_ends_or_is_revoked() -> None:
    _, kept = made(expires_at=NOW + timedelta(days=1))
    assert kept.is_valid(NOW + timedelta(hours=23))
    assert not kept.is_valid(NOW + timedelta(days=1))
    assert not kept.model_copy(update={"disabled": True}).is_valid(NOW)
    assert made()[1].is_valid(NOW + timedelta(days=9999))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scopes": []}, "A key has 1 to 100 scopes"),
        ({"scopes": ["read"]}, "There is no scope 'read'; write one of read, private, query, operate, a colon"),
        ({"scopes": ["read:sale"]}, "There is no scope 'read:sale'; .* pipelines: orders, sales"),
        ({"scopes": ["write:*"]}, "There is no scope 'write:\\*'"),
        ({"scopes": ["read:* operate:*"]}, "There is no scope"),
        ({"name": "Shop"}, "The name 'Shop' is not"),
        ({"name": "shop\n"}, "The name"),
        ({"name": ""}, "The name"),
        ({"expires_at": NOW}, "which is past"),
    ],
)
def test_a_key_that_there_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidKeyError, match=said):
        made(**changes)


@given(st.lists(st.sampled_from(["read:*", "private:sales", "query:orders", "operate:*"]), max_size=4))
def test_who_a_caller_is_passes_through_api_gateway(scopes: list[str]) -> None:
    caller = Caller(name="shop", scopes=frozenset(scopes))
    carried = json.loads(json.dumps(caller.context()))
    assert Caller.read(carried | {"principalId": "shop", "integrationLatency": 12}) == caller
    assert caller.may("private", "sales") == ("private:sales" in scopes)
    assert caller.may("query", "sales") is False


@pytest.mark.parametrize("header", ["x-api-key", "X-Api-Key"])
def test_a_valid_key_may_ask_every_route_of_its_stage_and_is_counted(authorized: Any, header: str) -> None:
    key, kept = made(scopes=["read:sales", "query:*"])
    answer = authorized(Table(kept), {header: key, "accept": "*/*"})
    assert answer == {
        "principalId": "shop",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "execute-api:Invoke",
                    "Resource": "arn:aws:execute-api:eu-west-1:123456789012:abc123/dev/*",
                }
            ],
        },
        "context": {"caller": "shop", "scopes": "query:* read:sales"},
        "usageIdentifierKey": digest(key),
    }


@pytest.mark.parametrize("why", ["unknown", "revoked", "expired", "none", "the hash instead", "another letter"])
def test_any_other_is_refused_by_the_same_words_after_the_same_look(authorized: Any, log: Any, why: str) -> None:
    key, kept = made()
    if why == "revoked":
        kept = kept.model_copy(update={"disabled": True})
    if why == "expired":
        kept = kept.model_copy(update={"expires_at": NOW - timedelta(days=9999)})
    table = Table() if why == "unknown" else Table(kept)
    sent = {"none": {}, "the hash instead": {"x-api-key": kept.hash}, "another letter": {"x-api-key": key[:-1] + "B"}}
    answer = authorized(table, sent.get(why, {"x-api-key": key}))
    (statement,) = answer.pop("policyDocument")["Statement"]
    assert (statement["Effect"], answer) == ("Deny", {"principalId": "nobody"})
    assert len(table.asked) == 1
    assert key not in json.dumps(log())


def test_nobody_is_let_in_when_the_table_does_not_answer(authorized: Any) -> None:
    key, kept = made()
    table = Table(kept)
    table.down = True
    with pytest.raises(ClientError):
        authorized(table, {"x-api-key": key})

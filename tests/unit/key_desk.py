# ruff: noqa: N803 - the parameters are named by AWS
"""A stage whose API has keys, in memory: DynamoDB's and API Gateway's clients as far as commands call them."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from cli.cloud import Cloud, Stage
from local.aws import Endpoint

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:nightlake-local-{}-{}"


class KeyDesk:
    """The table of keys and the usage plan of one stage."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.counters: dict[str, dict[str, Any]] = {}
        self.plan: set[str] = set()

    def put_item(self, *, TableName: str, Item: dict[str, Any]) -> None:
        assert TableName == "keys"
        self.items[Item["hash"]["S"]] = Item

    def get_item(self, *, TableName: str, Key: Mapping[str, Any]) -> dict[str, Any]:
        assert TableName == "keys"
        found = self.items.get(Key["hash"]["S"])
        return {"Item": found} if found else {}

    def update_item(self, *, Key: Mapping[str, Any], ExpressionAttributeValues: Mapping[str, Any], **_: Any) -> None:
        self.items[Key["hash"]["S"]]["disabled"] = ExpressionAttributeValues[":true"]

    def create_api_key(self, **properties: Any) -> dict[str, Any]:
        made = {"id": uuid.uuid4().hex, **properties}
        self.counters[made["id"]] = made
        return made

    def create_usage_plan_key(self, *, usagePlanId: str, keyId: str, keyType: str) -> None:
        assert (usagePlanId, keyType) == ("plan", "API_KEY")
        self.plan.add(keyId)

    def get_usage_plan_keys(self, **_: Any) -> dict[str, Any]:
        return {"items": [self.counters[each] for each in self.plan]}

    def delete_api_key(self, *, apiKey: str) -> None:
        del self.counters[apiKey]
        self.plan.discard(apiKey)

    def get_paginator(self, operation: str) -> Any:
        desk = self

        class Pages:
            def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
                if operation == "scan":
                    for item in desk.items.values():
                        yield {"Items": [item]}
                else:
                    named = asked["nameQuery"]
                    yield {"items": [each for each in desk.counters.values() if each["name"].startswith(named)]}

        return Pages()


class Staged(Cloud):
    """The local AWS with a desk of keys."""

    clients: Mapping[str, Any]

    def client(self, service: str) -> Any:
        return self.clients[service]

    def outputs(self) -> dict[str, str]:
        return {
            "ApiId": "api",
            "ApiStage": "local",
            "ApiAuth": "key",
            "KeysTable": "keys",
            "UsagePlan": "plan",
            "QuarantineDatabase": "nightlake_local_quarantine",
            "QuarantineBucket": "refused",
            "StateMachineSales": MACHINE.format("sales", "daily"),
            "BackfillSales": MACHINE.format("sales", "backfill"),
        }


def staged(desk: KeyDesk, stage: Stage = Stage.LOCAL, *, functions: object = None) -> Cloud:
    """A stage with this desk and these functions; stage local answers on this machine."""
    endpoint = Endpoint(url="http://127.0.0.1:4566", port=4566, pid=1, iam=False, ca_bundle=None)
    made = Staged(stage, endpoint if stage is Stage.LOCAL else None)
    object.__setattr__(made, "clients", {"dynamodb": desk, "apigateway": desk, "lambda": functions})
    return made

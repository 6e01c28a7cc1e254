"""Keys of a stage's API: made, listed and revoked where the authorizer and the usage plan look them up."""

import os
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local import aws as local_aws
from nightlake.core.api.caller import ABILITIES, EVERYTHING
from nightlake.core.api_key import KEY_BYTES, ApiKey, digest, make_key

from cli.cloud import Cloud
from cli.errors import KeyUnknownError, NoKeysError
from cli.night import machines
from cli.paths import HOME

_HEADER = "x-api-key: "
_LOCAL = "local"


def create(
    cloud: Cloud, outputs: Mapping[str, str], *, name: str, scopes: list[str], expires_at: datetime | None
) -> tuple[str, ApiKey]:
    """A new key, which nobody can show again, and what is kept of it.

    Raises:
        InvalidKeyError: there cannot be such a key.
        NoKeysError: the stage's API knows its callers in another way.
    """
    plan = _plan(outputs)
    randomness = secrets.token_bytes(KEY_BYTES)
    pipelines = machines(cloud, outputs, "daily")
    now = datetime.now(UTC)
    key, kept = make_key(randomness, name=name, scopes=scopes, pipelines=pipelines, now=now, expires_at=expires_at)
    gateway = cloud.client("apigateway")
    # What counts its requests is there before the key opens anything.
    counter = gateway.create_api_key(
        name=_counter(cloud, kept), description=f"Counts the requests of {name}", enabled=True, value=kept.hash
    )
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=counter["id"], keyType="API_KEY")
    cloud.client("dynamodb").put_item(TableName=outputs["KeysTable"], Item=kept.item())
    return key, kept


def listed(cloud: Cloud, outputs: Mapping[str, str]) -> list[ApiKey]:
    """Every key that was ever made, by name and age. Raises NoKeysError."""
    _plan(outputs)
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=outputs["KeysTable"])
    found = [ApiKey.of_item(item) for page in pages for item in page["Items"]]
    return sorted(found, key=lambda key: (key.name, key.created_at))


def revoke(cloud: Cloud, outputs: Mapping[str, str], which: str) -> list[ApiKey]:
    """Revokes the key of this id, or all keys of this name; returns them as they are now.

    Raises:
        KeyUnknownError: there is none that still opens anything.
        NoKeysError: the stage's API knows its callers in another way.
    """
    known = listed(cloud, outputs)
    meant = [key for key in known if which in (key.id, key.name) and not key.disabled]
    if not meant:
        ids = ", ".join(f"{key.id} ({key.name})" for key in known if not key.disabled) or "none"
        raise KeyUnknownError(f"There is no key '{which}' to revoke; there are: {ids}")
    return [_revoke(cloud, outputs, key) for key in meant]


def _revoke(cloud: Cloud, outputs: Mapping[str, str], key: ApiKey) -> ApiKey:
    cloud.client("dynamodb").update_item(
        TableName=outputs["KeysTable"],
        Key={"hash": {"S": key.hash}},
        UpdateExpression="SET disabled = :true",
        ExpressionAttributeValues={":true": {"BOOL": True}},
    )
    gateway = cloud.client("apigateway")
    # Without it the key is refused at once, also where API Gateway still remembers that it was good.
    for counter in _counters(gateway, _counter(cloud, key)):
        gateway.delete_api_key(apiKey=counter["id"])
    return key.model_copy(update={"disabled": True})


def header_file(cloud: Cloud, outputs: Mapping[str, str]) -> Path:
    """The file with the header line of this machine's own key of the local API, for `curl -H @FILE`; made if needed."""
    path = HOME / local_aws.API_KEY
    if not (path.exists() and _opens(cloud, outputs, path.read_text())):
        # All but personal values: these are for whoever asks for them.
        scopes = [f"{ability}:{EVERYTHING}" for ability in ABILITIES if ability != "private"]
        key, _ = create(cloud, outputs, name=_LOCAL, scopes=scopes, expires_at=None)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{_HEADER}{key}\n")
    return path


def header_of(path: Path) -> dict[str, str]:
    """The header line of such a file."""
    name, _, value = path.read_text().strip().partition(": ")
    return {name: value}


def _opens(cloud: Cloud, outputs: Mapping[str, str], header: str) -> bool:
    """Whether the local API still knows the key: the stacks may have been made anew."""
    found = cloud.client("dynamodb").get_item(
        TableName=outputs["KeysTable"], Key={"hash": {"S": digest(header.strip().removeprefix(_HEADER))}}
    )
    if "Item" not in found or not (key := ApiKey.of_item(found["Item"])).is_valid(datetime.now(UTC)):
        return False
    plan = cloud.client("apigateway").get_usage_plan_keys(usagePlanId=_plan(outputs), limit=500)
    return _counter(cloud, key) in {counter["name"] for counter in plan["items"]}


def _plan(outputs: Mapping[str, str]) -> str:
    if "UsagePlan" not in outputs:
        raise NoKeysError(f"This API has no keys: its callers are known by {outputs['ApiAuth']} (api.auth in cdk.json)")
    return outputs["UsagePlan"]


def _counter(cloud: Cloud, key: ApiKey) -> str:
    """The name of the key in API Gateway that counts for one of ours; its value is our key's hash."""
    return f"nightlake-{cloud.stage}-{key.id}"


def _counters(gateway: Any, name: str) -> Iterator[Any]:
    for page in gateway.get_paginator("get_api_keys").paginate(nameQuery=name):
        yield from page["items"]

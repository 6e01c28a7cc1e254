"""Tokens of an issuer: proved by its keys, for us, in their time; everything else is refused by the same words."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Mapping
from itertools import count
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from nightlake.adapters import tokens
from nightlake.adapters.tokens import Tokens
from nightlake.core.api.issuer import Issuer
from nightlake.core.errors import IssuerUnreachableError
from nightlake.handlers import authorize

LOGIN = Issuer(
    issuer="https://login.example",
    audience="lake",
    jwks_url="https://login.example/keys",
    scopes_claim="scope",
    scope_prefix="nightlake/",
)
METHOD = "arn:aws:execute-api:eu-west-1:123456789012:abc123/dev/GET/v1/datasets"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
Claims = Mapping[str, Any]


class Login:
    """The issuer: what its address of public keys answers."""

    def __init__(self, **keys: Any) -> None:
        self.keys = {"one": RSA, "curve": CURVE} | keys
        self.status = 200
        self.asked = 0

    def request(self, method: str, url: str, **_: Any) -> Any:
        assert (method, url) == ("GET", LOGIN.jwks_url)
        self.asked += 1
        written = []
        for name, key in self.keys.items():
            algorithm = jwt.algorithms.ECAlgorithm if key is CURVE else jwt.algorithms.RSAAlgorithm
            kind = "ES256" if key is CURVE else "RS256"
            written.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": name, "alg": kind, "use": "sig"})
        return SimpleNamespace(status=self.status, json=lambda: {"keys": written})


def signed(key: Any = RSA, kid: str | None = "one", algorithm: str = "RS256", **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": LOGIN.issuer,
        "aud": "lake",
        "sub": "ada",
        "scope": "openid nightlake/read:sales nightlake/query:*",
        "exp": now + 300,
        "nbf": now - 10,
    } | changes
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


@pytest.fixture
def login() -> Login:
    return Login()


@pytest.fixture
def authorized(
    monkeypatch: pytest.MonkeyPatch, environment: Callable[..., None], lambda_context: Any, login: Login
) -> Callable[[str], dict[str, Any]]:
    """`authorized(header)`: what the authorizer answers to a request with this header `Authorization`."""
    environment(TOKENS=LOGIN.model_dump_json())
    pool: Any = login
    known = Tokens(LOGIN, pool)
    monkeypatch.setattr(authorize, "tokens", lambda _: known)

    def ask(header: str) -> dict[str, Any]:
        headers = {"Authorization": header}
        event = {"type": "REQUEST", "methodArn": METHOD, "headers": headers, "requestContext": {"requestId": "r"}}
        return authorize.handler(event, lambda_context)

    return ask


def effect(answer: Mapping[str, Any]) -> str:
    return str(answer["policyDocument"]["Statement"][0]["Effect"])


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_who_bears_a_good_token_is_known_by_its_subject_and_scopes(authorized: Any, scheme: str) -> None:
    answer = authorized(f"{scheme} {signed()}")
    assert effect(answer) == "Allow"
    assert answer["context"] == {"caller": "ada", "scopes": "query:* read:sales"}
    assert "usageIdentifierKey" not in answer
    assert effect(authorized(f"Bearer {signed(CURVE, 'curve', 'ES256')}")) == "Allow"


def test_scopes_may_be_a_list_and_only_ours_count(authorized: Any) -> None:
    answer = authorized(f"Bearer {signed(scope=['nightlake/read:*', 'read:sales', 'nightlake/write:*', 7])}")
    assert answer["context"]["scopes"] == "read:*"
    assert authorized(f"Bearer {signed(scope=None)}")["context"]["scopes"] == ""


def forged() -> str:
    """A token whose secret is the public key, which everybody has: PyJWT itself refuses to make one."""
    public = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _, claims, _ = signed().split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"one"}').decode().rstrip("=")
    signature = hmac.digest(public, f"{head}.{claims}".encode(), "sha256")
    return f"{head}.{claims}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer x.y.z",
        signed(),
        f"Basic {signed()}",
        f"Bearer {signed(aud='another')}",
        f"Bearer {signed(iss='https://evil.example')}",
        f"Bearer {signed(exp=int(time.time()) - 60)}",
        f"Bearer {signed(exp=None)}",
        f"Bearer {signed(nbf=int(time.time()) + 600)}",
        f"Bearer {signed(sub=None)}",
        f"Bearer {signed(sub='')}",
        f"Bearer {signed(sub='a' * 300)}",
        f"Bearer {signed(OTHER)}",
        f"Bearer {signed(OTHER, kid='another')}",
        f"Bearer {signed(kid=None)}",
        f"Bearer {signed(RSA, algorithm='RS512')}",
        f"Bearer {forged()}",
        f"Bearer {signed(None, algorithm='none')}",
        f"Bearer {signed()[:-8]}AAAAAAAA",
    ],
    ids=count(),  # what is signed differs in each process, and tests go by their names
)
def test_any_other_is_refused_by_the_same_words(authorized: Any, header: str) -> None:
    answer = authorized(header)
    assert effect(answer) == "Deny"
    assert set(answer) == {"principalId", "policyDocument"}


def test_new_keys_are_looked_for_but_not_for_every_made_up_one(
    authorized: Any, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(tokens.time, "monotonic", lambda: now[0])
    assert effect(authorized(f"Bearer {signed()}")) == "Allow"
    for number in range(5):
        assert effect(authorized(f"Bearer {signed(OTHER, kid=f'made-up-{number}')}")) == "Deny"
    assert login.asked == 1
    login.keys["new"] = OTHER
    now[0] += tokens.PATIENCE_SECONDS + 1
    assert effect(authorized(f"Bearer {signed(OTHER, kid='new')}")) == "Allow"
    del login.keys["new"]
    now[0] += tokens.KEPT_SECONDS + 1
    assert effect(authorized(f"Bearer {signed(OTHER, kid='new')}")) == "Deny"


def test_nobody_is_let_in_when_the_issuer_does_not_answer(authorized: Any, login: Login) -> None:
    login.status = 503
    with pytest.raises(IssuerUnreachableError, match="answers 503; see the issuer"):
        authorized(f"Bearer {signed()}")

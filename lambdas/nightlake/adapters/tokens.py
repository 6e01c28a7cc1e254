"""Proves tokens (JWT) by the public keys of their issuer, which are fetched from it and kept for a while."""

import time
from http import HTTPStatus
from typing import Any, Final

import jwt
import urllib3

from nightlake.core.api.issuer import Issuer
from nightlake.core.errors import IssuerUnreachableError

# Signatures by keys that only the issuer has: with HS256 everybody who can check a token could make one.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_SECONDS: Final = 30
KEPT_SECONDS: Final = 3600
PATIENCE_SECONDS: Final = 60
"""A token that names an unknown key makes us look for new ones, but no more often than this."""

_TIMEOUT: Final = urllib3.Timeout(connect=2.0, read=3.0)


class Tokens:
    """Tokens of one issuer."""

    def __init__(self, issuer: Issuer, pool: "urllib3.PoolManager | None" = None) -> None:
        self._issuer = issuer
        self._pool = pool or urllib3.PoolManager()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched = float("-inf")

    def claims(self, token: str) -> dict[str, Any] | None:
        """What the token says, if its issuer signed it for us and it is valid now; else None.

        Raises IssuerUnreachableError.
        """
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                return None
            return jwt.decode(
                token,
                key,
                algorithms=[each for each in ALGORITHMS if each == key.algorithm_name],
                audience=self._issuer.audience,
                issuer=self._issuer.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError:
            return None

    def _key(self, kid: str | None) -> jwt.PyJWK | None:
        age = time.monotonic() - self._fetched
        if age > KEPT_SECONDS or (kid not in self._keys and age > PATIENCE_SECONDS):
            self._keys = self._fetch()
            self._fetched = time.monotonic()
        return self._keys.get(kid)

    def _fetch(self) -> dict[str | None, jwt.PyJWK]:
        url = self._issuer.jwks_url
        try:
            answer = self._pool.request("GET", url, timeout=_TIMEOUT, retries=False)
            if answer.status == HTTPStatus.OK:
                return {key.key_id: key for key in jwt.PyJWKSet.from_dict(answer.json()).keys}
            said = f"answers {answer.status}"
        except (urllib3.exceptions.HTTPError, ValueError, AttributeError, jwt.PyJWTError) as error:
            said = f"gives no keys ({type(error).__name__}: {error})"
        raise IssuerUnreachableError(f"{url} {said}; see the issuer, or api.auth.jwt.jwks_url of the settings")

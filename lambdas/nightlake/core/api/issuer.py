"""Tokens of somebody else's issuer: what a stage says of it, and who the bearer of one is."""

from collections.abc import Mapping
from typing import Any, Final

from nightlake.core.api.caller import ABILITIES, Caller
from nightlake.core.frozen import Frozen

_LONGEST_NAME: Final = 256


class Issuer(Frozen):
    """Whose tokens count, for whom they must be, where its public keys are, and which claim holds scopes.

    Of each scope in the claim, what follows `scope_prefix` counts: an issuer may have a name of ours before it.
    """

    issuer: str
    audience: str
    jwks_url: str
    scopes_claim: str
    scope_prefix: str

    def caller(self, claims: Mapping[str, Any]) -> Caller | None:
        """Who bears the token of these claims, which are proved; None where they do not say it."""
        name, said = claims.get("sub"), claims.get(self.scopes_claim)
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            return None
        listed = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
        ours = [each for each in listed if isinstance(each, str) and each.startswith(self.scope_prefix)]
        scopes = (each.removeprefix(self.scope_prefix) for each in ours)
        return Caller(name=name, scopes=frozenset(each for each in scopes if each.partition(":")[0] in ABILITIES))

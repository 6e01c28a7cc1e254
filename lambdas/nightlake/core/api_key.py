"""Keys of the API: made of randomness, shown once, kept as their hash with a name, scopes and an end."""

import base64
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from nightlake.core.api.caller import ABILITIES, EVERYTHING, Caller
from nightlake.core.errors import InvalidKeyError
from nightlake.core.frozen import Frozen

KEY_BYTES: Final = 32
MOST_SCOPES: Final = 100

_PREFIX: Final = "nl_"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ID_LENGTH: Final = 12


class ApiKey(Frozen):
    """What is kept of a key. Keys of one name are one caller's: a new one is made before the old one is revoked.

    The hash is plain SHA-256: a key is 256 random bits, which nobody finds by trying, so that neither salt nor a slow
    hash would add anything, and the hash finds the record.
    """

    hash: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    disabled: bool = False

    @property
    def id(self) -> str:
        """By what people name the key; it opens nothing."""
        return self.hash[:_ID_LENGTH]

    def is_valid(self, now: datetime) -> bool:
        """Whether the key opens the API at this time."""
        return not self.disabled and (self.expires_at is None or now < self.expires_at)

    @property
    def caller(self) -> Caller:
        """Who asks with the key."""
        return Caller(name=self.name, scopes=self.scopes)

    def item(self) -> dict[str, dict[str, Any]]:
        """The key as DynamoDB keeps it."""
        item: dict[str, dict[str, Any]] = {
            "hash": {"S": self.hash},
            "name": {"S": self.name},
            "scopes": {"SS": sorted(self.scopes)},
            "created_at": {"S": self.created_at.isoformat()},
            "disabled": {"BOOL": self.disabled},
        }
        return item | ({"expires_at": {"S": self.expires_at.isoformat()}} if self.expires_at else {})

    @classmethod
    def of_item(cls, item: Mapping[str, Mapping[str, Any]]) -> "ApiKey":
        """The key that an item of DynamoDB is."""
        return cls.model_validate({name: next(iter(value.values())) for name, value in item.items()}, strict=False)


def digest(key: str) -> str:
    """The hash by which a key is found."""
    return hashlib.sha256(key.encode()).hexdigest()


def make_key(
    randomness: bytes,
    *,
    name: str,
    scopes: Iterable[str],
    pipelines: Collection[str],
    now: datetime,
    expires_at: datetime | None,
) -> tuple[str, ApiKey]:
    """A key as its caller sends it, and what is kept of it; `randomness` are KEY_BYTES random bytes.

    Raises InvalidKeyError for a name or scope that there cannot be, or an end that is not ahead.
    """
    if len(randomness) != KEY_BYTES:
        raise ValueError(f"a key is made of {KEY_BYTES} bytes")
    if not _NAME.fullmatch(name):
        raise InvalidKeyError(f"The name {name!r} is not lower-case letters, digits and . _ -, at most 64 of them")
    if expires_at is not None and expires_at <= now:
        raise InvalidKeyError(f"The key would expire at {expires_at:%Y-%m-%d %H:%M}, which is past")
    wanted = frozenset(scopes)
    if not 1 <= len(wanted) <= MOST_SCOPES:
        raise InvalidKeyError(
            f"A key has 1 to {MOST_SCOPES} scopes, like read:* or query:sales; this has {len(wanted)}"
        )
    for scope in sorted(wanted):
        ability, _, pipeline = scope.partition(":")
        if ability not in ABILITIES or pipeline not in {*pipelines, EVERYTHING}:
            raise InvalidKeyError(
                f"There is no scope {scope!r}; write one of {', '.join(ABILITIES)}, a colon, and * or one of the "
                f"pipelines: {', '.join(sorted(pipelines))}"
            )
    key = _PREFIX + base64.urlsafe_b64encode(randomness).decode().rstrip("=")
    return key, ApiKey(hash=digest(key), name=name, scopes=wanted, created_at=now, expires_at=expires_at)

"""Texts that nobody but us can write: what they say behind an HMAC of it, in the letters that a URL carries."""

import base64
import hmac
import re
from typing import Final

PATTERN: Final = "[A-Za-z0-9_-]{22,2048}"
"""What such a text looks like, as a regular expression."""
_SEAL_BYTES: Final = 16


def write(key: bytes, content: bytes) -> str:
    """The content, sealed with this key."""
    return base64.urlsafe_b64encode(_seal(key, content) + content).decode().rstrip("=")


def looks_so(text: str) -> bool:
    """Whether a text can be one of ours, as far as that shows without a key."""
    return re.fullmatch(PATTERN, text) is not None


def content(text: str) -> bytes:
    """What a text says, whoever has written it. Raises ValueError."""
    return _decode(text)[_SEAL_BYTES:]


def read(key: bytes, text: str) -> bytes | None:
    """What a text says that was sealed with this key; None for any other. Raises ValueError."""
    seal, found = _decode(text)[:_SEAL_BYTES], content(text)
    return found if hmac.compare_digest(seal, _seal(key, found)) else None


def _decode(text: str) -> bytes:
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _seal(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")[:_SEAL_BYTES]

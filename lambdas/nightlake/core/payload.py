"""What Step Functions carries between states is at most 256 KiB; the emulator does not check, so we do."""

import json
from typing import Final

from nightlake.core.errors import PayloadTooLargeError

LIMIT_BYTES: Final = 262_144


def check_size(payload: object, *, what: str) -> None:
    """Raise PayloadTooLargeError when the payload's JSON is longer than 256 KiB in UTF-8."""
    size = len(json.dumps(payload, ensure_ascii=False).encode(errors="surrogatepass"))
    if size > LIMIT_BYTES:
        raise PayloadTooLargeError(
            f"{what} is {size} bytes of JSON, Step Functions carries {LIMIT_BYTES}; pass an S3 key instead of the data"
        )

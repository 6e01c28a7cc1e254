"""What Step Functions carries between states is at most 256 KiB; the emulator does not check, so we do."""

import json
from typing import Final

from nightlake.core.errors import PayloadTooLargeError

EVENT_LIMIT_BYTES: Final = 262_144
# Step Functions puts a function's result into an envelope of HTTP metadata and keeps the state's input beside it.
RESULT_LIMIT_BYTES: Final = 240_000


def size(payload: object) -> int:
    """Bytes of the payload's JSON in UTF-8."""
    return len(json.dumps(payload, ensure_ascii=False).encode(errors="surrogatepass"))


def check_size(payload: object, *, what: str, limit: int) -> None:
    """Raise PayloadTooLargeError when the payload's JSON has more bytes than `limit`."""
    if (found := size(payload)) > limit:
        raise PayloadTooLargeError(
            f"{what} is {found} bytes of JSON, Step Functions leaves room for {limit}; "
            "pass an S3 key instead of the data"
        )

"""How a stand-in of an API misbehaves on command: which requests, how, and how often."""

import threading
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Kind = Literal[
    "slow", "fail", "rate_limit", "drop", "html", "half_body", "half_json", "refusal",
    "missing_field", "null_tail", "wrong_schema", "unequal_lengths", "text_values",
]  # fmt: skip
"""The first four are trouble on the way; the next are no answers of the API; the rest are answers that lie:

slow: after `seconds`. fail: `status`. rate_limit: 429 with `retry_after`. drop: the connection closes without a word.
html: a page with status 200. half_body: fewer bytes than announced. half_json: whole, but of a JSON cut in the middle.
refusal: the API's error object with status 200. missing_field: without the values of `field`. null_tail: the last
`hours` are null. wrong_schema: rows where columns were promised. unequal_lengths: `field` has one value less than there
are hours. text_values: the values of `field` are "n/a".
"""


class Fault(BaseModel):
    """One way to misbehave."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    times: int | None = Field(None, ge=1, description="So many requests, then no more; None: until told otherwise.")
    match: str = Field("", description="Only requests whose path with query contains this.")
    seconds: float = Field(5, ge=0)
    status: int = Field(503, ge=400, le=599)
    retry_after: str | None = "1"
    field: str | None = Field(None, description="The variable that the answer lies about; the first one by default.")
    hours: int = Field(6, ge=1)


class State(BaseModel):
    """What a stand-in was told, and what it was asked: the path with query of each request, in their order.

    Settings that are not told again stay as they are.
    """

    model_config = ConfigDict(extra="forbid")

    faults: list[Fault] = []
    asked: list[str] = []
    settings: dict[str, JsonValue] | None = None


class Control:
    """The state, as many threads see it."""

    def __init__(self) -> None:
        self._state = State()
        self._lock = threading.Lock()

    def tell(self, told: State) -> None:
        """From now on these faults, and what was asked is forgotten."""
        with self._lock:
            settings = self._state.settings if told.settings is None else told.settings
            self._state = State(faults=told.faults, settings=settings)

    def state(self) -> State:
        """A copy of it."""
        with self._lock:
            return self._state.model_copy(deep=True)

    def asked(self, path: str) -> Fault | None:
        """Keeps the request; gives the first fault that fits it, and takes one of its times."""
        with self._lock:
            self._state.asked.append(path)
            for fault in self._state.faults:
                if fault.match in path and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault.model_copy()
        return None

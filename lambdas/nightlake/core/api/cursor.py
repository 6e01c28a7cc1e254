"""Where the next page begins: a position in one snapshot, sealed for one question.

The key of the seal is made of the question and the digest of the snapshot's own text. That text names files by the
digests of their content, which no answer tells: so a cursor can neither be made up, nor moved, nor used for another
question.
"""

import hmac
from datetime import date
from typing import Final

from pydantic import Field

from nightlake.core.api import sealed
from nightlake.core.api.published import Pinned
from nightlake.core.api.question import Question
from nightlake.core.errors import InvalidCursorError, InvalidParameterError
from nightlake.core.frozen import Frozen

_ADVICE: Final = "send the next_cursor of the page before, with the parameters that you asked for it"


class Position(Frozen):
    """The row `row` of the file `file` of a day, all counted from 0: the first that was not answered yet."""

    day: date
    file: int = Field(ge=0)
    row: int = Field(ge=0)


class Cursor(Frozen):
    """A position in the snapshot of this number."""

    snapshot: int
    position: Position


def write_cursor(pinned: Pinned, question: Question, position: Position) -> str:
    """The opaque text of the cursor."""
    cursor = Cursor(snapshot=pinned.snapshot.number, position=position)
    return sealed.write(_key(pinned, question), cursor.model_dump_json().encode())


def read_cursor(text: str) -> Cursor:
    """The cursor that a text claims to be.

    Raises InvalidParameterError for a text that is no cursor, InvalidCursorError for one that we have not written.
    """
    if not sealed.looks_so(text):
        raise InvalidParameterError(f"cursor is none of ours; {_ADVICE}", "cursor")
    try:
        return Cursor.model_validate_json(sealed.content(text))
    except ValueError:
        raise InvalidCursorError(f"cursor is none of ours; {_ADVICE}", "cursor") from None


def check_cursor(text: str, pinned: Pinned, question: Question) -> None:
    """Raise InvalidCursorError unless the cursor was written for this question to this snapshot."""
    if sealed.read(_key(pinned, question), text) is None:
        raise InvalidCursorError(f"cursor belongs to another question; {_ADVICE}", "cursor")


def _key(pinned: Pinned, question: Question) -> bytes:
    return hmac.digest(pinned.digest, question.digest(), "sha256")

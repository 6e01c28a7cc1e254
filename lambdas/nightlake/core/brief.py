"""Texts made short for a person who is told what went wrong: the message in a cause, the beginning of what is long."""

import json

from nightlake.core import errors


def reason(cause: str | None) -> str:
    """What a person wants of a cause: Lambda's is JSON with the message and the trace, others are text."""
    try:
        told = json.loads(cause or "")
    except ValueError:
        return cause or ""
    return str(told.get("errorMessage", cause)) if isinstance(told, dict) else str(cause)


def meaning(error: str | None) -> str | None:
    """When an error of ours is raised, and what to do: the first lines of its class; None for any other."""
    known = getattr(errors, error or "", None)
    return " ".join(known.__doc__.split()) if isinstance(known, type) and known.__doc__ else None


def shorten(text: str, length: int) -> str:
    """The text, of which at most `length` characters are kept, the last of them `…` where it was longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"

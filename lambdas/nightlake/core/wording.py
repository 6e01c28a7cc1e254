"""The sentences that more than one check of a contract says."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from sqlglot.dialects.trino import Trino

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")
_MAX_IDENTIFIER = 128
_MAX_SHOWN = 60

# Words that need quotes in every query; sqlglot's list lacks the second line's.
# https://trino.io/docs/current/language/reserved.html
_RESERVED_WORDS = frozenset(Trino.generator_class.RESERVED_KEYWORDS) | {
    *("cube", "current_date", "current_user", "grouping", "json_table", "json_value", "listagg", "localtime"),
    *("localtimestamp", "normalize", "recursive", "rollup", "skip", "trim", "uescape", "unnest"),
}


def nearest(word: str, known: Iterable[str]) -> str:
    """Asks whether the nearest known word was meant, or lists them when none is near."""
    choices = sorted(known)
    close = get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(choices) or '(none)'}"


def shown(value: object) -> str:
    """A value as it may stand in a sentence, never longer than a line."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def identifier_fault(name: str) -> str | None:
    """Why a name cannot be that of a table or column without quotes in every query; None when it can."""
    if not _IDENTIFIER.fullmatch(name):
        return f"{shown(name)} is not an identifier: use lower-case letters, digits and _, not beginning with a digit"
    if len(name) > _MAX_IDENTIFIER:
        return f"{shown(name)} is longer than {_MAX_IDENTIFIER} characters: shorten it"
    if name in _RESERVED_WORDS:
        return f"{name!r} is a reserved word of SQL and would need quotes in every query: choose another name"
    return None

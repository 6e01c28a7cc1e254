"""The sentences that more than one check of a contract says."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")
_MAX_IDENTIFIER = 128
_MAX_SHOWN = 60

# https://trino.io/docs/current/language/reserved.html: each would need quotes in every query
_RESERVED_WORDS = frozenset(
    """
    alter and as between by case cast constraint create cross cube current_catalog current_date current_path
    current_role current_schema current_time current_timestamp current_user deallocate delete describe distinct drop
    else end escape except exists execute extract false for from full group grouping having in inner insert
    intersect into is join json_array json_exists json_object json_query json_table json_value left like listagg
    localtime localtimestamp natural normalize not null on or order outer prepare recursive right rollup select skip
    table then trim true uescape union unnest using values when where with
    """.split()
)


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

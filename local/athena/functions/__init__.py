"""The functions a query may call; every other is refused."""

from local.athena.functions import (
    aggregate,
    array,
    conditional,
    datetime,
    hash_binary,
    json,
    map_row,
    math,
    regex,
    string,
    url,
    window,
)

__all__ = [
    "aggregate",
    "array",
    "conditional",
    "datetime",
    "hash_binary",
    "json",
    "map_row",
    "math",
    "regex",
    "string",
    "url",
    "window",
]

"""Names of columns from the names in a file: identifiers that need no quotes in any query."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from nightlake.core.table import RESERVED_COLUMNS
from nightlake.core.wording import identifier_fault

_MAX: Final = 100  # leaves room for a number behind it
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER: Final = re.compile(r"[^a-z0-9]+")


def column_name(text: str) -> str:
    """The name in snake case: `Customer ID` and `customerId` become `customer_id`; "column" where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = _OTHER.sub("_", _HUMP.sub("_", plain).lower()).strip("_")[:_MAX] or "column"
    if name[0].isdigit():
        name = f"_{name}"
    return f"{name}_" if name in RESERVED_COLUMNS or identifier_fault(name) else name


def column_names(texts: Iterable[str]) -> list[str]:
    """A name for each, all of them different; a text that is a good name already keeps it."""
    wanted: Sequence[str] = list(texts)
    taken = {text for text in wanted if _is_good(text)}
    kept: set[str] = set()
    names = []
    for text in wanted:
        name = text
        if text not in taken or text in kept:
            name = _free(column_name(text), taken)
            taken.add(name)
        kept.add(name)
        names.append(name)
    return names


def _is_good(text: str) -> bool:
    return identifier_fault(text) is None and text not in RESERVED_COLUMNS


def _free(name: str, taken: set[str]) -> str:
    number = 2
    found = name
    while found in taken:
        found = f"{name.removesuffix('_')}_{number}"
        number += 1
    return found

"""What a column of a sample promises: its type, whether it is always there, what it may say, whose it is."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nightlake.core.infer.names import column_names
from nightlake.core.infer.scalars import Guess

_FEW: Final = 20
_REPEATED: Final = 2
_ROWS_A_VALUE: Final = 10
_LONGEST: Final = 60
_KEY_TYPES: Final = ("bigint", "int", "string")
_KEY: Final = re.compile(r"(?:^|_)(?:id|key|uuid|guid|code|number|no|pk)$")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE: Final = re.compile(r"\+?[0-9][-0-9 ()./]{5,20}")
_PERSONAL: Final = {
    "an e-mail address": re.compile(r"(?:^|_)e_?mail(?:_address)?$"),
    "a phone number": re.compile(r"(?:^|_)(?:phone|mobile|telephone|cell|fax)(?:_number|_no)?$"),
    "a person's name": re.compile(
        r"^(?:(?:first|last|middle|family|given|full|sur|maiden)_?name|fname|lname|(?:customer|contact|person|user|"
        r"patient|employee|client|passenger|guest)_name)$"
    ),
    "a date of birth": re.compile(r"(?:^|_)(?:birth_?(?:date|day)|date_of_birth|dob)$"),
    "an address": re.compile(r"^(?:street|street_address|(?:home|postal|billing|shipping)_address)$"),
    "a personal number": re.compile(r"(?:^|_)(?:ssn|passport(?:_number|_no)?|iban|credit_card(?:_number)?|tax_id)$"),
}


@dataclass(frozen=True)
class ProposedColumn:
    """One column; `source` is its name in the file, `personal` what of a person it seems to be.

    `values` are all that it may have, `perhaps` all that were seen where some were seen only once.
    """

    name: str
    source: str
    guess: Guess
    required: bool
    values: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    personal: str = ""
    lengths: tuple[int, int] | None = None
    unique: bool = False


def propose_columns(
    columns: Mapping[str, Sequence[Any]], guesses: Mapping[str, Guess], nulls: frozenset[str]
) -> tuple[ProposedColumn, ...]:
    """The columns that have a guess, with what their values say; those in `nulls` are missing."""
    found = []
    for source, name in zip(guesses, column_names(guesses), strict=True):
        values = [
            value for value in columns[source] if not (value is None or (isinstance(value, str) and value in nulls))
        ]
        found.append(_column(name, source, guesses[source], values, len(columns[source])))
    return tuple(found)


def _column(name: str, source: str, guess: Guess, values: Sequence[Any], rows: int) -> ProposedColumn:
    required = 0 < rows == len(values)
    if guess.type.is_nested:
        return ProposedColumn(name, source, guess, required)
    texts = Counter(str(value) for value in values)
    is_text = guess.type.name == "string"
    personal = _personal(name, texts)
    few = _few(texts) if is_text and not personal else ()
    repeated = all(texts[text] >= _REPEATED for text in few)
    return ProposedColumn(
        name,
        source,
        guess,
        required,
        values=few if repeated else (),
        perhaps=() if repeated else few,
        personal=personal,
        lengths=(min(map(len, texts)), max(map(len, texts))) if is_text and texts else None,
        unique=len(texts) == rows > 1 and required,
    )


def _few(texts: Counter[str]) -> tuple[str, ...]:
    """All values in order, where there are few and far more rows than values."""
    few = 1 < len(texts) <= min(_FEW, texts.total() // _ROWS_A_VALUE) and max(map(len, texts)) <= _LONGEST
    return tuple(sorted(texts)) if few else ()


def _personal(name: str, texts: Counter[str]) -> str:
    if texts and all(map(_EMAIL.fullmatch, texts)):
        return "an e-mail address"
    found = next((what for what, pattern in _PERSONAL.items() if pattern.search(name)), "")
    if found == "a phone number" and not all(map(_PHONE.fullmatch, texts)):
        return ""
    return found


def primary_key(columns: Sequence[ProposedColumn], dataset: str) -> tuple[str, ...]:
    """The column by which rows are told apart: one whose values are all different and that is called like a key."""
    keys = [
        column
        for column in columns
        if column.unique and not column.personal and column.guess.type.name in _KEY_TYPES and _KEY.search(column.name)
    ]
    own = (dataset.removesuffix("s"), dataset)
    best = min(keys, key=lambda column: not column.name.startswith(own), default=None)
    return () if best is None else (best.name,)

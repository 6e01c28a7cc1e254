"""How delimited text writes its numbers: with a decimal comma, with a sign between groups of three digits."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from nightlake.core.infer.scalars import NULL_WORDS, STRING, Guess, guess_text

_STYLES: Final = ((",", ""), (",", "."), (".", ","), (",", " "), (".", " "), (".", "'"), (",", "\u00a0"))


def separated(
    texts: Mapping[str, Counter[str]], guesses: Mapping[str, Guess]
) -> tuple[dict[str, Any], dict[str, Guess]]:
    """What the source says of its separators, and the guesses for columns that are numbers by them; else nothing.

    A separator counts only where it cannot be the other one: "1,234" alone may be either number, and stays text.
    """
    points = any("." in text for name, each in guesses.items() if each.type.is_number for text in texts[name])
    for decimal, thousands in _STYLES:
        if decimal == "," and points:
            continue
        known = {
            name: guess_text(_plain(texts[name], decimal, thousands))
            for name, guess in guesses.items()
            if guess.type == STRING and _fits(texts[name], decimal, thousands)
        }
        found = {name: guess for name, guess in known.items() if guess.type.is_number}
        if found:
            return {"decimal_separator": decimal, "thousands_separator": thousands or None}, found
    return {}, {}


def _fits(texts: Iterable[str], decimal: str, thousands: str) -> bool:
    """Whether all texts are numbers of this style, and one of them of no other."""
    d, t = re.escape(decimal), re.escape(thousands)
    whole = rf"(?:[1-9][0-9]{{0,2}}(?:{t}[0-9]{{3}})+|0|[1-9][0-9]*)" if thousands else "(?:0|[1-9][0-9]*)"
    number = re.compile(rf"-?{whole}(?:{d}[0-9]+)?")
    grouped = rf"-?[0-9]{{1,3}}(?:{t}[0-9]{{3}})+(?:{d}[0-9]+|{t}[0-9]{{3}})"
    telling = re.compile(grouped if thousands else rf"-?[0-9]+{d}(?![0-9]{{3}}$)[0-9]+")
    values = [text for text in texts if text not in NULL_WORDS]
    return all(map(number.fullmatch, values)) and any(map(telling.fullmatch, values))


def _plain(texts: Counter[str], decimal: str, thousands: str) -> Counter[str]:
    """The numbers with a point and without groups."""
    plain = Counter[str]()
    for text, count in texts.items():
        plain[text if text in NULL_WORDS else text.replace(thousands, "").replace(decimal, ".")] += count
    return plain

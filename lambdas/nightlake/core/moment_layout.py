"""Formats of strptime as what they look like with all of their digits: fixed places in a text of fixed width."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Final

from nightlake.core.source import EPOCHS

_WIDTHS: Final = {"Y": 4, **dict.fromkeys("ymdHMS", 2)}
_LEAST_WIDTHS: Final = _WIDTHS | dict.fromkeys("mdHMSf", 1) | {"z": 0}
_MOST_WIDTHS: Final = _WIDTHS | {"f": 9, "z": 12}
_ISO: Final = re.compile(r"%Y-%m-%d(?:[ T]%H:%M(?::%S(?:\.%f)?)?)?")
_ZONES: Final = {"": ("",), "Z": ("z",), "+hh:mm": ("+:", "-:"), "+hhmm": ("+", "-")}
_MILLISECONDS: Final = 3  # digits
_ZONE_SIGNS: Final = re.compile(r"z|[+-]:{0,2}\.?")


@dataclass(frozen=True)
class Layout:
    """Where in `width` bytes the literals stand, and begin and end of each field.

    Fields are strptime's directives, and of a `zone` in digits (`+hh:mm`, `+hhmm`; else `Z` or none) `sign`,
    `zone hours` and `zone minutes`. `is_iso` says that Arrow reads the texts, too.
    """

    width: int
    literals: tuple[tuple[int, int], ...]
    fields: dict[str, tuple[int, int]]
    zone: str
    is_iso: bool

    @property
    def iso_literals(self) -> tuple[tuple[int, int], ...]:
        """What is left to check where Arrow reads the texts: it takes a blank for a T."""
        return self.literals[2:3] if self.is_iso else ()


@dataclass(frozen=True)
class _Format:
    """A format in parts. `signs` is what is left of its texts without digits, blanks and zone, in lower case."""

    text: str
    literals: tuple[str, ...]
    letters: tuple[str, ...]

    @property
    def signs(self) -> str:
        return "".join("".join(self.literals).casefold().split())

    @property
    def is_known(self) -> bool:
        """Whether signs and digits tell which texts it may match."""
        digits = set(self.letters) <= _MOST_WIDTHS.keys() and not re.search("[0-9]", self.signs)
        ends_with_zone = "z" not in self.letters or (
            self.letters.index("z") == len(self.letters) - 1 and not self.literals[-1]
        )
        return self.text not in EPOCHS and digits and ends_with_zone

    @property
    def is_plain(self) -> bool:
        """Whether it names each part of a day once, and no part twice."""
        letters = set(self.letters)
        return letters >= set("md") and len(letters & set("Yy")) == 1 and len(letters) == len(self.letters)

    def may_match(self, signs: str, digits: int | None) -> bool:
        """Whether it could match texts with these signs and so many digits (None for any number)."""
        if "z" in self.letters:
            rest = signs.removeprefix(self.signs)
            return signs.startswith(self.signs) and _ZONE_SIGNS.fullmatch(rest) is not None
        least, most = (sum(widths[letter] for letter in self.letters) for widths in (_LEAST_WIDTHS, _MOST_WIDTHS))
        return signs == self.signs and (digits is None or least <= digits <= most)

    def layouts(self) -> Iterator[Layout]:
        """All its shapes, by the digits of the fraction and the spelling of the zone."""
        finest = 9 if "f" in self.letters and self.literals[self.letters.index("f")].endswith((".", ",")) else 6
        fractions = range(1, finest + 1) if "f" in self.letters else (0,)
        zones = [zone for zone in _ZONES if bool(zone) == ("z" in self.letters)]
        for fraction, zone in product(fractions, zones):
            yield self._layout(fraction, zone)

    def _layout(self, fraction: int, zone: str) -> Layout:
        at, literals, fields = 0, [], {}
        for literal, letter in zip(self.literals, (*self.letters, ""), strict=True):
            for byte in literal.encode():
                literals.append((at, byte))
                at += 1
            if letter == "z":
                break
            width = fraction if letter == "f" else _WIDTHS.get(letter, 0)
            fields[letter] = (at, at + width)
            at += width
        if zone == "Z":
            literals.append((at, ord("Z")))
        elif zone:
            stop = at + len(zone)
            fields |= {"sign": (at, at + 1), "zone hours": (at + 1, at + 3), "zone minutes": (stop - 2, stop)}
        if zone == "+hh:mm":
            literals.append((at + 3, ord(":")))
        is_iso = not zone and fraction <= _MILLISECONDS and _ISO.fullmatch(self.text) is not None
        return Layout(at + len(zone), tuple(literals), fields, zone, is_iso)


@cache
def layouts(formats: tuple[str, ...], *, padded: bool = False) -> tuple[Layout, ...]:
    """The layouts of formats that are made of digits, each only where no earlier format could match the same texts.

    With `padded` they are for texts whose fields of one digit were given a zero before them, and only those layouts
    are left that mean the same without it.
    """
    found: list[Layout] = []
    earlier: list[_Format] = []
    for text in formats:
        parts = re.split("%(.)", text)
        each = _Format(text, tuple(parts[::2]), tuple(parts[1::2]))
        if not each.is_known:
            break  # whatever it matches, it comes before those that follow
        if each.is_plain and not (padded and set(each.letters) & set("yfz")):
            found += [layout for layout in each.layouts() if not _is_taken(each, layout, earlier, padded)]
        earlier.append(each)
    return tuple(found)


def _is_taken(each: _Format, layout: Layout, earlier: list[_Format], padded: bool) -> bool:
    digits = None if padded else sum(stop - start for name, (start, stop) in layout.fields.items() if name != "sign")
    return any(one.may_match(each.signs + zone, digits) for one in earlier for zone in _ZONES[layout.zone])

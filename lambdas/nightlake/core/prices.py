"""What AWS takes for what: the dated price file beside this one, and bills reckoned with it."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from nightlake.core.frozen import Frozen


class Price(Frozen):
    """One price: `verified` says that its source was read, not remembered."""

    usd: float
    of: str
    as_of: str
    source: str
    verified: bool


class Prices(Frozen):
    """The price file."""

    region: str
    currency: str
    prices: dict[str, Price]

    def usd(self, name: str, quantity: float) -> float:
        """What so much of it costs."""
        return self.prices[name].usd * quantity


@cache
def load_prices() -> Prices:
    """The prices beside this file."""
    return Prices.model_validate(json.loads(Path(__file__).with_name("prices.json").read_text("utf-8")))


class Item(Frozen):
    """One line of the bill: `quantity` of `unit` for so many US dollars; `prices` are those it was reckoned with."""

    name: str
    quantity: float
    unit: str
    usd: float
    prices: tuple[str, ...]


@dataclass
class Bill:
    """Lines of a bill as they come."""

    prices: Prices
    items: list[Item] = field(default_factory=list)

    def add(self, name: str, quantity: float, unit: str, price: str, *, priced: float | None = None) -> None:
        """A line; `priced` is the quantity in the unit of the price, where that is another one."""
        usd = self.prices.usd(price, quantity if priced is None else priced)
        self.items.append(Item(name=name, quantity=quantity, unit=unit, usd=usd, prices=(price,)))

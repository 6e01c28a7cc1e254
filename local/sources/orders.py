"""A voucher shop's system that exports its orders once a day: those of the day, those that changed, and old ones."""

import csv
import io
import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from local.errors import DayNotSeedableError
from local.sources.delivery import Delivery

FIRST = date(2012, 1, 1)
"""The day of the shop's first order."""
_HEADER = (
    "order_id",
    "source",
    "customer_id",
    "payment_id",
    "voucher_id",
    "product_id",
    "website",
    "order_status",
    "voucher_status",
    "payment_status",
    "order_date",
    "payment_date",
)
_PLACED = 80  # orders of a day, which its own export has
_OLD = 120  # orders of any day before, which the system exports for the first time
_NUMBERS = 10_000  # order numbers of a day; old orders have the upper ones
_LONGEST = timedelta(days=6)  # until an order is paid, redeemed or given up
_WEBSITES = ("VVNL",) * 86 + ("VVBE",) * 9 + ("VVBDBE",) * 2 + ("VVBDFR", "AVDD-NL", "SJSNL")
_REGULARS = 12  # companies that order for many
_NEVER, _REFUND = 0.05, 0.015
_VOUCHERS = ("PAID_TO_SUPPLIER",) * 9 + ("USED",) * 3 + ("EXPIRED",) * 3
_NO_PRODUCT_BEFORE = date(2015, 1, 1)


def deliveries(day: date) -> tuple[Delivery, ...]:
    """The export of the day as CSV with every field in quotes, in no order; a status is misspelled, a date is of 2042.

    An order of the last days is in it again once it is settled, so that a later export replaces what an earlier said.

    Raises:
        DayNotSeedableError: there was no shop yet.
    """
    if day < FIRST:
        raise DayNotSeedableError(f"The shop has no orders of {day}: choose days from {FIRST} on.")
    rows = [*_rows(day)]
    random.Random(day.toordinal()).shuffle(rows)  # noqa: S311 (made-up orders)
    for row in [row for row in rows if row["voucher_status"] == "EXPIRED"][:1]:
        row["voucher_status"] = "EXPRIED"
    rows[_OLD // 2]["order_date"] = "2042-10-17 14:29:05.000"
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _HEADER, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return (Delivery("orders", "orders.csv", text.getvalue().encode()),)


def _rows(day: date) -> Iterator[dict[str, str]]:
    until = datetime.combine(day, time.max)
    yield from (_order(day, number, until) for number in range(_PLACED))
    for before in range(1, _LONGEST.days + 2):
        placed = day - timedelta(days=before)
        for number in range(_PLACED) if placed >= FIRST else ():
            if _settled_at(placed, number).date() == day:
                yield _order(placed, number, until)
    chance = random.Random(f"old {day}")  # noqa: S311
    for number in range(_OLD):
        # Every export has other numbers: an old order comes once.
        place = _PLACED + (day.toordinal() * _OLD + number) % (_NUMBERS - _PLACED)
        yield _order(FIRST + timedelta(days=chance.randrange((day - FIRST).days + 1)), place, until)


def _order(placed: date, number: int, until: datetime) -> dict[str, str]:
    """An order as it stands at a time."""
    chance = random.Random(f"{placed} {number}")  # noqa: S311
    order = (placed - FIRST).days * _NUMBERS + number + 1
    regular = chance.random() < 0.6  # noqa: PLR2004
    customer = 1_683_000 + chance.randrange(_REGULARS) * 97 if regular else chance.randrange(1_700_000, 13_000_000)
    has_voucher, has_product = chance.random() < 0.76, placed >= _NO_PRODUCT_BEFORE  # noqa: PLR2004
    settled, becomes = _settled_at(placed, number), chance.random()
    is_settled = settled <= until
    is_paid = is_settled and becomes >= _NEVER
    is_refunded = is_paid and becomes < _NEVER + _REFUND
    voucher = chance.choice(_VOUCHERS) if is_settled and becomes >= _NEVER else "INVALID"
    status = "CANCELED" if is_settled and not is_paid else "PAID" if is_paid else "UNKNOWN"
    return {
        "order_id": f"{order}",
        "source": chance.choice(("services",) * 99 + ("avdd",)),
        "customer_id": f"{customer}",
        # A refund takes the payment away, and leaves its status.
        "payment_id": f"{order * 11 // 10}" if is_paid and not is_refunded else "",
        "voucher_id": f"{order * 9 // 10}" if has_voucher else "",
        "product_id": f"{80_000 + chance.randrange(60_000)}" if has_product else "",
        "website": chance.choice(_WEBSITES),
        "order_status": "CANCELED" if is_refunded else status,
        "voucher_status": voucher if has_voucher and is_settled else "",
        "payment_status": "REFUNDED" if is_refunded else "PAID" if is_paid else "",
        "order_date": _printed(_placed_at(placed, number)),
        "payment_date": _printed(settled) if is_paid and not is_refunded else "",
    }


def _placed_at(placed: date, number: int) -> datetime:
    seconds = random.Random(f"at {placed} {number}").randrange(86_400)  # noqa: S311
    return datetime.combine(placed, time()) + timedelta(seconds=seconds)


def _settled_at(placed: date, number: int) -> datetime:
    """When the order is paid or given up: most within minutes, some after days."""
    chance = random.Random(f"settled {placed} {number}")  # noqa: S311
    wait = timedelta(seconds=chance.randrange(20, 600)) if chance.random() < 0.85 else _LONGEST * chance.random()  # noqa: PLR2004
    return _placed_at(placed, number) + wait


def _printed(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.000"

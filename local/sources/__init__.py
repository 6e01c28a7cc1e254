"""The outside world of the sample pipelines: what their producers deliver for a day, and write into databases."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from local.sources import activity, music, orders, shop
from local.sources.delivery import Delivery

SEEDERS: Mapping[str, Callable[[date], tuple[Delivery, ...]]] = {
    "sales": shop.deliveries,
    "activity": activity.deliveries,
    "orders": orders.deliveries,
    "music": lambda _: (),
}
"""By pipeline: all that its producer delivers for one day."""
FILLERS: Mapping[tuple[str, str], Callable[[Path, date, int], bool]] = {
    ("activity", "app_logs"): activity.fill,
    ("music", "listens"): music.tell,
}
"""By pipeline and dataset: lets a table or an API of this machine have so many rows of a day; False: it has them."""

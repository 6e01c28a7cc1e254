"""The outside world of the sample pipelines: what their producers deliver for a day."""

from collections.abc import Callable, Mapping
from datetime import date

from local.sources import shop
from local.sources.delivery import Delivery

SEEDERS: Mapping[str, Callable[[date], tuple[Delivery, ...]]] = {"sales": shop.deliveries}
"""By pipeline: all that its producer delivers for one day."""

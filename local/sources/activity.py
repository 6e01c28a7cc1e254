"""An application's users as it delivers them in a file, and its log of a day, with more errors where it rains."""

import csv
import io
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from local.sources import app, climate, postgres
from local.sources.delivery import Delivery
from local.sources.names import FIRST_NAMES, LAST_NAMES

PLACES = {"Newark": (40.7357, -74.1724), "New York": (40.7831, -73.9712), "Long Beach": (40.5884, -73.6579)}
"""The cities, as degrees north and east."""
_SEGMENTS = ("free",) * 7 + ("plus",) * 2 + ("business",)
_HEADER = ("id", "name", "e_mail", "segment", "home_city", "signed_up_at", "wants_news", "paid")


def deliveries(day: date) -> tuple[Delivery, ...]:
    """All users as CSV, as they are on the day; three of them are not as the contract wants them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows(_user(number, day) for number in range(1, app.USERS + 1))
    return (Delivery("users", "users.csv", text.getvalue().encode()),)


def fill(home: Path, day: date, rows: int) -> bool:
    """Let the application's log have so many rows of the day. False when it has them already.

    Raises:
        PostgresFailedError: there is no PostgreSQL, or it is not ours to write to.
    """
    trouble = {
        (city, hour): min(0.8, climate.weather(climate.nearest(*place), _hour(day, hour))["precipitation"] * 0.08)
        for city, place in PLACES.items()
        for hour in range(24)
    }
    server = postgres.start(home)
    app.create(server)
    return app.fill(server, day, rows, trouble=trouble)


def _user(number: int, day: date) -> tuple[object, ...]:
    """What somebody is does not change; what they have paid does, once a month."""
    chance = random.Random(number)  # noqa: S311 - a made-up person
    first, last = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
    segment, city = chance.choice(_SEGMENTS), chance.choice((*PLACES, ""))
    signed_up = datetime(2012, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(366 * 86400))
    months = max(0, (day.year - signed_up.year) * 12 + day.month - signed_up.month)
    paid = months * {"free": 0, "plus": 999, "business": 4950}[segment]
    mail = f"{first}.{last}{number}@example.com".lower().replace("'", "")
    match number:
        case 666:
            mail = mail.replace("@", " at ")
        case 1066:
            segment = "gold"
        case 1848:
            paid = -paid - 100
    return (
        number,
        f"{last}, {first}",
        mail,
        segment,
        city,
        f"{signed_up:%Y-%m-%d %H:%M:%S}",
        chance.choice(("yes", "no", "no")),
        f"{paid / 100:.2f}",
    )


def _hour(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)

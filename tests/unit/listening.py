"""Who listened to what: tables of interactions that tests learn from."""

import numpy as np
import pyarrow as pa
from nightlake.core.model.declaration import InteractionColumns, Recommender
from nightlake.core.model.interactions import Interactions, from_table

COLUMNS = InteractionColumns(dataset="listens", user="user_id", item="track_id", count="plays")


def declared(**changes: object) -> Recommender:
    """A recommender with small tests; changes are its own keys."""
    return Recommender.model_validate(
        {
            "interactions": COLUMNS,
            "users": {"dataset": "users", "key": "user_id"},
            "items": {"dataset": "tracks", "key": "track_id"},
            "delivers_to": "recommendations",
            **changes,
        }
    )


def rows(entries: list[tuple[object, object, float]]) -> pa.Table:
    """Rows of user, track and plays."""
    users, items, plays = zip(*entries, strict=True) if entries else ((), (), ())
    return pa.table({"user_id": list(users), "track_id": list(items), "plays": pa.array(plays, pa.float64())})


def interactions(entries: list[tuple[object, object, float]]) -> Interactions:
    """The same, read."""
    return from_table(rows(entries), COLUMNS)


def clusters(*, users: int = 300, items: int = 120, kinds: int = 6, loyalty: float = 0.8, seed: int = 1) -> pa.Table:
    """Listeners of one kind of music each, who now and then hear something else; a kind has its own popular items."""
    random = np.random.default_rng(seed)
    of_kind = items // kinds
    entries = []
    for user in range(users):
        own = user % kinds
        for _ in range(int(random.integers(8, 20))):
            kind = own if random.random() < loyalty else int(random.integers(kinds))
            place = min(int(random.exponential(of_kind / 2)), of_kind - 1)
            entries.append((f"u{user:05}", f"t{kind * of_kind + place:05}", 1.0 + float(random.poisson(2))))
    return rows(entries)


def noise(*, users: int = 300, items: int = 100, each: int = 15, seed: int = 1) -> pa.Table:
    """Everybody hears anything: there is nothing to learn."""
    random = np.random.default_rng(seed)
    return rows([(user, int(item), 1.0) for user in range(users) for item in random.choice(items, each, replace=False)])

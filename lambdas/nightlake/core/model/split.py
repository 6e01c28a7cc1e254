"""Splits interactions into what a model may learn from and what it is then asked for."""

import hashlib

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nightlake.core.model.interactions import Interactions


def split(interactions: Interactions, percent: float, *, seed: int = 0) -> tuple[Interactions, Interactions]:
    """What stays, and what is held out: of each user the newest `percent`, and never everything.

    Where no order says what is newer, a hash of user and item draws. No item of a user is in both parts; users and
    items keep their codes.
    """
    drawn = _drawn(interactions, seed)
    if interactions.order is None:
        newest_first = np.lexsort((drawn, interactions.user_codes))
    else:
        newest_first = np.lexsort((drawn, -interactions.order, interactions.user_codes))
    lengths = interactions.lengths
    wanted = np.minimum(np.round(lengths * percent / 100).astype(np.int64), np.maximum(lengths - 1, 0))
    rank = np.arange(len(interactions)) - np.repeat(interactions.starts[:-1], lengths)
    held = np.zeros(len(interactions), bool)
    held[newest_first] = rank < np.repeat(wanted, lengths)
    return interactions.where(~held), interactions.where(held)


def sample(interactions: Interactions, users: int, *, seed: int = 0) -> Interactions:
    """The interactions of so many users at most, drawn by a hash of their ids."""
    if len(interactions.users) <= users:
        return interactions
    drawn = np.argsort(hashes(interactions.users, seed), kind="stable")[:users]
    return interactions.of_users(np.sort(drawn))


def hashes(ids: pa.Array, seed: int = 0) -> NDArray[np.uint64]:
    """64 bits of each id's hash: the same for an id, whatever others there are."""
    key = seed.to_bytes(8, "little")
    joined = b"".join(hashlib.blake2b(str(each).encode(), digest_size=8, key=key).digest() for each in ids.to_pylist())
    return np.frombuffer(joined, np.uint64)


def _drawn(interactions: Interactions, seed: int) -> NDArray[np.uint64]:
    users, items = hashes(interactions.users, seed), hashes(interactions.items, seed)
    mixed: NDArray[np.uint64] = np.repeat(users, interactions.lengths) ^ (
        items[interactions.codes] * np.uint64(0x9E3779B97F4A7C15)
    )
    mixed ^= mixed >> np.uint64(31)  # the finalizer of splitmix64: near inputs come out far apart
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(29)
    return mixed

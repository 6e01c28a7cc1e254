"""Ranges of objects that never change, kept in memory while the worker is warm: the last ones read, up to a size."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

from nightlake.core.store import Store

_KEPT_BYTES: Final = 1 << 27


class Kept:
    """Reads ranges of a store's objects. A range that was read lately costs no request; any thread may ask."""

    def __init__(self, store: Store, most: int = _KEPT_BYTES) -> None:
        self._store = store
        self._most = most
        self._size = 0
        self._ranges = OrderedDict[tuple[str, int, int], bytes]()
        self._lock = Lock()

    def newest(self, key: str) -> bytes | None:
        """An object that changes, as it is now; None when it is not there."""
        found = self._store.read(key)
        return found[0] if found is not None else None

    def get(self, key: str) -> bytes:
        """All bytes of an object. Raises ObjectNotFoundError."""
        return self._once((key, 0, -1), lambda: self._store.get(key))

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """The bytes `start` to `end` (exclusive) of an object. Raises ObjectNotFoundError."""
        return self._once((key, start, end), lambda: self._store.get_range(key, start, end))

    def _once(self, place: tuple[str, int, int], read: Callable[[], bytes]) -> bytes:
        with self._lock:
            if place in self._ranges:
                self._ranges.move_to_end(place)
                return self._ranges[place]
        content = read()
        with self._lock:
            if place not in self._ranges:
                self._ranges[place] = content
                self._size += len(content)
            while self._size > self._most:
                _, dropped = self._ranges.popitem(last=False)
                self._size -= len(dropped)
        return content

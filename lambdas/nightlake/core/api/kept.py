"""Objects that never change, their ranges and footers, in memory while the worker is warm: the last ones read."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Final

from nightlake.core.store import Store

if TYPE_CHECKING:
    from nightlake.core.api.footer import Footer

_KEPT_BYTES: Final = 1 << 27
_FOOTER_BYTES: Final = 1 << 22  # as they are written; parsed ones take some ten times as much


class Kept:
    """Reads a store's objects. What was read lately costs no request; at most `most` bytes are held. For any thread."""

    def __init__(self, store: Store, most: int = _KEPT_BYTES) -> None:
        self._store = store
        self._most = most
        self._size = 0
        self._objects = OrderedDict[str, dict[tuple[int, int], bytes]]()
        self._footers: OrderedDict[str, Footer] = OrderedDict()
        self._footer_size = 0
        self._lock = Lock()

    def newest(self, key: str) -> bytes | None:
        """An object that changes, as it is now; None when it is not there."""
        found = self._store.read(key)
        return found[0] if found is not None else None

    def get(self, key: str) -> bytes:
        """All bytes of an object. Raises ObjectNotFoundError."""
        return self._once(key, 0, None, lambda: self._store.get(key))

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """The bytes `start` to `end` (exclusive) of an object. Raises ObjectNotFoundError."""
        return self._once(key, start, end, lambda: self._store.get_range(key, start, end))

    def holds(self, key: str, start: int, end: int) -> bool:
        """Whether these bytes cost no request now."""
        with self._lock:
            return self._find(key, start, end) is not None

    def known_footer(self, key: str) -> "Footer | None":
        """The footer of a file, if it is kept."""
        return self._footers.get(key)

    def footer(self, key: str, read: "Callable[[], Footer]") -> "Footer":
        """The footer of a file, parsed once."""
        with self._lock:
            found = self._footers.get(key)
            if found is not None:
                self._footers.move_to_end(key)
                return found
        footer = read()
        with self._lock:
            if key not in self._footers:
                self._footer_size += footer.size
            self._footers[key] = footer
            while self._footer_size > _FOOTER_BYTES:
                _, dropped = self._footers.popitem(last=False)
                self._footer_size -= dropped.size
        return footer

    def _once(self, key: str, start: int, end: int | None, read: Callable[[], bytes]) -> bytes:
        with self._lock:
            found = self._find(key, start, end)
        if found is not None:
            return found
        content = read()
        with self._lock:
            self._keep(key, start, content)
        return content

    def _find(self, key: str, start: int, end: int | None) -> bytes | None:
        ranges = self._objects.get(key)
        if ranges is None:
            return None
        self._objects.move_to_end(key)
        for (first, last), content in ranges.items():
            if end is None or (first <= start and end <= last):
                return content if end is None else content[start - first : end - first]
        return None

    def _keep(self, key: str, start: int, content: bytes) -> None:
        ranges = self._objects.setdefault(key, {})
        if (start, start + len(content)) in ranges:
            return
        ranges[start, start + len(content)] = content
        self._size += len(content)
        while self._size > self._most:
            _, dropped = self._objects.popitem(last=False)
            self._size -= sum(map(len, dropped.values()))

"""What is published: HEAD's snapshot, or the older one that a cursor is pinned to."""

import hashlib
from dataclasses import dataclass
from typing import Final

from nightlake.core import layout
from nightlake.core.errors import NothingPublishedError
from nightlake.core.snapshot import Head, Partition, PublishedTable, Snapshot
from nightlake.core.store import Store

_KEPT: Final = 8


@dataclass(frozen=True)
class Pinned:
    """A snapshot and the digest of its text, which nobody knows who cannot read the lake."""

    snapshot: Snapshot
    digest: bytes

    def table(self, name: str, *, private: bool = False) -> PublishedTable | None:
        """The table of this name, if it has a partition; a private one only for who says that he may see it."""
        tables = (table for table in self.snapshot.tables if table.private == private and table.partitions)
        return next((table for table in tables if table.table == name), None)


def latest(table: PublishedTable, snapshot: Snapshot) -> Partition:
    """The newest partition that does not begin after the business date that the snapshot published; else the first.

    Rows know days to come: an order can be due in 2042.
    """
    past = [each for each in table.partitions if each.day <= snapshot.date]
    return past[-1] if past else table.partitions[0]


def find_table(pinned: Pinned | None, dataset: str, *, private: bool) -> tuple[Pinned, PublishedTable]:
    """The snapshot and its table of this name. Raises NothingPublishedError."""
    table = pinned.table(dataset, private=private) if pinned else None
    if pinned is None or table is None:
        raise NothingPublishedError(f"Nothing of '{dataset}' is published yet; its first good night will do it")
    return pinned, table


class Published:
    """The published snapshots of a lake. They never change, so the last ones read are kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, Pinned] = {}
        self._heads: dict[str, tuple[str, Head]] = {}

    def head(self, pipeline: str) -> Head | None:
        """HEAD as it is now; None before the first publication."""
        found = self._store.read(layout.head(pipeline))
        if found is None:
            return None
        text, info = found
        etag, head = self._heads.get(pipeline, ("", None))
        if head is None or etag != info.etag:
            head = Head.model_validate_json(text)
            self._heads[pipeline] = (info.etag, head)
        return head

    def newest(self, pipeline: str) -> Pinned | None:
        """HEAD's snapshot; None before the first publication."""
        head = self.head(pipeline)
        return self.at(head.key) if head else None

    def pinned(self, pipeline: str, number: int) -> Pinned | None:
        """The snapshot of this number; None when HEAD does not keep it."""
        head = self.head(pipeline)
        kept = head.find_kept(number) if head else None
        return self.at(kept.key) if kept else None

    def at(self, key: str) -> Pinned:
        """The snapshot of this key, whether or not HEAD keeps it. Raises ObjectNotFoundError."""
        if key not in self._read:
            text = self._store.get(key)
            if len(self._read) >= _KEPT:
                self._read.pop(next(iter(self._read)))
            self._read[key] = Pinned(Snapshot.model_validate_json(text), hashlib.sha256(text).digest())
        return self._read[key]

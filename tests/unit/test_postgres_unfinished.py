"""What a day of a table waits for when its database is a replica: it is never taken for whole while it may not be."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from live_table import source
from nightlake.core.postgres_unfinished import unfinished

END = datetime(2026, 3, 11, tzinfo=UTC)
BEFORE, BEHIND = "2026-03-10T23:59:59.9+00:00", "2026-03-11T00:00:00.1+00:00"


class Replica:
    """A session that says how far it is; it has no transactions to show."""

    def __init__(self, **clock: Any) -> None:
        self.clock = {"now": "2026-03-11T03:00:00.0+00:00", "standby": True, "hidden": 0, **clock}

    def rows(self, sql: str) -> list[dict[str, Any]]:
        assert "pg_is_in_recovery()" in sql, "a replica's own transactions say nothing"
        return [self.clock]

    def stream(self, sql: str) -> Iterator[Any]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("replays", "replayed", "heard", "is_whole"),
    [
        (True, BEHIND, None, True),
        (True, BEFORE, BEHIND, True),
        (True, None, BEHIND, True),
        (True, BEFORE, BEFORE, False),
        (True, BEFORE, None, False),
        (True, None, None, False),
        (False, None, None, True),
    ],
    ids=["commit", "idle", "restarted", "late", "cut off", "unknown", "shared storage"],
)
def test_a_replica_has_the_day_when_it_shows_that_it_has(
    replays: bool, replayed: str | None, heard: str | None, is_whole: bool
) -> None:
    replica = Replica(replays=replays, replayed=replayed, heard=heard)

    found = unfinished(replica, source(), END, is_late=True)

    assert (found.missing == "") is is_whole
    assert is_whole or "what the primary wrote until 2026-03-11T00:00:00Z" in found.missing
    assert ("pg_read_all_stats" in found.missing) is (not is_whole and heard is None)


def test_what_is_open_on_the_primary_is_warned_of_unless_an_overlap_reads_it_again() -> None:
    replica = Replica(replays=True, replayed=BEHIND, heard=None)

    assert [rule for rule, _ in unfinished(replica, source(), END, is_late=True).warnings] == ["postgres.replica"]
    assert unfinished(replica, source(overlap_minutes=30), END, is_late=True).warnings == []

"""What may still bring rows of a day that a table has: the day itself, a replica that is behind, open transactions."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from nightlake.core.postgres_session import Session
from nightlake.core.postgres_source import PostgresSource

SETTLE_SECONDS: Final = (0.1, 0.4, 1.0, 2.5)
_TOLD: Final = 3


class Unfinished(NamedTuple):
    """What a day waits for, "" for nothing, and rules with reasons that are told once it waits no longer."""

    missing: str
    warnings: list[tuple[str, str]]


def unfinished(
    session: Session, source: PostgresSource, end: datetime, *, is_late: bool, settle: Sequence[float] = SETTLE_SECONDS
) -> Unfinished:
    """What may still add to the rows before `end`.

    When it `is_late`, transactions whose rows the overlap of the next night reads are waited for no longer. Those that
    do not show when they began are given the seconds of `settle` to end: after that, they were long ones.
    """
    (clock,) = session.rows(_CLOCK)
    if _instant(clock["now"]) < end:
        return Unfinished(f"the end of the day in {source.timezone}, {_said(end)} by the database's clock", [])
    if clock["standby"]:
        return _of_replica(clock, source, end)
    warnings = []
    if clock["hidden"]:
        told = (
            f"{clock['hidden']} sessions of other roles cannot be seen, whose transactions may add to the day; "
            "grant pg_read_all_stats to the role"
        )
        warnings.append(("postgres.hidden_sessions", told))
    open_ones = _open_ones(session, end, settle)
    if not open_ones:
        return Unfinished("", warnings)
    told = _told(open_ones)
    covered = end - timedelta(minutes=source.overlap_minutes)
    if is_late and all(each["since"] and _instant(each["since"]) >= covered for each in open_ones):
        told = f"{told}; the next night reads their rows again"
        return Unfinished("", [*warnings, ("postgres.open_transactions", told)])
    return Unfinished(f"the end of {told}", warnings)


def _of_replica(clock: dict[str, Any], source: PostgresSource, end: datetime) -> Unfinished:
    """Complete is what a replica has once it has a commit from behind the day's end, or its idle primary says so.

    One that replays nothing, because it reads its primary's own storage, is never behind.
    """
    seen = [_instant(at) for at in (clock["replayed"], clock["heard"]) if at]
    if clock["replays"] and (not seen or max(seen) < end):
        last = _said(max(seen)) if seen else "a time that this role may not see"
        told = f"what the primary wrote until {_said(end)}; this replica has it until {last}"
        return Unfinished(told + " (pg_read_all_stats shows when a primary is idle)" * (not clock["heard"]), [])
    told = "this is a replica, which cannot show the transactions that are open on its primary"
    return Unfinished("", [] if source.overlap_minutes else [("postgres.replica", told)])


def _open_ones(session: Session, end: datetime, settle: Sequence[float]) -> list[dict[str, Any]]:
    """The transactions that may have rows from before `end`.

    Whatever shows no begin may be any of a busy database: of these, only those that were there at first can be older.
    """
    asked = _OPEN.format(end=f"'{end.isoformat()}'::timestamptz")
    found = session.rows(asked)
    for seconds in settle:
        if all(each["since"] for each in found):
            break
        session.rows(_PAUSE.format(seconds=seconds))
        still = {(each["who"], each["xid"]) for each in session.rows(asked)}
        found = [each for each in found if (each["who"], each["xid"]) in still]
    return found


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _said(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _told(open_ones: Sequence[dict[str, Any]]) -> str:
    named = [
        f"transaction {each['who']} of {each['application'] or 'an unnamed application'}, "
        f"open {'since ' + each['since'] if each['since'] else 'for a time that this role may not see'}"
        for each in open_ones[:_TOLD]
    ]
    more = f" and {len(open_ones) - _TOLD} more" if len(open_ones) > _TOLD else ""
    return "; ".join(named) + more


_ISO: Final = """'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'"""
# The last message that a receiver has had says, by its primary's clock, that there was no more than it tells of.
_CLOCK: Final = f"""
SELECT to_char(clock_timestamp(), {_ISO}) AS now, pg_is_in_recovery() AS standby,
  to_char(pg_last_xact_replay_timestamp(), {_ISO}) AS replayed, pg_last_wal_replay_lsn() IS NOT NULL AS replays,
  (SELECT to_char(max(last_msg_send_time), {_ISO}) FROM pg_stat_wal_receiver
    WHERE status = 'streaming' AND latest_end_lsn <= pg_last_wal_replay_lsn()) AS heard,
  (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type IS NULL) AS hidden
"""  # noqa: S608 (all of it is ours)
# A transaction's rows have the time of its begin, so that one which began later has none of the day.
_OPEN: Final = f"""
SELECT 'pid ' || pid::text AS who, coalesce(backend_xid::text, '') AS xid, application_name::text AS application,
  to_char(xact_start, {_ISO}) AS since
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND coalesce(application_name, '') <> 'nightlake'
  AND (xact_start < {{end}} OR xact_start IS NULL AND backend_xid IS NOT NULL)
  AND coalesce(backend_type, '') NOT IN ('autovacuum worker', 'walsender')
UNION ALL
SELECT 'prepared as ' || transaction, '', 'a two-phase commit', NULL FROM pg_prepared_xacts
WHERE database = current_database()
ORDER BY since NULLS FIRST
"""  # noqa: S608
_PAUSE: Final = "SELECT pg_stat_clear_snapshot()::text AS seen, pg_sleep({seconds})::text AS waited"

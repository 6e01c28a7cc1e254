"""The versions of a pipeline's model, and the one pointer that says which of them is champion.

A version is claimed, its files are written, its record last: what has no record is no version. A version never changes.
CHAMPION is moved like HEAD, with If-Match: promotion and rollback are one PUT each.
"""

import hashlib
from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple

from nightlake.core import layout
from nightlake.core.errors import (
    ChampionChangedError,
    ModelNotFoundError,
    ModelRejectedError,
    ModelUnreadableError,
    PublishContendedError,
)
from nightlake.core.frozen import Frozen
from nightlake.core.model.model_record import Champion, ModelRecord, ModelVerdict, Move, Scored
from nightlake.core.store import ObjectNotFoundError, PreconditionFailedError, Store

TRIES: Final = 8
MAX_HISTORY: Final = 400


class Claim(Frozen):
    """The execution whose number a version is."""

    execution_id: str


class Version(NamedTuple):
    """All that is known of one version; a verdict or a publication is None before there is one."""

    record: ModelRecord
    verdict: ModelVerdict | None
    scored: Scored | None


def claim_version(store: Store, pipeline: str, execution_id: str) -> int:
    """The number of the version that this execution trains: the same for every retry of it, and nobody else's.

    Raises PublishContendedError when others are quicker every time.
    """
    for _ in range(TRIES):
        numbers = _numbers(store, pipeline)
        if numbers:
            found = store.find_model(layout.model_claim(pipeline, numbers[-1]), Claim)
            if found is not None and found[0].execution_id == execution_id:
                return numbers[-1]
        number = numbers[-1] + 1 if numbers else 1
        key = layout.model_claim(pipeline, number)
        try:
            store.put_model(key, Claim(execution_id=execution_id), if_none_match=True)
        except PreconditionFailedError:
            continue
        return number
    raise PublishContendedError(f"{TRIES} numbers of the model of '{pipeline}' were taken by others; train again")


def _numbers(store: Store, pipeline: str) -> list[int]:
    """The numbers that are claimed, in their order."""
    return _having(store, pipeline, "claim.json")


def _having(store: Store, pipeline: str, file: str) -> list[int]:
    keys = (found.key for found in store.list(layout.model_versions(pipeline)))
    return layout.numbered_versions(pipeline, keys, file)


def digest(content: bytes) -> str:
    """SHA-256, in hex: what a record says of its files."""
    return hashlib.sha256(content).hexdigest()


def keep_version(store: Store, record: ModelRecord, *, artifact: bytes, interactions: bytes) -> ModelRecord:
    """Write a version's files and then its record; the record that a retry finds there is left as it is."""
    pipeline, version = record.pipeline, record.version
    if (kept := find_record(store, pipeline, version)) is not None:
        return kept
    store.put(layout.model_artifact(pipeline, version), artifact)
    store.put(layout.model_interactions(pipeline, version), interactions)
    try:
        store.put_model(layout.model_record(pipeline, version), record, if_none_match=True)
    except PreconditionFailedError:
        return get_record(store, pipeline, version)
    return record


def find_record(store: Store, pipeline: str, version: int) -> ModelRecord | None:
    """How a version came about; None where there is no such version."""
    found = store.find_model(layout.model_record(pipeline, version), ModelRecord)
    return found[0] if found else None


def get_record(store: Store, pipeline: str, version: int) -> ModelRecord:
    """The same. Raises ModelNotFoundError naming the versions that there are."""
    found = find_record(store, pipeline, version)
    if found is None:
        there = ", ".join(str(each) for each in reversed(_recorded(store, pipeline))) or "none"
        raise ModelNotFoundError(f"The model of '{pipeline}' has no version {version} (it has: {there})")
    return found


def _recorded(store: Store, pipeline: str) -> list[int]:
    return _having(store, pipeline, "record.json")


def find_verdict(store: Store, pipeline: str, version: int) -> ModelVerdict | None:
    """How a version was judged; None where it was not yet."""
    found = store.find_model(layout.model_verdict(pipeline, version), ModelVerdict)
    return found[0] if found else None


def keep_verdict(store: Store, pipeline: str, verdict: ModelVerdict) -> None:
    """Write a verdict beside its version; one against a newer champion takes its place."""
    store.put_model(layout.model_verdict(pipeline, verdict.version), verdict)


def tried_on(store: Store, pipeline: str, version: int) -> date:
    """The business date of the newest data with which the version was trained, or tried against a newer one.

    Raises ModelNotFoundError.
    """
    for newer in reversed(_recorded(store, pipeline)):
        verdict = find_verdict(store, pipeline, newer) if newer > version else None
        if verdict is not None and verdict.against == version:
            return get_record(store, pipeline, newer).date
    return get_record(store, pipeline, version).date


def list_versions(store: Store, pipeline: str) -> Iterator[Version]:
    """All versions, the newest first."""
    for version in reversed(_recorded(store, pipeline)):
        yield get_version(store, pipeline, version)


def get_version(store: Store, pipeline: str, version: int) -> Version:
    """One version. Raises ModelNotFoundError."""
    return Version(
        get_record(store, pipeline, version),
        find_verdict(store, pipeline, version),
        find_scored(store, pipeline, version),
    )


def get_artifact(store: Store, record: ModelRecord) -> bytes:
    """What scores. Raises ModelUnreadableError when it is gone or another than the record says."""
    return _checked(store, record, layout.model_artifact(record.pipeline, record.version), record.artifact_sha256)


def get_interactions(store: Store, record: ModelRecord) -> bytes:
    """What the version was trained on. Raises ModelUnreadableError as `get_artifact` does."""
    key = layout.model_interactions(record.pipeline, record.version)
    return _checked(store, record, key, record.interactions_sha256)


def _checked(store: Store, record: ModelRecord, key: str, sha256: str) -> bytes:
    try:
        content = store.get(key)
    except ObjectNotFoundError as error:
        raise ModelUnreadableError(
            f"s3://{store.bucket}/{key} of version {record.version} is gone; train anew, or roll back"
        ) from error
    if digest(content) != sha256:
        raise ModelUnreadableError(
            f"s3://{store.bucket}/{key} is not what version {record.version} was recorded with; "
            "train anew, or roll back"
        )
    return content


def find_champion(store: Store, pipeline: str) -> tuple[Champion, str] | None:
    """CHAMPION and its ETag; None before the first promotion."""
    return store.find_model(layout.champion(pipeline), Champion)


def champion_version(store: Store, pipeline: str) -> int:
    """The version that is champion; 0 for none, as before the first promotion."""
    found = find_champion(store, pipeline)
    return found[0].version if found else 0


def promote(
    store: Store,
    pipeline: str,
    version: int | None,
    *,
    expected: int | None,
    by: str,
    reason: str,
    at: str,
    force: bool = False,
) -> Champion:
    """Make a version champion, or (None) the one that was champion before the present one: a rollback. Before the first
    there was none, and version 0 says so: what is popular is recommended then, until another one is promoted.

    `expected` is the version that must be champion now, 0 for none; None takes whichever. A version that is champion
    already stays it.

    Raises ModelNotFoundError, ModelUnreadableError when its files are gone, ModelRejectedError when it was not judged
    good (unless `force`), ChampionChangedError, or PublishContendedError.
    """
    for _ in range(TRIES):
        found = find_champion(store, pipeline)
        now = found[0] if found else None
        current = now.version if now else 0
        target, previous = (version, current) if version is not None else _before(pipeline, now)
        if version is not None and now is not None and current == version:
            return now
        if expected is not None and current != expected:
            raise ChampionChangedError(
                f"Version {current} is champion of '{pipeline}', not {expected} as expected"
                f"{f' ({now.reason}, by {now.by} at {now.at})' if now else ''}; judge again against that one"
            )
        if target:
            _refuse(store, pipeline, target, judged=version is not None and not force)
        move = Move(version=target, previous=previous, at=at, by=by, reason=reason)
        moved = Champion(
            pipeline=pipeline,
            **move.model_dump(),
            revision=now.revision + 1 if now else 0,
            history=((now.history if now else ()) + (move,))[-MAX_HISTORY:],
        )
        try:
            store.put_model(
                layout.champion(pipeline), moved, if_match=found[1] if found else None, if_none_match=found is None
            )
        except PreconditionFailedError:
            continue
        return moved
    raise PublishContendedError(f"CHAMPION of '{pipeline}' moved {TRIES} times meanwhile; promote again")


def _before(pipeline: str, now: Champion | None) -> tuple[int, int]:
    """The champion before this one (0: none), and the one before that: so that rolling back again goes on backward."""
    if now is None or not now.version:
        raise ModelNotFoundError(
            f"'{pipeline}' has no champion{'' if now is None else ' any more'} to roll back from; "
            "promote a version by number"
        )
    return now.previous, _previous(now, now.previous) if now.previous else 0


def _refuse(store: Store, pipeline: str, version: int, *, judged: bool) -> None:
    """Refuse a version that is gone or, where it must be `judged`, is not known to be good."""
    record = get_record(store, pipeline, version)
    key = layout.model_artifact(pipeline, record.version)
    if store.head(key) is None:
        raise ModelUnreadableError(f"s3://{store.bucket}/{key} is gone, and the version with it; promote another one")
    verdict = find_verdict(store, pipeline, version) if judged else None
    if judged and not (verdict and verdict.promote):
        why = "; ".join(verdict.reasons) if verdict else "it was never judged"
        raise ModelRejectedError(
            f"Version {version} of '{pipeline}' may not become champion: {why}. Who knows better promotes it by force"
        )


def keep_scored(store: Store, scored: Scored) -> None:
    """Note what was published with a version: from now on the API answers from there while it is champion."""
    store.put_model(layout.scored(scored.pipeline, scored.version), scored)


def find_scored(store: Store, pipeline: str, version: int) -> Scored | None:
    """What was published last with a version; None where nothing was."""
    found = store.find_model(layout.scored(pipeline, version), Scored)
    return found[0] if found else None


def find_answering(store: Store, pipeline: str) -> Scored | None:
    """What the API answers from: the champion's newest publication or, until there is one, that of the champion before
    it, and so on backward; never that of a version that was rolled back. Where the first was rolled back, what was
    published last says what is popular, as version 0. None before the first.
    """
    found = find_champion(store, pipeline)
    if found is None:
        return None
    champion = found[0]
    versions = (
        _lineage(champion)
        if champion.version
        else (move.version for move in reversed(champion.history) if move.version)
    )
    published = (find_scored(store, pipeline, version) for version in versions)
    scored = next((scored for scored in published if scored is not None), None)
    return scored if champion.version or scored is None else scored.model_copy(update={"version": 0})


def _lineage(champion: Champion) -> Iterator[int]:
    """The champion, the one before it, the one before that."""
    seen, version = set[int](), champion.version
    while version and version not in seen:
        yield version
        seen.add(version)
        version = _previous(champion, version)


def _previous(champion: Champion, version: int) -> int:
    """The champion before this one when it was promoted last; 0 for none."""
    return next((move.previous for move in reversed(champion.history) if move.version == version), 0)


def scored_snapshots(store: Store, pipeline: str, publisher: str) -> Iterator[str]:
    """The keys of the snapshots of `publisher` that a version of the model may be answered from."""
    for found in store.list(layout.scored_versions(pipeline)):
        scored = store.find_model(found.key, Scored)
        if scored is not None and scored[0].publisher == publisher:
            yield scored[0].key

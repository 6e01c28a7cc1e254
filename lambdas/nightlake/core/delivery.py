"""What was delivered of a source for one day, pinned to object versions, and what is still missing."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from nightlake.core.errors import EncodingError
from nightlake.core.shard import Finding, SourceObject, TablePart
from nightlake.core.source import S3Source, matching
from nightlake.core.store import ObjectInfo, Store


@dataclass(frozen=True)
class Delivery:
    """The objects in the order of their keys; `missing` says what keeps the day from being complete, "" if nothing.

    `wait_seconds` says when to look again, where that is known; `parts` what each object is cut into, where its bytes
    do not say, and `header` the names of their columns. `warnings` are for whoever reads the verdict.
    """

    objects: tuple[SourceObject, ...]
    missing: str
    wait_seconds: int | None = None
    parts: tuple[tuple[TablePart, ...], ...] = ()
    records: tuple[int, ...] = ()
    since: datetime | None = None
    header: tuple[str, ...] | None = None
    warnings: tuple[Finding, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256, in hex, over the objects: equal for the same versions of the same objects."""
        text = json.dumps([item.model_dump() for item in self.objects])
        return hashlib.sha256(text.encode()).hexdigest()


def find_delivery(source: S3Source, day: date, raw: Store, *, now: datetime) -> Delivery:
    """The newest versions of all objects that match the source's path on that day.

    Marker and manifest are no data, nor are the objects that consoles make for folders. A manifest is text with one
    name a line, relative to the day's folder; it may list what other sources read. Raises EncodingError when it is
    not UTF-8.
    """
    ready = source.ready
    sign = ready.marker or ready.manifest
    sign_key = source.folder(day) + sign if sign else ""
    listed = {info.key: info for info in raw.list_versions(source.folder(day) if sign else source.prefix(day))}
    matches = re.compile(matching(source.pattern(day))).fullmatch
    data = [info for key, info in listed.items() if key != sign_key and not key.endswith("/") and matches(key)]
    if ready.files is not None:
        missing = f"{ready.files - len(data)} more of {ready.files} objects" if len(data) < ready.files else ""
    elif sign_key not in listed:
        missing = f"the object {sign_key}"
    else:
        missing = _unlisted(listed[sign_key], source.folder(day), listed, data, raw) if ready.manifest else ""
    return Delivery(
        objects=tuple(
            SourceObject(key=info.key, version_id=info.version_id, etag=info.etag, size=info.size) for info in data
        ),
        missing=missing or _unquiet(data, now, ready.quiet_minutes),
    )


def _unlisted(
    manifest: ObjectInfo, folder: str, listed: Mapping[str, ObjectInfo], data: Sequence[ObjectInfo], raw: Store
) -> str:
    """What a manifest lists and is not there; or what is there and not listed, which may be half of something."""
    try:
        text = raw.get(manifest.key, manifest.version_id).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EncodingError(f"The manifest {manifest.key} is not UTF-8 ({error}); write one name a line") from error
    wanted = {folder + line.strip() for line in text.splitlines() if line.strip()}
    if absent := sorted(wanted - listed.keys()):
        return f"{', '.join(absent)}, which {manifest.key} lists"
    if unknown := [info.key for info in data if info.key not in wanted]:
        return f"the mention of {', '.join(unknown)} in {manifest.key}"
    return ""


def _unquiet(data: Sequence[ObjectInfo], now: datetime, minutes: int) -> str:
    newest = max(data, key=lambda info: info.modified, default=None)
    if newest is None or newest.modified + timedelta(minutes=minutes) <= now:
        return ""
    return f"{minutes} minutes without a change ({newest.key} is of {newest.modified:%Y-%m-%dT%H:%M:%SZ})"

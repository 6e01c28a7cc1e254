"""All manifests of a table as one object, a line each, so that a worker asks once for the files of a snapshot's table.

It is named by the manifests, and follows from them: where it is missing, each manifest is read by itself.
"""

import hashlib

from nightlake.core import layout
from nightlake.core.api.ranged_file import Ranges
from nightlake.core.parallel import each
from nightlake.core.snapshot import PartitionManifest, PublishedTable
from nightlake.core.store import ObjectNotFoundError, Store

_WORKERS = 8


def file_list_key(pipeline: str, table: PublishedTable) -> str:
    """Where the list of this state of the table lies."""
    manifests = "\n".join(partition.manifest for partition in table.partitions)
    return layout.file_list(pipeline, table.table, hashlib.sha256(manifests.encode()).hexdigest()[:40])


def write_file_list(store: Store, pipeline: str, table: PublishedTable, before: PublishedTable | None) -> None:
    """Write the list, taking from the one of the table `before` what is the same."""
    known: dict[str, bytes] = {}
    if before is not None:
        lines = find_file_list(store, pipeline, before) or []
        known = dict(zip((partition.manifest for partition in before.partitions), lines, strict=False))
    keys = [partition.manifest for partition in table.partitions]
    lines = each(lambda key: known.get(key) or _line(store.get(key)), keys, workers=_WORKERS)
    store.put(file_list_key(pipeline, table), b"\n".join(lines))


def find_file_list(source: Ranges, pipeline: str, table: PublishedTable) -> list[bytes] | None:
    """The manifests' texts in the order of the partitions; None where there is no list."""
    try:
        lines = source.get(file_list_key(pipeline, table)).split(b"\n")
    except ObjectNotFoundError:
        return None
    return lines if len(lines) == len(table.partitions) else None


def _line(text: bytes) -> bytes:
    return PartitionManifest.model_validate_json(text).model_dump_json(by_alias=True).encode()

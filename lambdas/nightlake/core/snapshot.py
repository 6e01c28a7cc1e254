"""What is published: HEAD names a snapshot, a snapshot names partitions, a partition's manifest names files."""

from calendar import monthrange
from datetime import date

from nightlake.core.frozen import Frozen
from nightlake.core.pipeline import Column
from nightlake.core.source import Grain


class PublishedFile(Frozen):
    """One sealed Parquet file; `contribution` is the business date whose delivery the rows came with.

    With an `origin` it is the copy of that file without the rows that newer contributions brought again.
    """

    key: str
    etag: str
    size: int
    rows: int
    contribution: date
    origin: str | None = None


class SealedFile(Frozen):
    """One sealed file and the day that its rows belong to."""

    day: date
    file: PublishedFile


class Beside(Frozen):
    """What other business dates had published from `since` until `until` (ISO 8601, aware) when rows were read.

    `digest` is the one of `core.published_keys`: rows that were there were not taken again.
    """

    since: str
    until: str
    digest: str


class SealedTable(Frozen):
    """What one run sealed of one table; `columns` and `hidden` as in `core.table.Table`.

    Its rows are right beside what others had published, if they were read so. In a partition they replace those of
    older business dates that have the same values in the columns `newest_by`, if there are any.
    """

    table: str
    private: bool
    columns: tuple[Column, ...]
    hidden: tuple[str, ...] = ()
    grain: Grain = "day"
    newest_by: tuple[str, ...] = ()
    files: tuple[SealedFile, ...]
    beside: Beside | None = None


class PartitionManifest(Frozen):
    """Every file of one partition; nothing else lies under `location` (a key prefix of the lake bucket).

    Files that lost rows to newer contributions are kept elsewhere as they were sealed (`replaced`): when those are
    taken back, the rows are served again.
    """

    table: str
    day: date
    location: str
    files: tuple[PublishedFile, ...]
    replaced: tuple[PublishedFile, ...] = ()

    @property
    def sealed(self) -> tuple[PublishedFile, ...]:
        """The files as they were sealed, whatever of them is served."""
        return (*(file for file in self.files if file.origin is None), *self.replaced)


class Partition(Frozen):
    """One partition in a snapshot; `manifest` is the key of its PartitionManifest.

    `contributions` are the business dates whose deliveries brought its rows, in their order: a run that replaces its
    own finds the partitions by them. `run_id` is the run that put the partition together. `day` is the first of those
    that the partition is of: itself, or its month's or year's (`grain`).
    """

    day: date
    grain: Grain = "day"
    location: str
    manifest: str
    files: int
    rows: int
    bytes: int
    run_id: str
    contributions: tuple[date, ...]

    def has_days(self, first: date, last: date) -> bool:
        """Whether the partition is of a day from `first` to `last`."""
        return self.day <= last and first <= self.last_day

    @property
    def last_day(self) -> date:
        """The last of the days that the partition is of."""
        match self.grain:
            case "day":
                return self.day
            case "month":
                return self.day.replace(day=monthrange(self.day.year, self.day.month)[1])
            case "year":
                return self.day.replace(month=12, day=31)


class PublishedTable(Frozen):
    """One table in a snapshot, its partitions in the order of their days.

    A drift column that came once is one of its `columns`, at their end, whether or not the newest delivery has it.
    """

    table: str
    private: bool
    columns: tuple[Column, ...]
    partitions: tuple[Partition, ...]


class PublishedRun(Frozen):
    """The run that published a business date last, and the number of the snapshot that it made."""

    date: date
    run_id: str
    snapshot: int


class Snapshot(Frozen):
    """One state of all tables of a pipeline; `date` and `run_id` are those of the run that published it.

    `runs` are the published runs, this one included, one a business date and in the order of the dates: Publish takes
    them from the parent and replaces its own date's.
    """

    pipeline: str
    number: int
    parent: int | None
    run_id: str
    date: date
    contract_hash: str
    created_at: str
    tables: tuple[PublishedTable, ...]
    runs: tuple[PublishedRun, ...] = ()


class KeptSnapshot(Frozen):
    """A snapshot that was published once and can be published again; `created_at` in ISO 8601."""

    number: int
    key: str
    run_id: str
    date: date
    created_at: str


class Head(Frozen):
    """The snapshot that is published (`snapshot`, its `key`) and the highest number ever used (`latest`).

    `kept` are all snapshots that HEAD has named and may name again, oldest first: the objects beside them are of runs
    that lost a race. `revision` counts every move, so that no two HEADs are equal and an If-Match never mistakes one.
    """

    pipeline: str
    snapshot: int
    key: str
    latest: int
    revision: int = 0
    kept: tuple[KeptSnapshot, ...] = ()

    def find_kept(self, number: int | None) -> KeptSnapshot | None:
        """The kept snapshot of this number; None where it is not kept."""
        return next((kept for kept in self.kept if kept.number == number), None)

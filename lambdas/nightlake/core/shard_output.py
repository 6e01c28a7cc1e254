"""Turns the batches of one shard into staged files, refused rows and a receipt that accounts for every record."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Final

from nightlake.core import layout
from nightlake.core.check_batch import BatchCheck, Checked
from nightlake.core.errors import BalanceError
from nightlake.core.mask import Mask
from nightlake.core.pipeline import Pipeline
from nightlake.core.quarantine import RefusedRows
from nightlake.core.readers.batch import Batch
from nightlake.core.shard import QuarantineFile, Receipt, RuleCount, Shard
from nightlake.core.shard_columns import ShardColumns
from nightlake.core.source import BUSINESS_DATE
from nightlake.core.staged_files import StagedFiles
from nightlake.core.store import Store
from nightlake.core.table import tables
from nightlake.core.value_parser import Reading

if TYPE_CHECKING:
    import pyarrow as pa

_SPLIT_BYTES: Final = 32 << 20  # of rows are split by day at once: of fewer, a day's share would be crumbs


@dataclass(frozen=True)
class Attempt:
    """Who converts: the run, a `name` that no other attempt has, and since when (an aware time)."""

    run_id: str
    name: str
    at: datetime

    @property
    def loaded_at(self) -> datetime:
        """The time in UTC, naive and in milliseconds, as it is written."""
        at = self.at.astimezone(UTC).replace(tzinfo=None)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)


class ShardOutput:
    """Takes the batches of one shard; what they became is the receipt."""

    def __init__(
        self, shard: Shard, pipeline: Pipeline, attempt: Attempt, *, origin: str, spill: IO[bytes], staging: Store
    ) -> None:
        """`origin` is the object as s3://bucket/key; `spill` an open file that takes the refused rows."""
        self.dataset = pipeline.dataset(shard.dataset)
        self.source = pipeline.source(shard.dataset)
        self._shard = shard
        self._attempt = attempt
        self._origin = origin
        self._check = BatchCheck(Reading.of(self.source), self.source.partition_by)
        self._files = StagedFiles(staging, self._key)
        self.columns = ShardColumns(shard.header, self.source, self.dataset)
        mask = Mask(self.dataset, self.source, shard.header or ())
        self._refused = RefusedRows(
            spill, shard, mask, origin=origin, run_id=attempt.run_id, quarantined_at=attempt.loaded_at
        )
        self._records = Counter[str]()
        self._rules = Counter[str]()
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._begin: int | None = None
        self._stop: int | None = None

    def take(self, batch: Batch) -> None:
        """Convert one batch.

        Raises BalanceError when it does not begin where the one before stopped, HeaderMismatchError when it has columns
        that the source cannot take.
        """
        self._follow(batch)
        batch = self.columns.complete(batch)
        checked = self._check(batch, self.columns.whole)
        self._refused.add(batch, checked)
        self._stage(batch, checked)
        self._records.update(records=batch.records, header=batch.header, skipped=batch.skipped, lines=batch.lines)
        self._records.update(rounded=_kept(checked))
        self._rules.update(checked.broken)
        self._rules.update(rule for row in batch.refused for rule in row.rules)

    def _follow(self, batch: Batch) -> None:
        if self._stop is None:
            self._begin = batch.start
        elif batch.start != self._stop:
            raise BalanceError(
                f"{self._origin}: a batch begins at byte {batch.start}, the one before stopped at byte {self._stop}; "
                "report this together with the object"
            )
        self._stop = batch.stop

    def _stage(self, batch: Batch, checked: Checked) -> None:
        import numpy as np
        import pyarrow as pa

        same = pa.repeat(pa.scalar(0, pa.int8()), len(batch.positions))
        of_run = {
            "_run_id": pa.DictionaryArray.from_arrays(same, [self._attempt.run_id]),
            "_loaded_at": pa.repeat(pa.scalar(self._attempt.loaded_at, pa.timestamp("ms")), len(same)),
            "_source": pa.DictionaryArray.from_arrays(
                same, [f"{self._origin}#{self._begin}" if self._begin else self._origin]
            ),
            "_position": pa.array(batch.positions, pa.int64()),
        }
        rows = pa.table(checked.columns | of_run)
        if checked.refused:
            kept = np.ones(len(rows), bool)
            kept[list(checked.refused)] = False
            rows = rows.filter(pa.array(kept))
        self._waiting.append(rows)
        self._waiting_bytes += rows.nbytes
        if self.source.partition_by == BUSINESS_DATE or self._waiting_bytes >= _SPLIT_BYTES:
            self._split()

    def _split(self) -> None:
        """Give the rows that are waiting to the files of their tables and days."""
        import pyarrow as pa

        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if sum(rows.num_rows for rows in waiting):
            columns = {table.name: [column.name for column in table.columns] for table in tables(self.columns.whole)}
            for day, part in self._by_day(pa.concat_tables(waiting, promote_options="default")):
                for table, names in columns.items():
                    self._files.add(table, day, part.select(names))

    def _by_day(self, rows: "pa.Table") -> "Iterator[tuple[date, pa.Table]]":
        import numpy as np
        import pyarrow as pa

        if self.source.partition_by == BUSINESS_DATE:
            yield self._shard.date, rows
            return
        days = rows[self.source.partition_by].cast(pa.date32()).combine_chunks()
        numbers = days.view(pa.int32()).to_numpy()
        if self.source.partition_grain != "day":
            unit = {"month": "M8[M]", "year": "M8[Y]"}[self.source.partition_grain]
            numbers = numbers.astype("M8[D]").astype(unit).astype("M8[D]").astype("int32")
            days = pa.array(numbers, pa.date32())
        if (numbers != numbers[0]).any():
            order = np.argsort(numbers, kind="stable")
            rows, days, numbers = rows.take(pa.array(order)), days.take(pa.array(order)), numbers[order]
        ends = np.flatnonzero(np.diff(numbers, append=numbers[-1] + 1)) + 1
        for start, end in pairwise([0, *ends.tolist()]):
            yield days[start].as_py(), rows.slice(start, end - start)

    def finish(self, quarantine: Store) -> Receipt:
        """Write what is still held and say what became of every record. Raises BalanceError."""
        self._split()
        files = self._files.finish()
        rows = sum(file.rows for file in files if file.table == self.dataset.name)
        counts = Counter({**self._records, "rows": rows, "quarantined": self._refused.rows})
        if counts["records"] != counts["header"] + counts["skipped"] + counts["rows"] + counts["quarantined"]:
            raise BalanceError(
                f"{self._origin} from byte {self._shard.start}: the records are not what became of them, {counts}; "
                "report this together with the object"
            )
        return Receipt(
            shard=self._shard,
            run_id=self._attempt.run_id,
            begin=self._begin,
            stop=self._stop,
            lines=None if self._begin is None else counts["lines"],
            records=counts["records"],
            header=counts["header"],
            skipped=counts["skipped"],
            rows=counts["rows"],
            quarantined=counts["quarantined"],
            rounded=counts["rounded"],
            files=files,
            quarantine=self._keep(quarantine),
            rules=tuple(RuleCount(rule=rule, rows=rows) for rule, rows in sorted(self._rules.items())),
            extra_columns=self.columns.extra,
        )

    def _keep(self, quarantine: Store) -> QuarantineFile | None:
        if not self._refused.rows:
            return None
        key = layout.quarantined(self._shard.pipeline, self._shard.dataset, self._shard.fingerprint, self._attempt.name)
        etag = quarantine.put(key, self._refused.close())
        return QuarantineFile(key=key, etag=etag, rows=self._refused.rows)

    def _key(self, table: str, day: date, number: int) -> str:
        shard = self._shard
        return layout.staged_file(
            shard.pipeline,
            shard.dataset,
            shard.fingerprint,
            attempt=self._attempt.name,
            table=table,
            day=day,
            number=number,
        )


def _kept(checked: Checked) -> int:
    """How many values of the rows that are kept were rounded."""
    if not checked.refused:  # a database's clock can tick finer in every row
        return len(checked.rounded)
    return sum(row not in checked.refused for row in checked.rounded)

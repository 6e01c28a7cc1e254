"""Converts files of this machine as a night converts a delivery: plan, convert, validate, and only then publish."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from nightlake.core import layout
from nightlake.core.code_version import code_version
from nightlake.core.convert import convert, note_failure
from nightlake.core.dates import run_id
from nightlake.core.errors import NightlakeError
from nightlake.core.pipeline import Dataset, Pipeline
from nightlake.core.plan import Request as PlanRequest
from nightlake.core.plan import plan
from nightlake.core.shard import Plan, Receipt, Shard, Validation
from nightlake.core.shard_output import Attempt
from nightlake.core.source import Ready
from nightlake.core.table import tables
from nightlake.core.validate import Places, Unproved, validate
from nightlake.core.validate import Request as ValidateRequest

from cli.directory import DeliveredFiles, Directory
from cli.errors import OutputTakenError
from cli.keys import with_keys

QUARANTINE: Final = "_quarantine"
RECEIPTS: Final = "_receipts"
REJECTED: Final = "_rejected"


@dataclass(frozen=True)
class Converted:
    """What became of the files: the verdict, the receipts, and where rows and refused rows lie."""

    validation: Validation
    receipts: tuple[Receipt, ...]
    rows: Path
    quarantine: Path


@dataclass(frozen=True)
class Workplace:
    """Where one conversion reads and writes; all threads share it."""

    pipeline: Pipeline
    files: Mapping[str, Path]
    folder: Path
    attempt: Attempt

    @property
    def raw(self) -> DeliveredFiles:
        return DeliveredFiles("files", self.files)

    @property
    def lake(self) -> Directory:
        return Directory("lake", self.folder / "lake")

    @property
    def quarantine(self) -> Directory:
        return Directory("quarantine", self.folder / "quarantine")


class _NoPartitions:
    """Nobody queries by a catalog what is converted here."""

    def point_partition(self, database: str, table: str, values: tuple[str, ...], location: str) -> None:
        """There is nothing to point."""


def convert_files(
    pipeline: Pipeline, files: Sequence[Path], out: Path, *, day: date, jobs: int, done: Callable[[Shard], None]
) -> Converted:
    """Convert the files as the delivery of one day; the rows lie in `out`, or apart if the verdict is not good.

    Refused rows and receipts are kept in any case. Raises OutputTakenError, or what makes a file unreadable.
    """
    (dataset,), (source,) = pipeline.datasets, pipeline.sources
    out.mkdir(parents=True, exist_ok=True)
    _clear(out, dataset)
    landed = source.model_copy(update={"path": f"{dataset.name}/{{date:%Y-%m-%d}}/*", "ready": Ready(files=len(files))})
    pipeline = pipeline.model_copy(update={"sources": (landed,)})
    now, version = datetime.now(UTC), code_version()
    run = run_id(now, out.as_posix())
    with TemporaryDirectory(dir=out, prefix=".converting-") as folder:
        place = Workplace(pipeline, _keys(files, f"{dataset.name}/{day}/"), Path(folder), Attempt(run, "local", now))
        request = PlanRequest(
            pipeline=pipeline.name,
            dataset=dataset.name,
            date=day,
            run_id=run,
            attempt=1,
            scheduled_at=None,
            previous=None,
        )
        answer = plan(
            request,
            pipeline,
            raw=place.raw,
            lake=place.lake,
            code_version=version,
            now=now,
        )
        shards, plan_key = place.lake.get_model(str(answer.plan), Plan).shards, str(answer.plan)
        places = Places(
            lake=place.lake,
            quarantine=place.quarantine,
            raw_bucket=place.raw.bucket,
            catalog=_NoPartitions(),
            quarantine_database=QUARANTINE,
        )
        while True:
            for shard in _converted(place, shards, jobs):
                done(shard)
            judged = ValidateRequest(
                pipeline=pipeline.name, dataset=dataset.name, date=day, run_id=run, attempt=1, plan=plan_key
            )
            validation = validate(judged, pipeline, places, code_version=version)
            if not isinstance(validation, Unproved):
                break
            lines = place.lake.get(validation.shard_file).splitlines()
            shards, plan_key = tuple(map(Shard.model_validate_json, lines)), validation.plan
        receipts = _receipts(place, validation)
        if validation.status == "good":
            validation = with_keys(
                validation, pipeline, _files(place, receipts), scratch=place.folder / "keys", threads=jobs
            )
        kept = _publish(place, validation, receipts, out)
        rows = out if validation.status == "good" else out / REJECTED
        return Converted(validation, kept, rows, out / QUARANTINE / dataset.name)


def _keys(files: Sequence[Path], folder: str) -> dict[str, Path]:
    """The files under the names that they have, with a number before it where two have the same."""
    names = [path.name for path in files]
    unique = len(set(names)) == len(names)
    return {
        f"{folder}{path.name if unique else f'{number}-{path.name}'}": path.resolve()
        for number, path in enumerate(files, 1)
    }


def _converted(place: Workplace, shards: Iterable[Shard], jobs: int) -> Iterator[Shard]:
    """Convert all shards; each comes back when it is done."""
    if jobs == 1:
        for shard in shards:
            yield _convert(place, shard)
        return
    # Arrow and numpy leave the interpreter's lock alone, so threads need no memory and no start of their own.
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for task in as_completed([pool.submit(_convert, place, shard) for shard in shards]):
                yield task.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _convert(place: Workplace, shard: Shard) -> Shard:
    """Convert a shard; why it cannot be is noted where the verdict looks."""
    try:
        convert(shard, place.pipeline, place.attempt, raw=place.raw, staging=place.lake, quarantine=place.quarantine)
    except NightlakeError as error:
        note_failure(shard, place.attempt.run_id, error, place.lake)
    return shard


def _clear(out: Path, dataset: Dataset) -> None:
    """Remove what an earlier conversion of the dataset left, and nothing else: raises OutputTakenError."""
    folders = [out / table.name for table in tables(dataset)]
    receipts = out / RECEIPTS / dataset.name
    for folder in folders:
        if folder.exists() and not receipts.exists():
            raise OutputTakenError(
                f"{folder} is there and no conversion made it: its files would be read as rows; "
                "name another folder with --out"
            )
    rejected = [out / REJECTED / table.name for table in tables(dataset)]
    for folder in (*folders, *rejected, out / QUARANTINE / dataset.name, receipts):
        shutil.rmtree(folder, ignore_errors=True)


def _receipts(place: Workplace, validation: Validation) -> list[Receipt]:
    found = [place.lake.find_model(key, Receipt) for key in validation.receipts]
    return [receipt[0] for receipt in found if receipt is not None]


def _files(place: Workplace, receipts: Sequence[Receipt]) -> Mapping[str, Sequence[Path]]:
    """The converted files of every table."""
    files: dict[str, list[Path]] = {table.name: [] for dataset in place.pipeline.datasets for table in tables(dataset)}
    for receipt in receipts:
        for file in receipt.files:
            files[file.table].append(place.lake.path(file.key))
    return files


def _publish(place: Workplace, validation: Validation, receipts: Sequence[Receipt], out: Path) -> tuple[Receipt, ...]:
    """Put rows, refused rows and receipts into the output folder; rows of a rejected delivery apart from others."""
    folder = "" if validation.status == "good" else f"{REJECTED}/"
    receipts = [_moved(place, receipt, number, folder, out) for number, receipt in enumerate(receipts)]
    for number, receipt in enumerate(receipts):
        Directory("out", out).put_model(f"{RECEIPTS}/{validation.dataset}/{number:05}.json", receipt)
    for key in [*place.quarantine.keys()]:
        if not key.startswith("staging/"):
            _move(place.quarantine.path(key), out / QUARANTINE / validation.dataset / Path(key).name)
    return tuple(receipts)


def _moved(place: Workplace, receipt: Receipt, number: int, folder: str, out: Path) -> Receipt:
    """The receipt with its files where they are read."""
    files = []
    for part, file in enumerate(receipt.files):
        key = f"{folder}{file.table}/{layout.day_path(file.day)}/{number:05}-{part}.parquet"
        _move(place.lake.path(file.key), out / key)
        files.append(file.model_copy(update={"key": key}))
    return receipt.model_copy(update={"files": tuple(files)})


def _move(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)

"""A small pipeline, and what Validate leaves in the lake when all is well: verdict, receipt and staged files."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from nightlake.core import layout
from nightlake.core.databases import Databases
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.shard import Receipt, Shard, SourceObject, StagedFile, Validation
from nightlake.core.source import CsvSource
from nightlake.core.store import Store
from small_pipeline import small_pipeline

Files = Sequence[tuple[date, Any]]


# Two datasets: rows of `daily` are of the business date, those of `late` say themselves which day they are of.
SHOP = small_pipeline(
    "shop",
    [Dataset(name=name, columns=(Column(name="amount", type="bigint"),)) for name in ("daily", "late")],
    [
        CsvSource.model_validate(
            {
                "dataset": name,
                "from": "s3",
                "path": f"shop/{name}/{{date:%Y/%m/%d}}/*.csv",
                "ready": {"files": 1},
                "format": "csv",
                "on_drift": "evolve",
            }
        )
        for name in ("daily", "late")
    ],
)
DATABASES = Databases(served="served", staging="staging", quarantine="quarantine")


def land(
    lake: Store,
    dataset: str,
    day: date,
    run_id: str,
    tables: Mapping[str, Files],
    *,
    pipeline: str = SHOP.name,
    extra: Sequence[str] = (),
) -> str:
    """Stage one file of one row for each (day, content) of each table, and answer the key of the good verdict.

    `extra` names columns that came beside the contract.

    The content is JSON where a night's is Parquet: between Validate and the readers nobody looks inside.
    """
    staged = []
    for table, files in tables.items():
        for index, (of, content) in enumerate(files):
            body = json.dumps(content).encode()
            key = f"{layout.staged(pipeline, dataset, run_id)}{table}-{index}.parquet"
            etag = lake.put(key, body)
            staged.append(StagedFile(table=table, day=of, key=key, etag=etag, size=len(body), rows=1))
    source = SourceObject(key="a", version_id="b", etag="c", size=1)
    shard = Shard(
        pipeline=pipeline, dataset=dataset, date=day, index=0, object=source, start=0, end=1, fingerprint=run_id
    )
    rows = len(next(iter(tables.values())))
    receipt = layout.receipt(pipeline, dataset, run_id)
    lake.put_model(
        receipt,
        Receipt(
            shard=shard,
            run_id=run_id,
            records=rows,
            header=0,
            skipped=0,
            rows=rows,
            quarantined=0,
            files=tuple(staged),
            extra_columns=tuple(extra),
        ),
    )
    key = layout.validation(pipeline, day, run_id, dataset)
    lake.put_model(
        key,
        Validation(
            dataset=dataset,
            date=day,
            run_id=run_id,
            attempt=1,
            status="good",
            objects=1,
            bytes=1,
            shards=1,
            reused=0,
            records=rows,
            rows=rows,
            quarantined=0,
            rounded=0,
            receipts=(receipt,),
        ),
    )
    return key

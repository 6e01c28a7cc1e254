"""Writes `sql/<pipeline>/tables/*.sql` from the contracts; with `--check` only names what is stale and ends with 1."""

import sys
from pathlib import Path

from nightlake.core.contract import CONTRACT_FILE, load_pipelines
from nightlake.core.generated import generate
from nightlake.core.pipeline import Pipeline
from nightlake.core.table import ddl, empty_location, tables

ROOT = Path(__file__).resolve().parents[1]
PLACEHOLDER_BUCKET = "lake"  # the stage's own bucket is put into the parsed statement when it runs


def statements(pipeline: Pipeline) -> dict[Path, str]:
    """The file and the CREATE TABLE statement of every table that the pipeline publishes."""
    note = f"-- Generated from pipelines/{pipeline.name}/{CONTRACT_FILE} by sql/generate.py; do not edit.\n"
    return {
        ROOT / "sql" / pipeline.name / "tables" / f"{table.name}.sql": note
        + ddl(table, empty_location(PLACEHOLDER_BUCKET, pipeline, table))
        for dataset in pipeline.datasets
        for table in tables(dataset)
    }


def main() -> int:
    """Brings the files in line with the contracts, and removes those of tables that are no more."""
    fresh = {
        path: text for pipeline in load_pipelines(ROOT / "pipelines") for path, text in statements(pipeline).items()
    }
    found = ROOT.glob("sql/*/tables/*.sql")
    return generate(ROOT, fresh, found, check="--check" in sys.argv[1:], tell=sys.stdout.write)


if __name__ == "__main__":
    sys.exit(main())

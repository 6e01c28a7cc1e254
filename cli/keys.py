"""Counts the converted rows that repeat the keys of others, by DuckDB on their files: at night Athena is asked."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nightlake.core.pipeline import Pipeline
from nightlake.core.rule_result import result
from nightlake.core.shard import Finding, Validation
from nightlake.core.source_rules import queried_rules
from nightlake.core.table import partition_keys

_MEMORY: Final = "256MB"  # what is more goes to disk


def with_keys(
    validation: Validation, pipeline: Pipeline, files: Mapping[str, Sequence[Path]], *, scratch: Path, threads: int
) -> Validation:
    """A good verdict, and what became of the rules about repeated values; `files` are the Parquet files of each table.

    What does not fit in memory is spilled below `scratch`.
    """
    (dataset,) = pipeline.datasets
    rules = queried_rules(dataset)
    if not rules:
        return validation
    alone = pipeline.model_copy(update={"datasets": (dataset.model_copy(update={"relationships": ()}),)})
    counts = dict(_counts(alone, files, scratch, threads)) if any(files.values()) else {}
    results = tuple(result(rule, dataset.name, *counts.get(rule.id, (0, 0))) for rule in rules)
    broken = [rule for rule in results if rule.verdict == "broken"]
    problems, warnings = (
        tuple(
            Finding(rule=rule.rule, where=f"the rows of {dataset.name}", reason=f"repeated values: {rule.found}")
            for rule in broken
            if rule.severity == severity
        )
        for severity in ("fail", "warn")
    )
    return validation.model_copy(
        update={
            "status": "rejected" if problems else "good",
            "rules": (*validation.rules, *results),
            "problems": problems,
            "warnings": (*validation.warnings, *warnings),
        }
    )


def _counts(
    pipeline: Pipeline, files: Mapping[str, Sequence[Path]], scratch: Path, threads: int
) -> Iterator[tuple[str, tuple[int, int]]]:
    import duckdb
    import sqlglot
    from nightlake.core.across import across_query
    from nightlake.core.across_parts import Part
    from nightlake.core.sql_reading import PLACEHOLDER

    (query,) = sqlglot.transpile(across_query(pipeline, Part()), read="athena", write="duckdb")
    day = ", ".join(f"'{value}' AS \"{key}\"" for key, value in partition_keys(PLACEHOLDER).items())
    config: dict[str, Any] = {"threads": threads, "memory_limit": _MEMORY, "temp_directory": str(scratch / "spill")}
    with duckdb.connect(config={**config, "preserve_insertion_order": False}) as connection:
        for table, paths in files.items():
            rows = connection.read_parquet([str(path) for path in paths], hive_partitioning=False)
            rows.project(f"*, {day}").create_view(table)
        for rule, broken, checked in connection.execute(query).fetchall():
            yield rule, (int(broken), int(checked))

"""The tables of a contract and what refers to what as an entity-relationship diagram of Mermaid."""

import re
from collections.abc import Iterator

from nightlake.core.pipeline import Dataset, Pipeline
from nightlake.core.table import tables


def contract_diagram(pipeline: Pipeline) -> str:
    """Every table with the columns that the contract gives it: PK is a part of the key, FK refers to another table."""
    return "\n".join(["```mermaid", "erDiagram", *_lines(pipeline), "```"])


def _lines(pipeline: Pipeline) -> Iterator[str]:
    for dataset in pipeline.datasets:
        for relation in dataset.relationships:
            how = f"{', '.join(relation.columns)} ({relation.severity})"
            yield f'  {relation.to} |o--o{{ {dataset.name} : "{how}"'
        for table in tables(dataset):
            if table.name != dataset.name:
                yield f'  {dataset.name} ||--|| {table.name} : "{", ".join(dataset.primary_key)}"'
    for dataset in pipeline.datasets:
        known = {column.name for column in dataset.columns}
        for table in tables(dataset):
            yield f"  {table.name} {{"
            for column in table.columns:
                if column.name in known:
                    kind = re.sub(r"\W+", "_", column.type).strip("_")
                    yield f"    {kind} {column.name} {_marks(dataset, column.name)}".rstrip()
            yield "  }"


def _marks(dataset: Dataset, column: str) -> str:
    refers = any(column in relation.columns for relation in dataset.relationships)
    return ", ".join([*(["PK"] if column in dataset.primary_key else []), *(["FK"] if refers else [])])

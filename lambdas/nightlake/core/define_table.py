"""How one table of a pipeline is created: the definition that Prepare only names."""

from typing import Any

from nightlake.core.errors import TableNotInContractError
from nightlake.core.pipeline import Pipeline
from nightlake.core.table import table_inputs


def define_table(pipeline: Pipeline, name: str, *, lake_bucket: str) -> dict[str, Any]:
    """The Glue TableInput of the table. Raises TableNotInContractError naming the tables that there are."""
    inputs = {table["Name"]: table for table in table_inputs(pipeline, lake_bucket)}
    if name not in inputs:
        raise TableNotInContractError(
            f"Pipeline '{pipeline.name}' publishes no table '{name}' (it publishes: {', '.join(inputs)})"
        )
    return inputs[name]

"""What is kept of a refused row: where it stood, which rule it broke and why, and what it said."""

from nightlake.core.pipeline import Column, Dataset
from nightlake.core.table import Table

_COLUMNS = (
    Column(name="position", type="bigint", description="The line, or the element from 0, in its object."),
    Column(name="object", type="string", description="The object that the row came in, as s3://bucket/key."),
    Column(name="rule", type="string", description="The first rule that the row broke."),
    Column(name="reason", type="string", description="Why the row was refused, private values masked."),
    Column(name="raw", type="string", description="What the row said, private values masked."),
    Column(name="dataset", type="string", description="The dataset that refused the row."),
    Column(name="run_id", type="string", description="The run that converted the object."),
    Column(name="quarantined_at", type="timestamp", description="When the row was refused, UTC."),
)


def quarantine_table(dataset: Dataset) -> Table:
    """The table of the dataset's refused rows, in the quarantine database under the dataset's own name."""
    return Table(name=dataset.name, description=f"Refused rows of {dataset.name}.", columns=_COLUMNS)

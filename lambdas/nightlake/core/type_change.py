"""Which new type of a column the files that are published can be read as."""

from nightlake.core.column_type import INTEGER_BITS
from nightlake.core.errors import ColumnTypeChangedError
from nightlake.core.snapshot import PublishedTable
from nightlake.core.table import Table


def check_types(published: PublishedTable, table: Table) -> None:
    """Raise ColumnTypeChangedError where the table has a column in a type that published days cannot be read as."""
    if not published.partitions:
        return
    before = {column.name: column for column in published.columns}
    changed = [
        f"{column.name} is {before[column.name].type} there and {column.type} in the contract"
        for column in table.columns
        if column.name in before and not _widens(before[column.name].type, column.type)
    ]
    if changed:
        first, last = published.partitions[0].day, published.partitions[-1].day
        raise ColumnTypeChangedError(
            f"The published days {first} to {last} of {table.name} cannot be read as the contract says: "
            f"{'; '.join(changed)}. Give the column its type back, or declare the new type under another name, mapped "
            "in `columns` of pipeline.yaml; then deploy"
        )


def _widens(old: str, new: str) -> bool:
    """Whether Athena reads the old type as the new one, value for value.

    Source: https://docs.aws.amazon.com/athena/latest/ug/updates-changing-column-type.html
    """
    if old in INTEGER_BITS and new in INTEGER_BITS:
        return INTEGER_BITS[old] <= INTEGER_BITS[new]
    return old == new or (old, new) == ("float", "double")

"""Conditions in Arrow's terms. As in SQL, what is compared with null is neither true nor false."""

import operator
from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING, Final

from nightlake.core.api.condition import Condition

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

_COMPARE: Final = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


def all_of(conditions: Iterable[Condition], schema: "pa.Schema") -> "ds.Expression":
    """What is true where all conditions are, of which there is one at least."""
    return reduce(operator.and_, (expression(each, schema) for each in conditions))


def expression(condition: Condition, schema: "pa.Schema") -> "ds.Expression":
    """One condition on a column of the schema."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pc.field(condition.column)
    kind = schema.field(condition.column).type
    match condition.operator:
        case "is_null":
            return column.is_null() if condition.values[0] else column.is_valid()
        case "in":
            return column.isin(pa.array(condition.values, kind))
        case "between":
            low, high = (pa.scalar(value, kind) for value in condition.values)
            return (column >= low) & (column <= high)
        case "like":
            return pc.match_like(column, condition.values[0])
    compared = _COMPARE[condition.operator](column, pa.scalar(condition.values[0], kind))
    # NaN differs from everything, and the statistics of a row group leave it out
    return compared | column.is_nan() if condition.operator == "ne" and pa.types.is_floating(kind) else compared

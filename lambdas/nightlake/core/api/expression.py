"""Conditions in Arrow's terms, of values as of statistics. As in SQL, what is compared with null is not met."""

from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING, Any

from nightlake.core.api.condition import Condition

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds


def all_of(conditions: Iterable[Condition], schema: "pa.Schema") -> "ds.Expression":
    """What is true where all conditions are, of which there is one at least: for the statistics of row groups."""
    import pyarrow.compute as pc

    return reduce(
        pc.and_kleene, (_met(each, pc.field(each.column), schema.field(each.column).type) for each in conditions)
    )


def mask(conditions: Iterable[Condition], rows: "pa.Table") -> "pa.ChunkedArray":
    """Which rows meet all conditions, of which there is one at least; false or null where they do not."""
    import pyarrow.compute as pc

    return reduce(pc.and_kleene, (_each_met(condition, rows[condition.column]) for condition in conditions))


def _each_met(condition: Condition, values: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Which of the values meet the condition; what a dictionary has is compared once."""
    import pyarrow as pa

    if not pa.types.is_dictionary(values.type) or condition.operator == "is_null":
        return _met(condition, values, values.type)
    chunks = (_met(condition, each.dictionary, values.type.value_type).take(each.indices) for each in values.chunks)
    return pa.chunked_array(chunks, pa.bool_())


def _met(condition: Condition, column: Any, kind: "pa.DataType") -> Any:
    """The condition of a column: an expression of a field, values of values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    match condition.operator:
        case "is_null":
            return pc.is_null(column) if condition.values[0] else pc.is_valid(column)
        case "in":
            return pc.is_in(column, value_set=pa.array(condition.values, kind))
        case "between":
            low, high = (pa.scalar(value, kind) for value in condition.values)
            return pc.and_kleene(pc.greater_equal(column, low), pc.less_equal(column, high))
        case "like":
            return pc.match_like(column, condition.values[0])
    compare = {
        "eq": pc.equal,
        "ne": pc.not_equal,
        "lt": pc.less,
        "lte": pc.less_equal,
        "gt": pc.greater,
        "gte": pc.greater_equal,
    }
    compared = compare[condition.operator](column, pa.scalar(condition.values[0], kind))
    # NaN differs from everything, and the statistics of a row group leave it out
    if condition.operator == "ne" and pa.types.is_floating(kind):
        return pc.or_kleene(compared, pc.is_nan(column))
    return compared

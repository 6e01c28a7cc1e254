"""Typed columns, as Parquet files and fast readers give them, to the types of the contract."""

from typing import TYPE_CHECKING, Final

from nightlake.core.cast_moments import DAY, FIRST, LAST
from nightlake.core.column_type import MAX_PRECISION, ColumnType
from nightlake.core.table import arrow_type
from nightlake.core.typed_column import Cast
from nightlake.core.value_parser import OUT_OF_YEARS, TOO_FINE, Reading

if TYPE_CHECKING:
    import pyarrow as pa

_INTEGER_DIGITS: Final = 20  # of the widest integer
_PER_MILLISECOND: Final = {"us": 1_000, "ns": 1_000_000}


def cast_arrow(values: "pa.Array", kind: ColumnType, reading: Reading) -> Cast | None:
    """The column, if Arrow's cast of it gives the same values; None where they must be looked at one by one."""
    import pyarrow as pa
    from pyarrow import types

    source, target = values.type, arrow_type(kind)
    if types.is_floating(source) and types.is_floating(target):
        return _cast_floats(values, kind, reading)
    if types.is_timestamp(source) and types.is_timestamp(target):
        return _cast_timestamps(values, reading)
    if not _are_exact(source, target) and not _is_known(values, target, reading):
        return None
    try:
        return Cast(values.cast(target))
    except pa.ArrowInvalid:
        return None


def _are_exact(source: "pa.DataType", target: "pa.DataType") -> bool:
    """Whether both are exact numbers, and of a source whose digits always fit: else Arrow may wrap them around."""
    from pyarrow import types

    if types.is_decimal(source):
        whole = source.precision - source.scale
    elif types.is_integer(source):
        whole = _INTEGER_DIGITS
    else:
        return False
    return bool(types.is_integer(target) or (types.is_decimal(target) and whole + target.scale <= MAX_PRECISION))


def _is_known(values: "pa.Array", target: "pa.DataType", reading: Reading) -> bool:
    from pyarrow import types

    return types.is_null(values.type) or (values.type == target and _is_sound(values, reading))


def _cast_floats(values: "pa.Array", kind: ColumnType, reading: Reading) -> Cast:
    import pyarrow.compute as pc

    done = values.cast(arrow_type(kind))
    if pc.all(pc.is_finite(done)).as_py() is not False:
        return Cast(done)
    lost = pc.and_(pc.is_finite(values), pc.invert(pc.is_finite(done)))
    strange = pc.invert(pc.is_finite(values))
    refused = dict.fromkeys(_rows(lost), f"out of range of {kind}")
    if reading.non_finite == "refuse":
        refused |= dict.fromkeys(_rows(strange), "not a finite number")
    null = lost if reading.non_finite == "keep" else pc.or_(lost, strange)
    return Cast(pc.if_else(null, None, done), refused)


def _cast_timestamps(values: "pa.Array", reading: Reading) -> Cast:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    ticks, unit = values.view(pa.int64()), values.type.unit
    lost = pa.scalar(False)
    if unit in _PER_MILLISECOND:
        floor, finer = np.divmod(pc.fill_null(ticks, 0).to_numpy(), _PER_MILLISECOND[unit])
        rounded = pa.array(floor + (2 * finer >= _PER_MILLISECOND[unit]))
        ticks, lost = pc.if_else(pc.is_valid(ticks), rounded, None), pa.array(finer > 0)
    milliseconds = 1000 if unit == "s" else 1
    inside = _in_years(ticks, milliseconds)
    refused = dict.fromkeys(_rows(pc.invert(inside)), OUT_OF_YEARS)
    lost = pc.and_(inside, lost)
    if not reading.round_digits:
        refused |= dict.fromkeys(_rows(lost), TOO_FINE)
        inside, lost = pc.and_not(inside, lost), pc.and_not(lost, lost)
    stored = pc.multiply(pc.if_else(inside, ticks, None), milliseconds)
    return Cast(stored.view(pa.timestamp("ms")), refused, tuple(_rows(lost)))


def _in_years(ticks: "pa.Array", milliseconds: int) -> "pa.BooleanArray":
    """Which moments, counted in so many milliseconds since 1970, are in the years that can be stored."""
    import pyarrow.compute as pc

    return pc.and_(pc.greater_equal(ticks, FIRST // milliseconds), pc.less_equal(ticks, LAST // milliseconds))


def _is_sound(values: "pa.Array", reading: Reading) -> bool:
    """Whether a column of the right type holds nothing that would be refused."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_nested(values.type):
        parts = (values.keys, values.items) if types.is_map(values.type) else values.flatten()
        return all(_is_sound(part, reading) for part in ([parts] if types.is_list(values.type) else parts))
    good = pa.scalar(True)
    if types.is_floating(values.type) and reading.non_finite != "keep":
        good = pc.all(pc.is_finite(values))
    elif types.is_timestamp(values.type):
        good = pc.all(_in_years(values.view(pa.int64()), 1))
    elif types.is_date32(values.type):
        good = pc.all(_in_years(values.view(pa.int32()), DAY))
    return good.as_py() is not False


def _rows(mask: "pa.BooleanArray") -> list[int]:
    import pyarrow.compute as pc

    rows: list[int] = pc.indices_nonzero(mask).to_pylist()
    return rows

"""Raw values of one column as an Arrow array of its type; what cannot be cast is refused, value by value.

Texts are cast many at once where Arrow or arithmetic says what `value_parser` would say. Every other text goes through
the parser, whose word is final.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nightlake.core.cast_arrow import cast_arrow
from nightlake.core.cast_moments import cast_moments, cast_unpadded
from nightlake.core.cast_numbers import cast_plain, cast_wide
from nightlake.core.column_type import FLOATS, ColumnType
from nightlake.core.table import arrow_type
from nightlake.core.text_column import valid
from nightlake.core.typed_column import Cast
from nightlake.core.value_parser import Reading, ValueParser, digits

if TYPE_CHECKING:
    import pyarrow as pa

_UNREADABLE: Final = object()  # a value of no type
_FEW: Final = 64  # texts are parsed sooner than numpy and Arrow are set up for them

Step = Callable[["pa.StringArray", ColumnType, Reading], Cast]


def cast(values: "Sequence[object] | pa.Array | pa.ChunkedArray", kind: ColumnType, reading: Reading) -> Cast:
    """The values, raw from a text or as Arrow, as an array of `arrow_type(kind)`."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if not isinstance(values, pa.Array):
        if reading.nulls:
            values = [None if value in reading.nulls else value for value in values]
        texts = None if kind.is_nested else _as_texts(values, reading)
        return _cast_each(values, kind, reading) if texts is None else _cast_texts(texts, kind, reading)
    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if types.is_string(values.type) or types.is_large_string(values.type) or types.is_string_view(values.type):
        return _cast_texts(_without_nulls(values.cast(pa.string()), reading), kind, reading)
    exact = None if reading.as_durations else cast_arrow(values, kind, reading)
    return exact or cast(_python_values(values), kind, reading)


def _python_values(values: "pa.Array") -> list[object]:
    try:
        return values.to_pylist()  # type: ignore[no-any-return]
    except (OverflowError, ValueError):  # Python has no such moment
        return [_python_value(value) for value in values]


def _python_value(value: "pa.Scalar") -> object:
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        return _UNREADABLE


def _as_texts(values: Sequence[object], reading: Reading) -> "pa.StringArray | None":
    """The values as texts that mean the same; None when one of them has none, or is no text of UTF-8."""
    import pyarrow as pa

    try:
        return pa.array(values, pa.string())
    except (TypeError, ValueError):
        if not reading.plain_numbers:
            return None
    try:
        return pa.array([digits(value) for value in values], pa.string())
    except (TypeError, ValueError):
        return None


def _without_nulls(texts: "pa.StringArray", reading: Reading) -> "pa.StringArray":
    import pyarrow as pa
    import pyarrow.compute as pc

    if not reading.nulls:
        return texts
    return pc.if_else(pc.is_in(texts, pa.array(reading.nulls, pa.string())), None, texts)


def _cast_texts(texts: "pa.StringArray", kind: ColumnType, reading: Reading) -> Cast:
    if reading.nulls and not kind.is_nested:
        reading = replace(reading, nulls=())  # no text is one any more, and the number 1 is not the text "1"
    return Cast(texts) if kind.name == "string" else _decide(texts, kind, reading, _steps(kind, reading))


def _decide(texts: "pa.StringArray", kind: ColumnType, reading: Reading, steps: Sequence[Step]) -> Cast:
    """What the first step makes of the texts, and the others of those that it leaves null."""
    import numpy as np
    import pyarrow as pa

    first, *others = steps
    done = first(texts, kind, reading)
    if not others or done.values.null_count == texts.null_count:
        return done
    left = np.flatnonzero(valid(texts) & ~valid(done.values))
    if len(left) < _FEW:
        others = others[-1:]
    return done.merged(left, _decide(texts.take(pa.array(left)), kind, reading, others))


def _steps(kind: ColumnType, reading: Reading) -> tuple[Step, ...]:
    """What is tried in turn; each leaves null what it cannot decide, the last refuses it."""
    if reading.as_durations:
        return (_cast_distinct,)
    if kind.name in FLOATS:
        return cast_plain, _cast_distinct
    if kind.is_number:
        return cast_plain, cast_wide, _cast_distinct
    if kind.name in ("date", "timestamp"):
        return cast_moments, cast_unpadded, _cast_distinct
    return (_cast_distinct,)


def _cast_distinct(texts: "pa.StringArray", kind: ColumnType, reading: Reading) -> Cast:
    """The texts, parsed one by one, each only once."""
    import numpy as np
    import pyarrow.compute as pc

    encoded = texts.dictionary_encode()
    each = _cast_each(encoded.dictionary.to_pylist(), kind, reading)
    values = each.values.take(encoded.indices)
    if not each.refused and not each.rounded:
        return Cast(values)
    codes = pc.fill_null(encoded.indices, -1).to_numpy()
    refused = {row: each.refused[code] for row, code in enumerate(codes.tolist()) if code in each.refused}
    return Cast(values, refused, tuple(np.flatnonzero(np.isin(codes, each.rounded)).tolist()))


def _cast_each(values: Sequence[object], kind: ColumnType, reading: Reading) -> Cast:
    """The values, parsed one by one."""
    import pyarrow as pa

    parser = ValueParser(reading)
    parsed: list[object] = []
    refused: dict[int, str] = {}
    rounded: list[int] = []
    for row, value in enumerate(values):
        before = parser.rounded
        try:
            parsed.append(parser.parse(kind, value))
        except ValueError as error:
            parsed.append(None)
            refused[row] = str(error)
        else:
            rounded += [row] * (parser.rounded > before)
    return Cast(pa.array(parsed, arrow_type(kind)), refused, tuple(rounded))

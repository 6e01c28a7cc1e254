"""Groups of rows and what is computed of each: exact, batch by batch, in bounded memory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from nightlake.core.column_type import MAX_PRECISION, ColumnType
from nightlake.core.errors import AnswerTooCostlyError
from nightlake.core.table import arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

MAX_GROUPS: Final = 10_000
MAX_DISTINCT: Final = 1_000_000
_AT_ONCE: Final = 1 << 17  # rows that are grouped together: each time has its price
_MANY_DAYS: Final = 1 << 16
_HELD_ROWS: Final = 100_000
_BIGGEST: Final = 2**63 - 1
_WIDE: Final = Context(prec=2 * MAX_PRECISION)
_PARTS: Final = {"avg": ("sum", "count"), "distinct": ()}  # the others are made of what they are called
_MERGE: Final = {"count": "sum", "distinct": "sum", "all": "sum"}  # the others merge as they are made
_ROWS: Final = "all"


@dataclass(frozen=True)
class Measure:
    """What is computed of each group; `column` is "" for the count of its rows, `kind` the type of the result."""

    function: str
    column: str
    kind: ColumnType

    @property
    def name(self) -> str:
        """What the answer calls it: as it was asked for."""
        return f"{self.function}({self.column})" if self.column else self.function


@dataclass(frozen=True)
class Bucket:
    """The span of time that a date or timestamp column lies in, named by its first day; weeks begin on Mondays."""

    span: str
    column: str

    @property
    def name(self) -> str:
        """What the answer calls it: as it was asked for."""
        return f"{self.span}({self.column})"


class Groups:
    """Takes batches of rows and makes one row of each group, in no order.

    A part is what measures are made of: `<input>_<function>`, the inputs being numbered.
    """

    def __init__(self, group_by: Sequence[str], bucket: Bucket | None, measures: Sequence[Measure]) -> None:
        self._group_by = group_by
        self._bucket = bucket
        self._measures = measures
        self._keys = [f"k{place}" for place in range(max(1, len(group_by) + (bucket is not None)))]
        inputs = dict.fromkeys(measure.column for measure in measures if measure.column)
        self._inputs = {column: f"i{place}" for place, column in enumerate(inputs)}
        self._parts = {
            (self._inputs[measure.column], part)
            for measure in measures
            if measure.column
            for part in _PARTS.get(measure.function, (measure.function,))
        }
        self._waiting: list[pa.Table] = []
        self._held: list[pa.Table] = []
        self._pairs: dict[str, list[pa.Table]] = {each.column: [] for each in measures if each.function == "distinct"}
        self._reached = {each.column: 0 for each in measures if each.function in ("sum", "avg")}

    @property
    def dictionaries(self) -> set[str]:
        """The columns of which numbers of a dictionary do: rows are told apart by them, and that is all."""
        return {*self._group_by}.difference(self._inputs)

    @property
    def needed(self) -> set[str]:
        """The columns that batches must have."""
        return {*self._group_by, *self._inputs, *([self._bucket.column] if self._bucket else [])}

    def add(self, rows: "pa.Table") -> None:
        """Take a batch of rows.

        Raises AnswerTooCostlyError when there are more groups or different values than are held, or a sum of whole
        numbers may be too large for a bigint.
        """
        if rows.num_rows:
            self._waiting.append(rows.select(sorted(self.needed)) if self.needed else rows)
        if sum(each.num_rows for each in self._waiting) >= _AT_ONCE:
            self._group_waiting()

    def _group_waiting(self) -> None:
        if not self._waiting:
            return
        rows = _joined(self._waiting)
        self._waiting.clear()
        self._guard(rows)
        keyed, same = self._keyed(rows)
        parts = [(name, part, f"{name}_{part}") for name, part in sorted(self._parts)]
        made = _grouped(keyed, self._keys, parts, same=same)
        self._held.append(_plain(made))
        if sum(each.num_rows for each in self._held) > _HELD_ROWS:
            self._held = [self._merged(self._held)]
        for column, pairs in self._pairs.items():
            self._note(column, keyed, same, pairs)

    def finish(self, columns: Mapping[str, ColumnType]) -> "pa.Table":
        """The groups with these columns: those of the group, then the measures. Raises AnswerTooCostlyError."""
        import pyarrow as pa

        self._group_waiting()
        if not self._held:
            return self._of_nothing(columns)
        counted = []
        for column, pairs in self._pairs.items():
            name = self._inputs[column]
            different = _grouped(_concat(pairs), [*self._keys, name], [], counted=False)
            counted.append(_grouped(different, self._keys, []).rename_columns([*self._keys, f"{name}_distinct"]))
        merged = self._merged([*self._held, *counted])
        made: list[Any] = [merged[key] for key in self._keys[: len(columns) - len(self._measures)]]
        made += [self._measured(measure, merged) for measure in self._measures]
        kinds = [arrow_type(kind) for kind in columns.values()]
        arrays = [_array(values).cast(kind) for values, kind in zip(made, kinds, strict=True)]
        return pa.table(arrays, names=list(columns))

    def _of_nothing(self, columns: Mapping[str, ColumnType]) -> "pa.Table":
        """No group; but no rows at all are one group, of which the counts are known."""
        import pyarrow as pa

        schema = pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()])
        if len(columns) > len(self._measures):
            return schema.empty_table()
        zeros = {each.name: 0 if each.function in ("count", "distinct") else None for each in self._measures}
        return pa.Table.from_pylist([zeros], schema)

    def _keyed(self, rows: "pa.Table") -> "tuple[pa.Table, dict[str, pa.Scalar]]":
        """The rows under our own names, keys and inputs; apart from them, the keys that all rows share."""
        import pyarrow as pa

        keys = [rows[name] for name in self._group_by]
        found = [_shared(values) for values in keys]
        if self._bucket:
            keys.append(rows[self._bucket.column])
            found.append(_first_day(keys[-1], self._bucket.span))
            if found[-1] is None:
                keys[-1] = _floored(keys[-1], self._bucket.span)
        named = dict(zip(self._keys, zip(keys, found, strict=True), strict=False))
        same = {name: value for name, (_, value) in named.items() if value is not None}
        differing = {name: values for name, (values, value) in named.items() if value is None}
        if not keys:
            same[self._keys[0]] = pa.scalar(0, pa.int8())
        inputs = {name: rows[column] for column, name in self._inputs.items()}
        return (pa.table(differing | inputs) if differing or inputs else rows), same

    def _merged(self, tables: Iterable["pa.Table"]) -> "pa.Table":
        merged = _concat(tables)
        parts = [name for name in merged.column_names if name not in self._keys]
        merges = [(name, _MERGE.get(function, function), name) for name in parts for function in [name.split("_")[1]]]
        merged = _grouped(merged, self._keys, merges, counted=False)
        if merged.num_rows > MAX_GROUPS:
            raise AnswerTooCostlyError(
                f"There are more than {MAX_GROUPS:,} groups; group by fewer columns or a wider bucket, or ask for "
                "fewer rows"
            )
        return merged

    def _note(self, column: str, keyed: "pa.Table", same: Mapping[str, "pa.Scalar"], pairs: list["pa.Table"]) -> None:
        """Hold the different values of each group."""
        import pyarrow.compute as pc

        names = [*self._keys, self._inputs[column]]
        present = keyed.filter(pc.is_valid(keyed[names[-1]]))
        pairs.append(_plain(_grouped(present, names, [], counted=False, same=same)))
        if sum(each.num_rows for each in pairs) > MAX_DISTINCT:
            pairs[:] = [_grouped(_concat(pairs), names, [], counted=False)]
            if pairs[0].num_rows > MAX_DISTINCT:
                raise AnswerTooCostlyError(
                    f"distinct({column}) finds more than {MAX_DISTINCT:,} different values; ask for fewer days or rows"
                )

    def _guard(self, rows: "pa.Table") -> None:
        """Arrow's sums of whole numbers would silently begin again below zero."""
        import pyarrow.compute as pc
        from pyarrow import types

        for column in self._reached:
            if types.is_integer(rows.schema.field(column).type):
                ends = pc.min_max(rows[column]).as_py()
                most = max(abs(ends["min"] or 0), abs(ends["max"] or 0))
                self._reached[column] += most * rows.num_rows
                if self._reached[column] > _BIGGEST:
                    raise AnswerTooCostlyError(
                        f"The sum of '{column}' may be larger than a bigint; ask for fewer days or rows"
                    )

    def _measured(self, measure: Measure, merged: "pa.Table") -> Any:
        if not measure.column:
            return merged[f"i_{_ROWS}"]
        name = self._inputs[measure.column]
        if measure.function == "distinct":
            return merged[f"{name}_distinct"].fill_null(0)
        if measure.function != "avg":
            return merged[f"{name}_{measure.function}"]
        sums, counts = (merged[f"{name}_{part}"].to_pylist() for part in ("sum", "count"))
        return [_average(total, count, measure.kind) for total, count in zip(sums, counts, strict=True)]


def _average(total: Any, count: int, kind: ColumnType) -> Any:
    """The average; one of decimals is rounded half up to their own digits."""
    if not count:
        return None
    if not isinstance(total, Decimal):
        return total / count
    return _WIDE.divide(total, count).quantize(Decimal((0, (1,), -kind.scale)), ROUND_HALF_UP, _WIDE)


def _grouped(
    rows: "pa.Table",
    keys: Sequence[str],
    parts: Sequence[tuple[str, str, str]],
    *,
    counted: bool = True,
    same: Mapping[str, "pa.Scalar"] = MappingProxyType({}),
) -> "pa.Table":
    """The groups of the rows: keys, then each part `(column, function, name)`, then the rows of each if `counted`.

    Keys that are the `same` in all rows are not among their columns: by them nothing has to be told apart.
    """
    import pyarrow as pa

    asked: list[tuple[Any, str]] = [(column, function) for column, function, _ in parts]
    names = [f"{column}_{function}" for column, function in asked] + ["count_all"] * counted
    differing = [key for key in keys if key not in same]
    made = pa.TableGroupBy(rows, differing, use_threads=False).aggregate(asked + [([], "count_all")] * counted)
    for name, value in same.items():
        made = made.append_column(name, pa.repeat(value, made.num_rows))
    made = made.select([*keys, *names])
    return made.rename_columns([*keys, *(name for _, _, name in parts), *[f"i_{_ROWS}"] * counted])


def _shared(values: "pa.ChunkedArray") -> "pa.Scalar | None":
    """The value of all rows, where a dictionary shows that it is one."""
    from pyarrow import types

    if not types.is_dictionary(values.type) or values.null_count or len(values.chunk(0).dictionary) != 1:
        return None
    return values.chunk(0).dictionary[0]


def _first_day(values: "pa.ChunkedArray", span: str) -> "pa.Scalar | None":
    """The first day of the span that all of them lie in, if it is one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = pc.min_max(values)
    first, last = pc.floor_temporal(pa.array([ends["min"], ends["max"]], values.type), unit=span).cast(pa.date32())
    return first if first == last and not values.null_count else None


def _floored(values: "pa.ChunkedArray", span: str) -> "pa.ChunkedArray":
    """The first day of the span of each; every day is reckoned once, as they are few beside the rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    days = values.cast(pa.date32()).cast(pa.int32())
    ends = pc.min_max(days).as_py()
    if ends["min"] is None or ends["max"] - ends["min"] > _MANY_DAYS:
        return pc.floor_temporal(values, unit=span).cast(pa.date32())
    known = pa.array(range(ends["min"], ends["max"] + 1), pa.int32()).cast(pa.date32())
    first = pc.floor_temporal(known, unit=span)
    return pc.take(first, pc.subtract(days, pa.scalar(ends["min"], pa.int32())))


def _joined(tables: Sequence["pa.Table"]) -> "pa.Table":
    """The tables behind each other, with one dictionary for each column that has one in all of them."""
    import pyarrow as pa

    same = len({tuple(each.schema.types) for each in tables}) == 1
    return pa.concat_tables(tables if same else map(_plain, tables)).unify_dictionaries()


def _plain(rows: "pa.Table") -> "pa.Table":
    """The rows without dictionaries."""
    from pyarrow import types

    for place, field in enumerate(rows.schema):
        if types.is_dictionary(field.type):
            rows = rows.set_column(place, field.name, rows[field.name].cast(field.type.value_type))
    return rows


def _concat(tables: Iterable["pa.Table"]) -> "pa.Table":
    import pyarrow as pa

    return pa.concat_tables(tables, promote_options="permissive").combine_chunks()


def _array(values: Any) -> Any:
    import pyarrow as pa

    return pa.array(values) if isinstance(values, list) else values

"""Arrays: https://trino.io/docs/current/functions/array.html.

A lambda of several parameters takes one struct (v0, v1, ...): see the compiler. Conditions over NULLs are Trino's.
"""

from local.athena.compiler.cast import as_text
from local.athena.compiler.typed import Typed
from local.athena.functions.registry import FUNCTIONS, Call, Match, Signature
from local.athena.types import (
    TIMESTAMP_TZ,
    UNKNOWN,
    VARCHAR,
    Array,
    array,
    is_numeric,
    is_orderable,
    is_text,
    row,
    to_duckdb,
)


def applied(function: str, *arguments: str) -> str:
    """SQL of a lambda applied to `arguments`."""
    if len(arguments) == 1:
        return f"list_transform([{arguments[0]}], {function})[1]"
    fields = ", ".join(f"'v{i}': {argument}" for i, argument in enumerate(arguments))
    return f"list_transform([{{{fields}}}], {function})[1]"


def has_null(items: str) -> str:
    return f"list_count({items}) <> len({items})"


def first_of_each(items: str) -> str:
    """SQL of the distinct items in the order of their first appearance, one NULL among them."""
    return f"list_filter({items}, lambda each, place: list_position({items}, each) = place)"


FUNCTIONS.scalar("cardinality", "array(E) -> bigint", "len({0})")
FUNCTIONS.scalar("transform", "array(T), function(T,U) -> array(U)", "list_transform({0}, {1})")
FUNCTIONS.scalar("filter", "array(T), function(T,boolean) -> array(T)", "list_filter({0}, {1})")
FUNCTIONS.scalar("flatten", "array(array(E)) -> array(E)", "flatten({0})")
FUNCTIONS.scalar("reverse", "array(E) -> array(E)", "list_reverse({0})")
FUNCTIONS.scalar("array_distinct", "array(E) -> array(E)", lambda a: first_of_each(a[0]))
FUNCTIONS.scalar("concat", "array(E), array(E), array(E)... -> array(E)", " || ".join)
FUNCTIONS.scalar("concat", "array(E), E -> array(E)", "CASE WHEN {0} IS NOT NULL THEN list_append({0}, {1}) END")
FUNCTIONS.scalar("concat", "E, array(E) -> array(E)", "CASE WHEN {1} IS NOT NULL THEN list_prepend({0}, {1}) END")
FUNCTIONS.scalar(
    "array_histogram",
    "array(K) -> map(K, bigint)",
    "map_from_entries(list_transform("
    + first_of_each("list_filter({0}, lambda one: one IS NOT NULL)")
    + ", lambda k: {{'k': k, 'v': len(list_filter({0}, lambda one: one = k))}}))",
)

_ONES = "list_transform({0}, {1})"
_MATCHES = {
    "any_match": ("true", "true", "false"),
    "all_match": ("false", "false", "true"),
    "none_match": ("true", "false", "true"),
}
for _name, (_sought, _found, _otherwise) in _MATCHES.items():
    FUNCTIONS.scalar(
        _name,
        "array(T), function(T,boolean) -> boolean",
        f"CASE WHEN {{0}} IS NULL THEN NULL WHEN list_contains({_ONES}, {_sought}) THEN {_found}"
        f" WHEN {has_null(_ONES)} THEN NULL ELSE {_otherwise} END",
    )

for _kind in ("double", "real"):  # NaN is not NaN
    FUNCTIONS.scalar(
        "contains",
        f"array({_kind}), {_kind} -> boolean",
        f"CASE WHEN {{0}} IS NULL OR {{1}} IS NULL THEN NULL"
        f" WHEN NOT isnan({{1}}) AND list_contains({{0}}, {{1}}) THEN true WHEN {has_null('{0}')} THEN NULL"
        " ELSE false END",
    )
    FUNCTIONS.scalar(
        "array_position",
        f"array({_kind}), {_kind} -> bigint",
        "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN"
        " CASE WHEN isnan({1}) THEN 0 ELSE coalesce(list_position({0}, {1}), 0) END END",
    )
FUNCTIONS.scalar(
    "contains",
    "array(T), T -> boolean",
    f"CASE WHEN {{0}} IS NULL OR {{1}} IS NULL THEN NULL WHEN list_contains({{0}}, {{1}}) THEN true"
    f" WHEN {has_null('{0}')} THEN NULL ELSE false END",
)
FUNCTIONS.scalar(
    "element_at", "array(E), bigint -> E", "CASE WHEN nightlake_index({1}) THEN list_extract({0}, {1}) END"
)
FUNCTIONS.scalar("array_first", "array(E) -> E", "list_extract({0}, 1)")
FUNCTIONS.scalar("array_last", "array(E) -> E", "list_extract({0}, -1)")
FUNCTIONS.scalar(
    "array_position",
    "array(T), T -> bigint",
    "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN coalesce(list_position({0}, {1}), 0) END",
)
FUNCTIONS.scalar(
    "array_remove",
    "array(E), E -> array(E)",
    "CASE WHEN {1} IS NOT NULL THEN list_filter({0}, lambda each: (each = {1}) IS NOT TRUE) END",
)
_BOTH = "CASE WHEN {0} IS NULL OR {1} IS NULL THEN NULL ELSE "
FUNCTIONS.scalar(
    "array_union", "array(E), array(E) -> array(E)", _BOTH + first_of_each("list_concat({0}, {1})") + " END"
)
FUNCTIONS.scalar(
    "array_except",
    "array(E), array(E) -> array(E)",
    _BOTH + f"list_filter({first_of_each('{0}')}, lambda every: list_position({{1}}, every) IS NULL) END",
)
FUNCTIONS.scalar(
    "array_intersect",
    "array(E), array(E) -> array(E)",
    _BOTH + f"list_filter({first_of_each('{0}')}, lambda every: list_position({{1}}, every) IS NOT NULL) END",
)
FUNCTIONS.scalar(
    "arrays_overlap",
    "array(E), array(E) -> boolean",
    _BOTH + f"CASE WHEN list_has_any(list_filter({{0}}, lambda each: each IS NOT NULL), {{1}}) THEN true"
    f" WHEN (({has_null('{0}')}) AND len({{1}}) > 0) OR (({has_null('{1}')}) AND len({{0}}) > 0) THEN NULL"
    " ELSE false END END",
)
FUNCTIONS.scalar(
    "contains_sequence",
    "array(T), array(T) -> boolean",
    _BOTH + "len({1}) = 0 OR len(list_filter(range(1, len({0}) - len({1}) + 2),"
    " lambda place: {0}[place:place + len({1}) - 1] = {1})) > 0 END",
)
FUNCTIONS.scalar(
    "repeat",
    "T, bigint -> array(T)",
    "CASE WHEN nightlake_check({1} BETWEEN 0 AND 10000, 'count of repeat must be between 0 and 10000')"
    " THEN list_transform(range({1}), lambda each: {0}) END",
)
FUNCTIONS.scalar(
    "slice",
    "array(E), bigint, bigint -> array(E)",
    "CASE WHEN {0} IS NULL OR {1} IS NULL OR {2} IS NULL THEN NULL"
    " WHEN nightlake_index({1}) AND nightlake_check({2} >= 0, 'length must be greater than or equal to 0') THEN"
    " CASE WHEN {1} > 0 THEN {0}[{1}:{1} + {2} - 1] WHEN -{1} > len({0}) THEN {0}[1:0]"
    " ELSE {0}[len({0}) + {1} + 1:len({0}) + {1} + {2}] END END",
)
FUNCTIONS.scalar(
    "trim_array",
    "array(E), bigint -> array(E)",
    "CASE WHEN nightlake_check({1} >= 0, 'size must not be negative') AND"
    " nightlake_check({1} <= len({0}), 'size must not exceed array cardinality') THEN {0}[1:len({0}) - {1}] END",
)
_COMBINED = "list_transform({places}, lambda places: list_transform(places, lambda place: list_extract({{0}}, place)))"
FUNCTIONS.scalar(
    "combinations",
    "array(T), bigint -> array(array(T))",
    _COMBINED.format(places="nightlake_combinations(len({0}), {1})"),
)
FUNCTIONS.scalar(
    "ngrams",
    "array(T), bigint -> array(array(T))",
    "CASE WHEN nightlake_check({1} > 0, 'N must be positive') THEN"
    " list_transform(range(1, greatest(len({0}) - {1}, 0) + 2), lambda place: {0}[place:place + {1} - 1]) END",
)


def _orderable(name: str, template: str, *, element: bool = False) -> None:
    def resolve(call: Call) -> Match | None:
        kind = call.types[0]
        if len(call.arguments) != 1 or not isinstance(kind, Array):
            return None
        if not is_orderable(kind.element) or kind.element == TIMESTAMP_TZ:
            return None
        return Match((kind,), kind.element if element else kind, lambda a: template.format(*a))

    FUNCTIONS.scalar(name, resolve)


_orderable("array_sort", "list_sort({0}, 'ASC', 'NULLS LAST')")
for _name in ("max", "min"):
    _orderable(f"array_{_name}", f"CASE WHEN {has_null('{0}')} THEN NULL ELSE list_{_name}({{0}}) END", element=True)


def _sorted_by(arguments: list[str]) -> str:
    """Insertion by the comparator, stable: each item goes behind those that are not greater."""
    items, compare = arguments
    place = f"nightlake_order({applied(compare, 'other', 'item.one[1]')})"
    before = f"list_filter(state.one, lambda other: {place} <= 0)"
    after = f"list_filter(state.one, lambda other: {place} > 0)"
    step = f"{{'one': list_concat(list_append({before}, item.one[1]), {after})}}"
    wrapped = f"list_transform({items}, lambda each: {{'one': [each]}})"
    return f"CASE WHEN len({items}) = 0 THEN {items} ELSE list_reduce({wrapped}, lambda state, item: {step}).one END"


FUNCTIONS.scalar("array_sort", "array(T), function(T,T,bigint) -> array(T)", lambda a: _sorted_by(list(a)))


def reduced(items: str, state: str, step: str, element_type: str, state_type: str) -> str:
    """SQL of the state after `step` took every item; state and items travel in one struct, as DuckDB's fold wants."""
    wrapped = f"list_transform({items}, lambda each: {{'s': CAST(NULL AS {state_type}), 'x': each}})"
    taken = applied(step, "one.s", "other.x")
    fold = f"lambda one, other: {{'s': {taken}, 'x': CAST(NULL AS {element_type})}}"
    start = f"{{'s': CAST({state} AS {state_type}), 'x': CAST(NULL AS {element_type})}}"
    return f"list_reduce({wrapped}, {fold}, {start}).s"


def _reduce(call: Call) -> Match | None:
    """The types come from a signature; the fold's SQL needs them too."""
    match = _REDUCE(call)
    if match is None:
        return None
    items, state = match.arguments[0], match.arguments[1]
    element = items.element if isinstance(items, Array) else UNKNOWN

    def emit(arguments: list[str]) -> str:
        folded = reduced(arguments[0], arguments[1], arguments[2], to_duckdb(element), to_duckdb(state))
        return f"CASE WHEN {arguments[0]} IS NOT NULL THEN {applied(arguments[3], folded)} END"

    return Match(match.arguments, match.returns, emit)


_REDUCE = Signature("array(T), S, function(S,T,S), function(S,R) -> R", lambda _: "")
FUNCTIONS.scalar("reduce", _reduce)


def _zip_with(arguments: list[str]) -> str:
    one, other, function = arguments
    places = f"range(1, greatest(len({one}), len({other})) + 1)"
    each = applied(function, f"list_extract({one}, place)", f"list_extract({other}, place)")
    return (
        f"CASE WHEN {one} IS NOT NULL AND {other} IS NOT NULL THEN list_transform({places}, lambda place: {each}) END"
    )


FUNCTIONS.scalar("zip_with", "array(T), array(U), function(T,U,R) -> array(R)", lambda a: _zip_with(list(a)))


def _zip(call: Call) -> Match | None:
    kinds = call.types
    elements = [kind.element for kind in kinds if isinstance(kind, Array)]
    if len(elements) != len(kinds) or len(kinds) < 2:  # noqa: PLR2004
        return None

    def emit(arguments: list[str]) -> str:
        longest = ", ".join(f"len({each})" for each in arguments)
        fields = ", ".join(f"'field{i}': list_extract({each}, place)" for i, each in enumerate(arguments))
        known = " AND ".join(f"{each} IS NOT NULL" for each in arguments)
        zipped = f"list_transform(range(1, greatest({longest}) + 1), lambda place: {{{fields}}})"
        return f"CASE WHEN {known} THEN {zipped} END"

    return Match(kinds, array(row(*((None, element) for element in elements))), emit)


FUNCTIONS.scalar("zip", _zip)


def _join(call: Call) -> Match | None:
    """Elements are cast to varchar; NULLs are left out or replaced."""
    kinds = call.types
    if len(kinds) not in (2, 3) or not isinstance(kinds[0], Array) or not all(is_text(kind) for kind in kinds[1:]):
        return None
    element = kinds[0].element
    if not (is_text(element) or is_numeric(element) or element.name in ("boolean", "date", "timestamp", "unknown")):
        return None

    def emit(arguments: list[str]) -> str:
        text = "each::VARCHAR" if element == UNKNOWN else as_text(Typed("each", element))
        if len(arguments) == 3:  # noqa: PLR2004
            text = f"coalesce({text}, {arguments[2]})"
        known = " AND ".join(f"{argument} IS NOT NULL" for argument in arguments)
        joined = f"array_to_string(list_transform({arguments[0]}, lambda each: {text}), {arguments[1]})"
        return f"CASE WHEN {known} THEN coalesce({joined}, '') END"

    return Match((kinds[0], *(VARCHAR for _ in kinds[1:])), VARCHAR, emit)


FUNCTIONS.scalar("array_join", _join)

# sequences

_LONG = "result of sequence function must not have more than 10000 entries"
_WAY = "sequence stop value should be greater than or equal to start value if step is greater than zero otherwise stop should be less than or equal to start"  # noqa: E501


def _sequence(start: str, stop: str, step: str, each: str) -> str:
    """`each` over the places 0.. of a sequence of the numbers from `start` to `stop`."""
    count = f"(({stop}) - ({start})) // ({step})"
    return (
        f"CASE WHEN {start} IS NULL OR {stop} IS NULL OR {step} IS NULL THEN NULL"
        f" WHEN nightlake_check({step} <> 0, 'step must not be zero')"
        f" AND nightlake_check(sign({step}) * (({stop}) - ({start})) >= 0, '{_WAY}')"
        f" AND nightlake_check({count} < 10000, '{_LONG}')"
        f" THEN list_transform(range(CAST({count} AS BIGINT) + 1), lambda place: {each}) END"
    )


def _direction(a: str, b: str) -> str:
    return f"CASE WHEN {b} >= {a} THEN 1 ELSE -1 END"


FUNCTIONS.scalar(
    "sequence",
    "bigint, bigint -> array(bigint)",
    lambda a: _sequence(a[0], a[1], _direction(a[0], a[1]), f"{a[0]} + place * {_direction(a[0], a[1])}"),
)
FUNCTIONS.scalar(
    "sequence",
    "bigint, bigint, bigint -> array(bigint)",
    lambda a: _sequence(a[0], a[1], a[2], f"{a[0]} + place * {a[2]}"),
)


def _days(date: str) -> str:
    return f"({date} - DATE '1970-01-01')"


FUNCTIONS.scalar(
    "sequence",
    "date, date -> array(date)",
    lambda a: _sequence(
        _days(a[0]), _days(a[1]), _direction(a[0], a[1]), f"{a[0]} + CAST(place * {_direction(a[0], a[1])} AS INTEGER)"
    ),
)
FUNCTIONS.scalar(
    "sequence",
    "date, date, interval day to second -> array(date)",
    lambda a: (
        f"CASE WHEN nightlake_check({a[2]} % 86400000 = 0, 'sequence step must be a day interval if start and end"
        " values are dates') THEN "
        + _sequence(_days(a[0]), _days(a[1]), f"({a[2]} // 86400000)",
                    f"{a[0]} + CAST(place * ({a[2]} // 86400000) AS INTEGER)")
        + " END"
    ),
)  # fmt: skip
FUNCTIONS.scalar(
    "sequence",
    "timestamp(3), timestamp(3), interval day to second -> array(timestamp(3))",
    lambda a: _sequence(
        f"epoch_ms({a[0]})", f"epoch_ms({a[1]})", a[2], f"make_timestamp((epoch_ms({a[0]}) + place * {a[2]}) * 1000)"
    ),
)
for _kind in ("date", "timestamp(3)"):
    FUNCTIONS.scalar(
        "sequence",
        f"{_kind}, {_kind}, interval year to month -> array({_kind})",
        lambda a: _sequence(
            "0", f"date_sub('month', {a[0]}, {a[1]})", a[2], f"{a[0]} + to_months(CAST(place * {a[2]} AS INTEGER))"
        ),
    )

"""Maps: https://trino.io/docs/current/functions/map.html. An entry is a row of two fields without names."""

from local.athena.functions.array import applied, first_of_each
from local.athena.functions.registry import FUNCTIONS

FUNCTIONS.scalar("map", "-> map(unknown, unknown)", "MAP([]::INTEGER[], []::INTEGER[])")
_KEYS = "map key cannot be null"
FUNCTIONS.scalar(
    "map",
    "array(K), array(V) -> map(K, V)",
    "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL"
    " AND nightlake_check(len({0}) = len({1}), 'Key and value arrays must be the same length')"
    f" AND nightlake_check(list_count({{0}}) = len({{0}}), '{_KEYS}')"
    " AND nightlake_check(list_unique({0}) = len({0}), 'Duplicate map keys are not allowed')"
    " THEN map({0}, {1}) END",
)
FUNCTIONS.scalar("cardinality", "map(K, V) -> bigint", "cardinality({0})")
FUNCTIONS.scalar("element_at", "map(K, V), K -> V", "map_extract_value({0}, {1})")
FUNCTIONS.scalar("map_keys", "map(K, V) -> array(K)", "map_keys({0})")
FUNCTIONS.scalar("map_values", "map(K, V) -> array(V)", "map_values({0})")
FUNCTIONS.scalar(
    "map_entries",
    "map(K, V) -> array(row(K, V))",
    "list_transform(map_entries({0}), lambda entry: {{'field0': entry.key, 'field1': entry.value}})",
)
FUNCTIONS.scalar(
    "map_from_entries",
    "array(row(K, V)) -> map(K, V)",
    "CASE WHEN {0} IS NOT NULL"
    f" AND nightlake_check(len(list_filter({{0}}, lambda entry: entry.field0 IS NULL)) = 0, '{_KEYS}')"
    " AND nightlake_check(list_unique(list_transform({0}, lambda entry: entry.field0)) = len({0}),"
    " 'Duplicate map keys are not allowed')"
    " THEN map_from_entries(list_transform({0}, lambda entry: {{'k': entry.field0, 'v': entry.field1}})) END",
)


def grouped(entries: str, key: str, value: str) -> str:
    """SQL of a map from every key of `entries` (a list of structs) to the list of its values, in order."""
    keys = first_of_each(f"list_transform({entries}, lambda entry: entry.{key})")
    values = f"list_transform(list_filter({entries}, lambda entry: entry.{key} = k), lambda entry: entry.{value})"
    return f"map_from_entries(list_transform({keys}, lambda k: {{'k': k, 'v': {values}}}))"


def first_values(entries: str, key: str, value: str) -> str:
    """SQL of a map of `entries` (a list of structs), with the first value of every key."""
    keys = f"list_transform({entries}, lambda entry: entry.{key})"
    firsts = f"list_filter({entries}, lambda entry, place: list_position({keys}, entry.{key}) = place)"
    kept = f"CASE WHEN list_unique({keys}) = len({keys}) THEN {entries} ELSE {firsts} END"
    return f"map_from_entries(list_transform({kept}, lambda entry: {{'k': entry.{key}, 'v': entry.{value}}}))"


FUNCTIONS.scalar(
    "multimap_from_entries", "array(row(K, V)) -> map(K, array(V))", lambda a: grouped(a[0], "field0", "field1")
)
FUNCTIONS.scalar(
    "map_concat",
    "map(K, V), map(K, V), map(K, V)... -> map(K, V)",
    lambda a: f"CASE WHEN {' AND '.join(f'{m} IS NOT NULL' for m in a)} THEN map_concat({', '.join(a)}) END",
)


def _each(function: str) -> str:
    return applied(function, "entry.key", "entry.value")


FUNCTIONS.scalar(
    "map_filter",
    "map(K, V), function(K,V,boolean) -> map(K, V)",
    lambda a: f"map_from_entries(list_filter(map_entries({a[0]}), lambda entry: {_each(a[1])}))",
)
FUNCTIONS.scalar(
    "transform_values",
    "map(K, V), function(K,V,R) -> map(K, R)",
    lambda a: (
        f"map_from_entries(list_transform(map_entries({a[0]}), lambda entry: {{'k': entry.key, 'v': {_each(a[1])}}}))"
    ),
)


def _transform_keys(arguments: list[str]) -> str:
    keys = f"list_transform(map_entries({arguments[0]}), lambda entry: {_each(arguments[1])})"
    return (
        f"CASE WHEN nightlake_check(list_count({keys}) = len({keys}), '{_KEYS}')"
        f" AND nightlake_check(list_unique({keys}) = len({keys}), 'Duplicate keys are not allowed')"
        f" THEN map({keys}, map_values({arguments[0]})) END"
    )


FUNCTIONS.scalar("transform_keys", "map(K, V), function(K,V,R) -> map(R, V)", lambda a: _transform_keys(list(a)))


def _zip_with(arguments: list[str]) -> str:
    one, other, function = arguments
    keys = first_of_each(f"list_concat(map_keys({one}), map_keys({other}))")
    value = applied(function, "k", f"map_extract_value({one}, k)", f"map_extract_value({other}, k)")
    entries = f"list_transform({keys}, lambda k: {{'k': k, 'v': {value}}})"
    return f"CASE WHEN {one} IS NOT NULL AND {other} IS NOT NULL THEN map_from_entries({entries}) END"


FUNCTIONS.scalar("map_zip_with", "map(K, V), map(K, U), function(K,V,U,R) -> map(K, R)", lambda a: _zip_with(list(a)))

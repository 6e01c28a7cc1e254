"""Regular expressions: https://trino.io/docs/current/functions/regexp.html.

Trino's are Java's. Matching goes to DuckDB's RE2 where the pattern is of the syntax that both share; everything
that depends on groups and positions goes to Python's engine, which backtracks as Java's does. What is in neither
alike (class intersections, possessive names and the like) is refused: see `udf.pattern`.
"""

from local.athena import udf
from local.athena.functions.array import applied
from local.athena.functions.registry import FUNCTIONS, Argument, Call, Match
from local.athena.types import BOOLEAN, VARCHAR, is_text, literal


def _like(call: Call) -> Match | None:
    if len(call.arguments) != 2 or not all(is_text(kind) or kind.name == "unknown" for kind in call.types):  # noqa: PLR2004
        return None
    given = call.arguments[1]
    shared = isinstance(given, Argument) and isinstance(given.literal, str) and udf.is_shared_pattern(given.literal)
    if shared and isinstance(given, Argument):
        pattern = literal(str(given.literal))
        plain = f"regexp_matches({{0}}, {pattern})"
        if udf.has_classes(str(given.literal)):
            plain = f"CASE WHEN length({{0}}) = strlen({{0}}) THEN {plain} ELSE nightlake_regexp_like({{0}}, {{1}}) END"
        return Match((VARCHAR, VARCHAR), BOOLEAN, lambda a: plain.format(*a))
    return Match((VARCHAR, VARCHAR), BOOLEAN, lambda a: f"nightlake_regexp_like({a[0]}, {a[1]})")


FUNCTIONS.scalar("regexp_like", _like)
FUNCTIONS.scalar("regexp_count", "varchar, varchar -> bigint", "nightlake_regexp_count({0}, {1})")
FUNCTIONS.scalar("regexp_extract", "varchar(x), varchar -> varchar(x)", "nightlake_regexp_extract({0}, {1}, 0)")
FUNCTIONS.scalar(
    "regexp_extract", "varchar(x), varchar, bigint -> varchar(x)", "nightlake_regexp_extract({0}, {1}, {2})"
)
FUNCTIONS.scalar(
    "regexp_extract_all", "varchar(x), varchar -> array(varchar(x))", "nightlake_regexp_extract_all({0}, {1}, 0)"
)
FUNCTIONS.scalar(
    "regexp_extract_all",
    "varchar(x), varchar, bigint -> array(varchar(x))",
    "nightlake_regexp_extract_all({0}, {1}, {2})",
)
FUNCTIONS.scalar(
    "regexp_position", "varchar, varchar -> integer", "nightlake_regexp_position({0}, {1}, 1, 1)"
)  # fmt: skip
FUNCTIONS.scalar(
    "regexp_position", "varchar, varchar, bigint -> integer", "nightlake_regexp_position({0}, {1}, {2}, 1)"
)
FUNCTIONS.scalar(
    "regexp_position", "varchar, varchar, bigint, bigint -> integer", "nightlake_regexp_position({0}, {1}, {2}, {3})"
)
FUNCTIONS.scalar("regexp_split", "varchar(x), varchar -> array(varchar(x))", "nightlake_regexp_split({0}, {1})")
FUNCTIONS.scalar("regexp_replace", "varchar(x), varchar -> varchar(x)", "nightlake_regexp_replace({0}, {1}, '')")
FUNCTIONS.scalar(
    "regexp_replace", "varchar, varchar, varchar -> varchar", "nightlake_regexp_replace({0}, {1}, {2})"
)  # fmt: skip


def _replace_by(arguments: list[str]) -> str:
    """The pieces are the text before each match with the match's groups; the last one has no groups."""
    source, pattern, function = arguments
    replaced = f"CASE WHEN piece.groups IS NULL THEN '' ELSE coalesce({applied(function, 'piece.groups')}, '') END"
    pieces = f"nightlake_regexp_pieces({source}, {pattern})"
    return f"array_to_string(list_transform({pieces}, lambda piece: piece.before || {replaced}), '')"


FUNCTIONS.scalar(
    "regexp_replace", "varchar, varchar, function(array(varchar),varchar) -> varchar", lambda a: _replace_by(list(a))
)

"""Text: https://trino.io/docs/current/functions/string.html; lengths and positions count code points."""

from local.athena.compiler.cast import as_text
from local.athena.compiler.typed import Typed
from local.athena.functions.guard import refuse
from local.athena.functions.registry import FUNCTIONS, Argument, Call, Match
from local.athena.types import BOOLEAN, DATE, REAL, VARCHAR, Decimal, Varchar, is_integer, is_text, literal, varchar

# what Java calls white space
_SPACES = "".join(
    chr(code)
    for code in (
        *range(0x09, 0x0E), *range(0x1C, 0x21), 0x1680, *range(0x2000, 0x2007), *range(0x2008, 0x200B),
        0x2028, 0x2029, 0x205F, 0x3000,
    )
)  # fmt: skip

FUNCTIONS.scalar("length", "varchar -> bigint", "length({0})")
FUNCTIONS.scalar("lower", "varchar(x) -> varchar(x)", "lower({0})")
# DuckDB makes a capital sharp s of ß, Java leaves it
FUNCTIONS.scalar(
    "upper",
    "varchar(x) -> varchar(x)",
    "CASE WHEN contains({0}, 'ß')"
    " THEN array_to_string(list_transform(string_split({0}, 'ß'), lambda part: upper(part)), 'ß')"
    " ELSE upper({0}) END",
)
FUNCTIONS.scalar(
    "reverse",
    "varchar(x) -> varchar(x)",
    "CASE WHEN length({0}) = strlen({0}) THEN reverse({0})"
    " ELSE array_to_string(list_reverse(string_split({0}, '')), '') END",
)
FUNCTIONS.scalar(
    "chr", "bigint -> varchar(1)",
    lambda a: refuse(
        f"{a[0]} < 0 OR {a[0]} > 1114111 OR {a[0]} BETWEEN 55296 AND 57343",
        "Not a valid Unicode code point",
        f"chr(CAST({a[0]} AS INTEGER))",
        "VARCHAR",
    ),
)  # fmt: skip
FUNCTIONS.scalar(
    "codepoint", "varchar(1) -> integer",
    lambda a: refuse(f"length({a[0]}) <> 1", "Input string must be a single character string", f"unicode({a[0]})",
                     "INTEGER"),
)  # fmt: skip
FUNCTIONS.scalar("starts_with", "varchar, varchar -> boolean", "starts_with({0}, {1})")
FUNCTIONS.scalar("ends_with", "varchar, varchar -> boolean", "suffix({0}, {1})")
FUNCTIONS.scalar("translate", "varchar, varchar, varchar -> varchar", "translate({0}, {1}, {2})")
FUNCTIONS.scalar("normalize", "varchar, varchar -> varchar", "nightlake_normalize({0}, {1})")
FUNCTIONS.scalar("soundex", "varchar -> varchar(4)", "nightlake_soundex({0})")
FUNCTIONS.scalar("luhn_check", "varchar -> boolean", "nightlake_luhn({0})")
FUNCTIONS.scalar("hamming_distance", "varchar, varchar -> bigint", "nightlake_hamming({0}, {1})")
FUNCTIONS.scalar(
    "levenshtein_distance",
    "varchar, varchar -> bigint",
    "CASE WHEN length({0}) = strlen({0}) AND length({1}) = strlen({1}) THEN levenshtein({0}, {1})"
    " ELSE nightlake_levenshtein({0}, {1}) END",
)

# concatenation

FUNCTIONS.scalar("concat", "varchar, varchar, varchar... -> varchar", " || ".join)
FUNCTIONS.scalar("concat_ws", "varchar, varchar... -> varchar", lambda a: f"concat_ws({', '.join(a)}, NULL)")
FUNCTIONS.scalar(
    "concat_ws",
    "varchar, array(varchar) -> varchar",
    "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN coalesce(array_to_string({1}, {0}), '') END",
)

# parts

_EMPTY_START = "{1} = 0 OR -{1} > length({0})"
for _name in ("substr", "substring"):
    FUNCTIONS.scalar(
        _name,
        "varchar(x), bigint -> varchar(x)",
        f"CASE WHEN {_EMPTY_START} THEN '' ELSE substring({{0}}, {{1}}) END",
    )
    FUNCTIONS.scalar(
        _name,
        "varchar(x), bigint, bigint -> varchar(x)",
        "CASE WHEN {0} IS NULL OR {1} IS NULL OR {2} IS NULL THEN NULL"
        f" WHEN {{2}} <= 0 OR {_EMPTY_START} THEN '' ELSE substring({{0}}, {{1}}, {{2}}) END",
    )
FUNCTIONS.scalar("strpos", "varchar, varchar -> bigint", "strpos({0}, {1})")
FUNCTIONS.scalar("strpos", "varchar, varchar, bigint -> bigint", "nightlake_strpos({0}, {1}, {2})")
_NO_DELIMITER = "The delimiter may not be the empty string"
FUNCTIONS.scalar(
    "split",
    "varchar(x), varchar -> array(varchar(x))",
    lambda a: refuse(f"{a[1]} = ''", _NO_DELIMITER, f"string_split({a[0]}, {a[1]})", "VARCHAR[]"),
)
FUNCTIONS.scalar(
    "split",
    "varchar(x), varchar, bigint -> array(varchar(x))",
    lambda a: refuse(
        f"{a[2]} <= 0",
        "Limit must be positive",
        refuse(
            f"{a[1]} = ''",
            _NO_DELIMITER,
            f"CASE WHEN {a[2]} IS NOT NULL THEN"
            f" CASE WHEN len(string_split({a[0]}, {a[1]})) <= {a[2]} THEN string_split({a[0]}, {a[1]})"
            f" ELSE list_append(string_split({a[0]}, {a[1]})[1:{a[2]} - 1],"
            f" array_to_string(string_split({a[0]}, {a[1]})[{a[2]}:], {a[1]})) END END",
            "VARCHAR[]",
        ),
        "VARCHAR[]",
    ),
)
FUNCTIONS.scalar(
    "split_part",
    "varchar(x), varchar, bigint -> varchar(x)",
    lambda a: refuse(
        f"{a[2]} <= 0", "Index must be greater than zero", f"string_split({a[0]}, {a[1]})[{a[2]}]", "VARCHAR"
    ),
)
FUNCTIONS.scalar(
    "split_to_map", "varchar, varchar, varchar -> map(varchar, varchar)", "nightlake_split_to_map({0}, {1}, {2})"
)
FUNCTIONS.scalar(
    "split_to_multimap",
    "varchar, varchar, varchar -> map(varchar, array(varchar))",
    "nightlake_split_to_multimap({0}, {1}, {2})",
)

# replacing, padding, trimming


def _replace(call: Call) -> Match | None:
    kinds = call.types
    if len(kinds) != 3 or not all(is_text(k) or k.name == "unknown" for k in kinds):  # noqa: PLR2004
        return None
    source, by = kinds[0], kinds[2]
    longest = None
    if isinstance(source, Varchar) and isinstance(by, Varchar) and source.length is not None and by.length is not None:
        longest = min(2_147_483_647, source.length + by.length * (source.length + 1))
    between = (
        "CASE WHEN {0} = '' THEN {2}"
        " ELSE {2} || array_to_string(list_transform(string_split({0}, ''), lambda each: each || {2}), '') END"
    )
    text = f"CASE WHEN {{1}} = '' THEN {between} ELSE replace({{0}}, {{1}}, {{2}}) END"
    return Match((VARCHAR, VARCHAR, VARCHAR), varchar(longest), lambda a: text.format(*a))


FUNCTIONS.scalar("replace", _replace)
FUNCTIONS.scalar("replace", "varchar(x), varchar -> varchar(x)", "replace({0}, {1}, '')")
for _name in ("lpad", "rpad"):
    FUNCTIONS.scalar(
        _name,
        "varchar, bigint, varchar -> varchar",
        lambda a, name=_name: refuse(  # type: ignore[misc]
            f"{a[1]} < 0 OR {a[1]} > 2147483647",
            "Target length must be in the range [0..2147483647]",
            refuse(
                f"{a[2]} = ''",
                "Padding string must not be empty",
                f"{name}({a[0]}, CAST({a[1]} AS INTEGER), {a[2]})",
                "VARCHAR",
            ),
            "VARCHAR",
        ),
    )
for _name in ("trim", "ltrim", "rtrim"):
    FUNCTIONS.scalar(_name, "varchar(x) -> varchar(x)", f"{_name}({{0}}, {literal(_SPACES)})")
    FUNCTIONS.scalar(_name, "varchar(x), varchar -> varchar(x)", f"{_name}({{0}}, {{1}})")

# fixed-length text: of its own length again, whatever is left

FUNCTIONS.scalar("length", "char(x) -> bigint", "length({0})")
for _name in ("lower", "upper"):
    FUNCTIONS.scalar(_name, "char(x) -> char(x)", f"{_name}({{0}})")
for _name in ("trim", "ltrim", "rtrim"):
    FUNCTIONS.scalar(
        _name, "char(x) -> char(x)", f"rpad({_name}({{0}}, {literal(_SPACES)}), length({{0}})::INTEGER, ' ')"
    )

# formatting

_CONVERSIONS = {"boolean": "b", "date": "t", "timestamp": "t"}


def _format(call: Call) -> Match | None:
    """`format`: arguments go as text, each after a letter that tells its kind: d, f, s, b, t (Java's conversions)."""
    if len(call.arguments) < 2 or not is_text(call.types[0]):  # noqa: PLR2004
        return None
    kinds = call.types
    for kind in kinds[1:]:
        known = is_text(kind) or is_integer(kind) or isinstance(kind, Decimal) or kind in (BOOLEAN, DATE, REAL)
        if not known and kind.name not in ("double", "timestamp", "unknown"):
            return None

    def emit(arguments: list[str]) -> str:
        texts = []
        for kind, sql in zip(kinds[1:], arguments[1:], strict=True):
            letter = "d" if is_integer(kind) else "f" if kind.name in ("double", "real") else None
            letter = letter or ("m" if isinstance(kind, Decimal) else _CONVERSIONS.get(kind.name, "s"))
            texts.append("NULL" if kind.name == "unknown" else f"'{letter}' || {as_text(Typed(sql, kind))}")
        return f"nightlake_format({arguments[0]}, [{', '.join(texts)}]::VARCHAR[])"

    return Match((VARCHAR, *kinds[1:]), VARCHAR, emit)


FUNCTIONS.scalar("format", _format)
for _kind in ("bigint", "double"):
    FUNCTIONS.scalar("format_number", f"{_kind} -> varchar", "nightlake_format_number({0})")
FUNCTIONS.scalar("parse_data_size", "varchar -> decimal(38,0)", "nightlake_data_size({0})")


def _typeof(call: Call) -> Match | None:
    if len(call.arguments) != 1 or not isinstance(call.arguments[0], Argument):
        return None
    name = str(call.types[0])
    return Match(call.types, varchar(len(name)), lambda _: literal(name))


FUNCTIONS.scalar("typeof", _typeof)

"""JSON: https://trino.io/docs/current/functions/json.html, the functions over the `json` type.

Values of the type are held as JSON text in Trino's form. json_query and its siblings have grammar of their own and
are not here.
"""

from local.athena import udf
from local.athena.errors import InvalidFunctionArgumentError
from local.athena.functions.guard import literal_text
from local.athena.functions.registry import FUNCTIONS, Call, Match
from local.athena.types import BIGINT, JSON, UNKNOWN, VARCHAR, Type, is_text

for _kind in ("varchar", "json"):
    FUNCTIONS.scalar("json_array_length", f"{_kind} -> bigint", "nightlake_json_array_length({0})")
    FUNCTIONS.scalar("json_array_get", f"{_kind}, bigint -> json", "nightlake_json_array_get({0}, {1})")
    FUNCTIONS.scalar("is_json_scalar", f"{_kind} -> boolean", "nightlake_is_json_scalar({0})")
    for _value, _letter in (("boolean", "b"), ("bigint", "n"), ("double", "n"), ("varchar", "s")):
        FUNCTIONS.scalar(
            "json_array_contains",
            f"{_kind}, {_value} -> boolean",
            f"nightlake_json_array_contains({{0}}, '{_letter}' || CAST({{1}} AS VARCHAR))",
        )
FUNCTIONS.scalar("json_format", "json -> varchar", "{0}")
FUNCTIONS.scalar("json_parse", "varchar -> json", "nightlake_json_parse({0})")


def _by_path(name: str, returns: Type) -> None:
    def resolve(call: Call) -> Match | None:
        if len(call.arguments) != 2 or not (is_text(call.types[0]) or call.types[0] in (JSON, UNKNOWN)):  # noqa: PLR2004
            return None
        path = literal_text(call, 1, "path")
        if udf.json_path(path) is None:
            raise InvalidFunctionArgumentError(f"Invalid JSON path: '{path}'")
        source = JSON if call.types[0] == JSON else VARCHAR
        return Match((source, VARCHAR), returns, lambda a: f"nightlake_{name}({a[0]}, {a[1]})")

    FUNCTIONS.scalar(name, resolve)


_by_path("json_extract", JSON)
_by_path("json_extract_scalar", VARCHAR)
_by_path("json_size", BIGINT)

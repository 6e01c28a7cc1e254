"""SQL that fails with Trino's error when an argument is not one that a function takes."""

from local.athena.errors import NotSupportedError, failing
from local.athena.functions.registry import Argument, Call
from local.athena.types import decimal, literal, to_duckdb

ARGUMENT = "INVALID_FUNCTION_ARGUMENT"
RANGE = "NUMERIC_VALUE_OUT_OF_RANGE"


def refuse(condition: str, message: str, value: str, duckdb_type: str, code: str = ARGUMENT) -> str:
    """SQL of `value` that fails with `message` where `condition` holds."""
    return f"CASE WHEN {condition} THEN {failing(code, literal(message), duckdb_type)} ELSE {value} END"


def within_38_digits(value: str, scale: int) -> str:
    """SQL of a decimal, which DuckDB lets grow beyond 38 digits as far as 128 bits go."""
    held = to_duckdb(decimal(38, scale))
    limit = f"CAST('{'9' * (38 - scale)}.{'9' * scale}' AS {held})"
    return refuse(f"{value} > {limit} OR {value} < -{limit}", "Decimal overflow", value, held, RANGE)


def literal_text(call: Call, position: int, what: str) -> str:
    """The text of an argument that decides what is compiled. Raises NotSupportedError if it is no literal."""
    argument = call.arguments[position]
    if not isinstance(argument, Argument) or not isinstance(argument.literal, str):
        raise NotSupportedError(f"{call.name} with a {what} that is not a literal is not supported")
    return argument.literal

"""How a query fails, in Athena's words, and DuckDB's run-time errors told so.

Categories and type numbers: https://docs.aws.amazon.com/athena/latest/ug/error-reference.html
"""

import re
from typing import ClassVar

from nightlake.core.errors import NightlakeError

RAISED = "nightlake!"  # marks an error that compiled SQL raises by itself
_USER, _SYSTEM = 2, 1


class QueryError(NightlakeError):
    """A query fails. Its text is what Athena shows: `CODE: line 1:8: message`.

    `category` is 1 (system), 2 (user) or 3 (other), `type_number` Athena's ErrorType; `retryable` tells whether the
    same query may succeed later. Leaves carry the code of Trino.
    """

    code: ClassVar[str]
    category: ClassVar[int] = _USER
    type_number: ClassVar[int] = 1000
    retryable: ClassVar[bool] = False
    scanned_bytes: int = 0  # what had been read when it failed, where known

    def __init__(self, message: str, position: tuple[int, int] | None = None) -> None:
        self.message = message
        self.position = position
        where = f"line {position[0]}:{position[1]}: " if position else ""
        super().__init__(f"{self.code}: {where}{message}")


class QuerySyntaxError(QueryError):
    """The statement, or what it means, breaks Trino's rules."""

    code = "SYNTAX_ERROR"


class ColumnNotFoundError(QueryError):
    code = "COLUMN_NOT_FOUND"


class AmbiguousNameError(QueryError):
    code = "AMBIGUOUS_NAME"


class TableNotFoundError(QueryError):
    code = "TABLE_NOT_FOUND"


class SchemaNotFoundError(QueryError):
    code = "SCHEMA_NOT_FOUND"


class CatalogNotFoundError(QueryError):
    code = "CATALOG_NOT_FOUND"


class TypeMismatchError(QueryError):
    code = "TYPE_MISMATCH"


class TypeNotFoundError(QueryError):
    code = "TYPE_NOT_FOUND"


class FunctionNotFoundError(QueryError):
    code = "FUNCTION_NOT_FOUND"


class NotSupportedError(QueryError):
    """What Athena, or this engine, does not do."""

    code = "NOT_SUPPORTED"


class DuplicateColumnNameError(QueryError):
    code = "DUPLICATE_COLUMN_NAME"


class MissingColumnNameError(QueryError):
    code = "MISSING_COLUMN_NAME"


class MismatchedColumnAliasesError(QueryError):
    code = "MISMATCHED_COLUMN_ALIASES"


class ExpressionNotAggregateError(QueryError):
    code = "EXPRESSION_NOT_AGGREGATE"


class ExpressionNotScalarError(QueryError):
    code = "EXPRESSION_NOT_SCALAR"


class ExpressionNotInDistinctError(QueryError):
    code = "EXPRESSION_NOT_IN_DISTINCT"


class InvalidColumnReferenceError(QueryError):
    code = "INVALID_COLUMN_REFERENCE"


class InvalidArgumentsError(QueryError):
    code = "INVALID_ARGUMENTS"


class InvalidLiteralError(QueryError):
    code = "INVALID_LITERAL"


class InvalidParameterUsageError(QueryError):
    code = "INVALID_PARAMETER_USAGE"


class InvalidViewError(QueryError):
    code = "INVALID_VIEW"


class ViewIsStaleError(QueryError):
    code = "VIEW_IS_STALE"


class ViewIsRecursiveError(QueryError):
    code = "VIEW_IS_RECURSIVE"


class InvalidWindowFrameError(QueryError):
    code = "INVALID_WINDOW_FRAME"


class InvalidWindowReferenceError(QueryError):
    code = "INVALID_WINDOW_REFERENCE"


class InvalidPartitionByError(QueryError):
    code = "INVALID_PARTITION_BY"


class InvalidOrderByError(QueryError):
    code = "INVALID_ORDER_BY"


class MissingOrderByError(QueryError):
    code = "MISSING_ORDER_BY"


class MissingGroupByError(QueryError):
    code = "MISSING_GROUP_BY"


class NestedAggregationError(QueryError):
    code = "NESTED_AGGREGATION"


class NestedWindowError(QueryError):
    code = "NESTED_WINDOW"


class DivisionByZeroError(QueryError):
    code = "DIVISION_BY_ZERO"


class NumericValueOutOfRangeError(QueryError):
    code = "NUMERIC_VALUE_OUT_OF_RANGE"


class InvalidCastArgumentError(QueryError):
    code = "INVALID_CAST_ARGUMENT"


class InvalidFunctionArgumentError(QueryError):
    code = "INVALID_FUNCTION_ARGUMENT"


class SubqueryMultipleRowsError(QueryError):
    code = "SUBQUERY_MULTIPLE_ROWS"


class StackOverflowError(QueryError):
    code = "STACK_OVERFLOW"


class DuplicatePropertyError(QueryError):
    code = "DUPLICATE_PROPERTY"


class InvalidTablePropertyError(QueryError):
    code = "INVALID_TABLE_PROPERTY"


class TableAlreadyExistsError(QueryError):
    code = "TABLE_ALREADY_EXISTS"


class SchemaAlreadyExistsError(QueryError):
    code = "SCHEMA_ALREADY_EXISTS"


class SchemaNotEmptyError(QueryError):
    code = "SCHEMA_NOT_EMPTY"


class AlreadyExistsError(QueryError):
    """A view, a partition or a prepared statement of this name is there already."""

    code = "ALREADY_EXISTS"


class NotFoundError(QueryError):
    """A view, a partition or a prepared statement of this name is not there."""

    code = "NOT_FOUND"


class PathAlreadyExistsError(QueryError):
    code = "HIVE_PATH_ALREADY_EXISTS"
    type_number = 1200


class TooManyOpenPartitionsError(QueryError):
    code = "HIVE_TOO_MANY_OPEN_PARTITIONS"
    type_number = 1200


class BadDataError(QueryError):
    code = "HIVE_BAD_DATA"
    type_number = 1001


class InvalidPartitionValueError(QueryError):
    code = "HIVE_INVALID_PARTITION_VALUE"
    type_number = 1001


class PartitionSchemaMismatchError(QueryError):
    code = "HIVE_PARTITION_SCHEMA_MISMATCH"
    type_number = 1001


class InvalidMetadataError(QueryError):
    code = "HIVE_INVALID_METADATA"
    type_number = 1001


class CannotOpenSplitError(QueryError):
    code = "HIVE_CANNOT_OPEN_SPLIT"
    type_number = 1001


class FilesystemError(QueryError):
    code = "HIVE_FILESYSTEM_ERROR"
    type_number = 1001


class CursorError(QueryError):
    code = "HIVE_CURSOR_ERROR"
    type_number = 1001


class DdlFailedError(QueryError):
    """A Hive DDL statement fails; Athena says `FAILED: ...` and no more."""

    code = "FAILED"
    type_number = 1003


class ExhaustedResourcesError(QueryError):
    code = "EXCEEDED_LOCAL_MEMORY_LIMIT"
    category = _SYSTEM
    type_number = 0
    retryable = True


class FunctionMemoryError(QueryError):
    code = "EXCEEDED_FUNCTION_MEMORY_LIMIT"


class InternalError(QueryError):
    """DuckDB failed in a way that Trino has no words for; its own text is kept."""

    code = "GENERIC_INTERNAL_ERROR"
    category = _SYSTEM
    type_number = 200


def _leaves() -> dict[str, type[QueryError]]:
    return {leaf.code: leaf for leaf in QueryError.__subclasses__()}


def from_code(code: str, message: str) -> QueryError:
    """The leaf whose code is `code`."""
    return _leaves()[code](message)


def failing(code: str, message: str, duckdb_type: str) -> str:
    """DuckDB SQL of type `duckdb_type` that fails with `code`; `message` is the SQL of a text.

    DuckDB's own error() counts as volatile, which TRY and many optimisations refuse; a cast that fails does not.
    """
    return f"CAST(CAST(CAST('{RAISED}{code}: ' || {message} AS TINYINT) AS VARCHAR) AS {duckdb_type})"


_INTEGER_NAMES = {"INT8": "tinyint", "INT16": "smallint", "INT32": "integer", "INT64": "bigint"}
_RAISED = re.compile(
    re.escape(RAISED) + r"([A-Z_]+): (.*?)(?:' to INT8|\n\nAt:|\Z)", re.DOTALL
)  # by a cast, by a Python function
_OVERFLOW = re.compile(r"Overflow in (addition|subtraction|multiplication|division) of (INT\d+) \((.*)\)!")
_OUT_OF_RANGE = re.compile(r"out of range for the destination type (INT\d+)")
_NOT_A_NUMBER = re.compile(r"Could not convert string ['\"](.*?)['\"] to (\w+)", re.DOTALL)


def from_duckdb(error: Exception) -> QueryError:
    """Trino's error for one that DuckDB raised while a compiled query ran."""
    text = str(error)
    raised = _RAISED.search(text)
    if raised and raised[1] in _leaves():
        return from_code(raised[1], raised[2])
    return _out_of_range(text) or _other(text)


def _out_of_range(text: str) -> QueryError | None:
    overflow = _OVERFLOW.search(text)
    if overflow:
        return NumericValueOutOfRangeError(
            f"{_INTEGER_NAMES.get(overflow[2], 'bigint')} {overflow[1]} overflow: {overflow[3]}"
        )
    out = _OUT_OF_RANGE.search(text)
    if out:
        return NumericValueOutOfRangeError(f"{_INTEGER_NAMES.get(out[1], 'decimal')} overflow")
    if "DECIMAL" in text and ("overflow" in text.lower() or "out of range" in text or "Could not cast" in text):
        return NumericValueOutOfRangeError("Decimal overflow")
    return NumericValueOutOfRangeError("Value out of range") if "Overflow in" in text else None


def _other(text: str) -> QueryError:
    if "More than one row returned by a subquery" in text:
        return SubqueryMultipleRowsError("Scalar sub-query has returned multiple rows")
    if "subqueries in lambda expressions are not supported" in text:
        return NotSupportedError("A subquery is not supported here; put it in a WITH query and join it")
    if "Out of Memory" in text:
        return ExhaustedResourcesError("Query exhausted resources at this scale factor")
    if "is not a GZIP stream" in text:
        return CursorError("incorrect header check")
    bad = _NOT_A_NUMBER.search(text)
    if bad:
        target = _INTEGER_NAMES.get(bad[2], bad[2].lower())
        return InvalidCastArgumentError(f"Cannot cast '{bad[1]}' to {'INT' if target == 'integer' else target.upper()}")
    return InternalError(text)

"""What stands in OVER: partitions, order and frames, named windows extended."""

from typing import TYPE_CHECKING

from sqlglot import exp

from local.athena.compiler.cast import coerce
from local.athena.compiler.keys import same_key
from local.athena.compiler.typed import Typed, let
from local.athena.errors import (
    InvalidOrderByError,
    InvalidPartitionByError,
    InvalidWindowFrameError,
    InvalidWindowReferenceError,
    NotSupportedError,
    TypeMismatchError,
    failing,
)
from local.athena.parser import position
from local.athena.types import (
    BIGINT,
    DATE,
    INTERVAL_DAY,
    INTERVAL_YEAR,
    TIMESTAMP,
    TIMESTAMP_TZ,
    common_super_type,
    is_integer,
    is_numeric,
    to_duckdb,
)

if TYPE_CHECKING:
    from local.athena.compiler.expression import Expressions

_Parts = tuple[list[exp.Expr] | None, exp.Expr | None, exp.Expr | None]
_DAY = 86_400_000


def over_clause(expressions: "Expressions", over: exp.Expr) -> str:
    """The SQL inside OVER (). Raises leaves of QueryError."""
    partition, order, frame = _parts(expressions, over)
    texts = []
    if partition:
        texts.append("PARTITION BY " + ", ".join(same_key(expressions.compile(key)) for key in partition))
    if order is not None:
        texts.append("ORDER BY " + expressions.order_by(order.expressions))
    if frame is not None:
        texts.append(_frame(expressions, frame, order))
    return " ".join(texts)


def _parts(expressions: "Expressions", over: exp.Expr) -> _Parts:
    """PARTITION BY, ORDER BY and the frame of a window, with those of the named window that it extends."""
    partition, order, frame = (over.args.get(part) for part in ("partition_by", "order", "spec"))
    alias = over.args.get("alias")
    if alias is None:
        return partition, order, frame
    named = expressions.named_windows.get(alias.name.lower())
    if named is None:
        raise InvalidWindowReferenceError(f"Cannot resolve WINDOW name {alias.name}", position(over))
    base = _parts(expressions, named)
    if not (partition or order or frame):
        return base
    if partition:
        raise InvalidPartitionByError(
            "WINDOW specification with named WINDOW reference cannot specify PARTITION BY", position(over)
        )
    if order and base[1]:
        raise InvalidOrderByError(
            "Cannot specify ORDER BY if referenced named WINDOW specifies ORDER BY", position(over)
        )
    if base[2]:
        raise InvalidWindowReferenceError(
            "Cannot reference named WINDOW containing frame specification", position(over)
        )
    return base[0], order or base[1], frame


def _frame(expressions: "Expressions", frame: exp.Expr, order: exp.Expr | None) -> str:
    kind = str(frame.args["kind"]).upper()
    _check_ends(_end(frame, "start"), _end(frame, "end"), frame)
    ends = []
    for side in ("start", "end"):
        bound = frame.args.get(side)
        offset = "" if bound is None or isinstance(bound, str) else f"{_offset(expressions, bound, kind, order)} "
        ends.append(f"{offset}{_end(frame, side)}")
    return f"{kind} BETWEEN {ends[0]} AND {ends[1]}"


def _end(frame: exp.Expr, side: str) -> str:
    """One end of a frame, without its offset: `CURRENT ROW`, `UNBOUNDED PRECEDING`, `FOLLOWING`..."""
    bound, direction = frame.args.get(side), str(frame.args.get(f"{side}_side") or "").upper()
    if bound is None:
        return "CURRENT ROW"
    return f"{bound.upper()} {direction}".strip() if isinstance(bound, str) else direction


def _check_ends(start: str, end: str, frame: exp.Expr) -> None:
    wrong = ""
    if start == "UNBOUNDED FOLLOWING":
        wrong = "start cannot be UNBOUNDED FOLLOWING"
    elif end == "UNBOUNDED PRECEDING":
        wrong = "end cannot be UNBOUNDED PRECEDING"
    elif start in ("CURRENT ROW", "FOLLOWING") and end == "PRECEDING":
        wrong = f"starting from {start} cannot end with PRECEDING"
    elif (start, end) == ("FOLLOWING", "CURRENT ROW"):
        wrong = "starting from FOLLOWING cannot end with CURRENT ROW"
    if wrong:
        raise InvalidWindowFrameError(f"Window frame {wrong}", position(frame))


def _offset(expressions: "Expressions", bound: exp.Expr, kind: str, order: exp.Expr | None) -> str:
    value = expressions.compile(bound)
    if kind == "RANGE":
        return _range_offset(expressions, value, bound, order)
    if not is_integer(value.type):
        raise TypeMismatchError(
            f"Window frame {kind} value type must be exact numeric type with scale 0 (actual {value.type})",
            position(bound),
        )
    return _not_negative(coerce(value, BIGINT))


def _range_offset(expressions: "Expressions", value: Typed, bound: exp.Expr, order: exp.Expr | None) -> str:
    if order is None or len(order.expressions) != 1:
        raise InvalidWindowFrameError(
            "Window frame of type RANGE PRECEDING or FOLLOWING requires single sort item in ORDER BY", position(bound)
        )
    sort = expressions.compile(order.expressions[0].this).type
    if sort in (DATE, TIMESTAMP, TIMESTAMP_TZ) and value.type == INTERVAL_DAY:
        return f"to_milliseconds({_not_negative(_whole_days(value) if sort == DATE else value)})"
    if sort in (DATE, TIMESTAMP) and value.type == INTERVAL_YEAR:
        return f"to_months({_not_negative(value)})"
    if not is_numeric(sort):
        raise NotSupportedError(
            f"Window frame of type RANGE over {sort} by {value.type} is not supported", position(bound)
        )
    if common_super_type(sort, value.type) != sort:
        raise TypeMismatchError(
            f"Window frame RANGE value type ({value.type}) not coercible to sort item type ({sort})", position(bound)
        )
    return _not_negative(coerce(value, sort))


def _whole_days(value: Typed) -> Typed:
    failed = failing("INVALID_FUNCTION_ARGUMENT", "'Cannot add hour, minutes or seconds to a date'", "BIGINT")
    return Typed(let([value], lambda x: f"CASE WHEN {x} % {_DAY} <> 0 THEN {failed} ELSE {x} END"), value.type)


def _not_negative(value: Typed) -> str:
    if value.is_literal and isinstance(value.value, int) and value.value >= 0:
        return value.sql
    failed = failing(
        "INVALID_WINDOW_FRAME", "'Window frame offset value must not be negative or null'", to_duckdb(value.type)
    )
    return let([value], lambda x: f"CASE WHEN {x} >= 0 THEN {x} ELSE {failed} END")

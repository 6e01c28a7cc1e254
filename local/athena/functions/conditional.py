"""greatest and least: https://trino.io/docs/current/functions/comparison.html; the compiler knows the other forms."""

from local.athena.functions.registry import FUNCTIONS, Call, Match
from local.athena.types import TIMESTAMP_TZ, common_type, is_orderable


def _by_instant(name: str, arguments: list[str]) -> str:
    """Of equal instants the first, whatever their zones."""
    order, sign = ("DESC", "-") if name == "greatest" else ("ASC", "")
    boxes = ", ".join(
        f"{{'at': ({each}).instant, 'place': {sign}{i}, 'v': {each}}}" for i, each in enumerate(arguments)
    )
    return f"list_sort([{boxes}], '{order}')[1].v"


def _extreme(name: str) -> None:
    def resolve(call: Call) -> Match | None:
        kind = common_type(list(call.types)) if call.arguments else None
        if kind is None or not is_orderable(kind):
            return None

        def emit(arguments: list[str]) -> str:
            nulls = " OR ".join(f"{each} IS NULL" for each in arguments)
            chosen = _by_instant(name, arguments) if kind == TIMESTAMP_TZ else f"{name}({', '.join(arguments)})"
            return f"CASE WHEN {nulls} THEN NULL ELSE {chosen} END"

        return Match((kind,) * len(call.arguments), kind, emit)

    FUNCTIONS.scalar(name, resolve)


for _name in ("greatest", "least"):
    _extreme(_name)

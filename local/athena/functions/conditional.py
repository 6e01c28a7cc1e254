"""greatest and least: https://trino.io/docs/current/functions/comparison.html; the compiler knows the other forms."""

from local.athena.functions.registry import FUNCTIONS, Call, Match
from local.athena.types import TIMESTAMP_TZ, common_type, is_orderable


def _extreme(name: str) -> None:
    def resolve(call: Call) -> Match | None:
        kind = common_type(list(call.types)) if call.arguments else None
        if kind is None or not is_orderable(kind) or kind == TIMESTAMP_TZ:
            return None

        def emit(arguments: list[str]) -> str:
            nulls = " OR ".join(f"{each} IS NULL" for each in arguments)
            return f"CASE WHEN {nulls} THEN NULL ELSE {name}({', '.join(arguments)}) END"

        return Match((kind,) * len(call.arguments), kind, emit)

    FUNCTIONS.scalar(name, resolve)


for _name in ("greatest", "least"):
    _extreme(_name)

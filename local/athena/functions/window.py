"""Window functions: https://trino.io/docs/current/functions/window.html."""

from collections.abc import Callable

from local.athena.functions.guard import refuse
from local.athena.functions.registry import FUNCTIONS

for _name in ("row_number", "rank", "dense_rank"):
    FUNCTIONS.window(_name, "-> bigint", _name)
for _name in ("percent_rank", "cume_dist"):
    FUNCTIONS.window(_name, "-> double", _name)


def _checked(name: str, least: int, message: str) -> Callable[..., str]:
    """Arguments of which the second, or the only one, is at least `least`."""

    def emit(invoke: Callable[..., str], arguments: list[str]) -> str:
        place = min(1, len(arguments) - 1)
        number = refuse(f"{arguments[place]} < {least}", message, arguments[place], "BIGINT")
        return invoke(name, *arguments[:place], number, *arguments[place + 1 :])

    return emit


FUNCTIONS.window("ntile", "bigint -> bigint", _checked("ntile", 1, "Buckets must be greater than 0"))
for _name in ("first_value", "last_value"):
    FUNCTIONS.window(_name, "T -> T", _name)
FUNCTIONS.window("nth_value", "T, bigint -> T", _checked("nth_value", 1, "Offset must be at least 1"))
for _name in ("lag", "lead"):
    FUNCTIONS.window(_name, "T -> T", _name)
    _offset = _checked(_name, 0, "Offset must be at least 0")
    FUNCTIONS.window(_name, "T, bigint -> T", _offset)
    FUNCTIONS.window(_name, "T, bigint, T -> T", _offset)

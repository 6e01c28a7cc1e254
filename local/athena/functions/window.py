"""Window functions: https://trino.io/docs/current/functions/window.html."""

from local.athena.functions.registry import FUNCTIONS

for _name in ("row_number", "rank", "dense_rank"):
    FUNCTIONS.window(_name, "-> bigint", _name)
for _name in ("percent_rank", "cume_dist"):
    FUNCTIONS.window(_name, "-> double", _name)
FUNCTIONS.window("ntile", "bigint -> bigint", "ntile")
for _name in ("first_value", "last_value"):
    FUNCTIONS.window(_name, "T -> T", _name)
FUNCTIONS.window("nth_value", "T, bigint -> T", "nth_value")
for _name in ("lag", "lead"):
    FUNCTIONS.window(_name, "T -> T", _name)
    FUNCTIONS.window(_name, "T, bigint -> T", _name)
    FUNCTIONS.window(_name, "T, bigint, T -> T", _name)

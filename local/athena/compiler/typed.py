"""A compiled expression: DuckDB SQL with its Trino type, and how one is written more than once."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from zlib import crc32

from local.athena.types import Type, literal, to_duckdb

_SHORT = 160  # a text up to this may be repeated; DuckDB computes it once all the same


def is_light(*values: "Typed") -> bool:
    """Whether the values' texts may be repeated."""
    return not any(value.once or len(value.sql) > _SHORT for value in values)


@dataclass(frozen=True)
class Typed:
    """DuckDB SQL and its Trino type.

    `value` is a literal's value (`is_literal` tells a NULL literal from none); `once` marks what must not be repeated:
    a volatile function or a subquery. A product of decimals keeps its `factors`.
    """

    sql: str
    type: Type
    value: object = None
    is_literal: bool = False
    once: bool = False
    factors: tuple["Typed", ...] = ()

    def as_type(self, kind: Type) -> "Typed":
        return replace(self, type=kind)


def let(values: list[Typed], body: Callable[..., str]) -> str:
    """SQL of `body` over the texts of `values`, each computed once however often `body` writes it."""
    if is_light(*values):
        return body(*(value.sql for value in values))
    name = f"let{crc32(' '.join(value.sql for value in values).encode())}"  # equal text for equal source
    fields = ", ".join(f"'v{i}': CAST({value.sql} AS {to_duckdb(value.type)})" for i, value in enumerate(values))
    return f"(list_transform([{{{fields}}}], lambda {name}: {body(*(f'{name}.v{i}' for i in range(len(values))))})[1])"


def repeats(template: Callable[[list[str]], str], values: list[Typed]) -> str:
    """SQL of an emitter over `values`; arguments that it writes more than once are computed once."""
    marks = [f"\x00{i}\x00" for i in range(len(values))]
    text = template(marks)
    heavy = [
        i
        for i, value in enumerate(values)
        if text.count(marks[i]) > 1 and value.type.name != "function" and not is_light(value)
    ]
    if heavy:
        return let(
            [values[i] for i in heavy],
            lambda *names: _fill(text, [names[heavy.index(i)] if i in heavy else v.sql for i, v in enumerate(values)]),
        )
    return _fill(text, [value.sql for value in values])


def _fill(text: str, arguments: list[str]) -> str:
    return re.sub("\x00(\\d+)\x00", lambda mark: arguments[int(mark[1])], text)


def text_literal(value: str, kind: Type) -> Typed:
    return Typed(literal(value), kind, value, is_literal=True)


def null(kind: Type) -> Typed:
    return Typed(f"CAST(NULL AS {to_duckdb(kind)})", kind, None, is_literal=True)

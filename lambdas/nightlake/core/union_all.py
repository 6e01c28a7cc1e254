"""Puts several SELECTs of the same columns into one Athena query."""

from collections.abc import Sequence

from sqlglot import exp


def union_all(queries: Sequence[exp.Query]) -> str:
    """The text of one query that answers the rows of all; `queries` are one or more."""
    query = queries[0]
    for other in queries[1:]:
        query = exp.union(query, other, distinct=False, copy=False)
    return query.sql(dialect="athena", pretty=True)

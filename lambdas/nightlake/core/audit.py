"""Audits of a merge: each answers the rows that are wrong, and one Athena query counts them all."""

from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from nightlake.core.errors import MergeAuditError
from nightlake.core.merge_attempt import ROW_COUNT


def audit_query(merge: str, audits: Mapping[str, str]) -> str:
    """One SELECT of `audit` and `found`: the merge's rows as `count(*)`, then the wrong rows of each of its audits.

    `audits` are all audits of the pipeline by name; those whose statement reads the table `merge` are asked, word for
    word. Tables are unqualified, the business date is the placeholder 2000-01-01.
    Raises MergeAuditError when an audit is no SELECT.
    """
    counts = [_count(ROW_COUNT, f'"{merge}"')]
    for name, text in sorted(audits.items()):
        if any(table.name.lower() == merge for table in _parsed(name, text).find_all(exp.Table)):
            counts.append(_count(name, f"(\n{_without_semicolon(text)}\n) AS wrong"))
    return "\nUNION ALL\n".join(counts)


def _parsed(name: str, text: str) -> exp.Query:
    try:
        statement = sqlglot.parse_one(text, read="athena")
    except SqlglotError as error:
        raise MergeAuditError(f"The audit '{name}' is not Athena SQL ({error}); mend the file, deploy again") from error
    if not isinstance(statement, exp.Query):
        raise MergeAuditError(f"The audit '{name}' is no SELECT: write one that answers the rows that are wrong")
    return statement


def _without_semicolon(text: str) -> str:
    last = sqlglot.tokenize(text, read="athena")[-1]
    return text[: last.start] if last.token_type == TokenType.SEMICOLON else text


def _count(name: str, rows: str) -> str:
    return f"SELECT {exp.Literal.string(name)} AS audit, count(*) AS found FROM {rows}"  # noqa: S608 (read by sqlglot)

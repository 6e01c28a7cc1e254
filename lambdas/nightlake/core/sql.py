"""Reads the SQL files of a pipeline: one complete Athena statement a file, and what is wrong with one that is not."""

import logging
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from nightlake.core.errors import Problem

MAX_BYTES = 262_144  # what Athena takes as one query

# sqlglot logs a warning where it falls back to an unparsed Command; the linter says the same with file and line.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


def lint_sql(path: Path) -> tuple[Problem, ...]:
    """What is wrong with one SQL file: not UTF-8, not one Athena statement, `SELECT *`, a name unlike the file's.

    Returns problems in the order of their lines; empty when the file is good.
    """
    if (found := path.stat().st_size) > MAX_BYTES:
        return (Problem(str(path), 1, f"has {found:,} bytes; Athena takes {MAX_BYTES:,}, split the statement"),)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return (Problem(str(path), 1, f"is not UTF-8 (byte {error.start}); save it as UTF-8"),)
    try:
        return _lint(path, text)
    except RecursionError:
        return (Problem(str(path), 1, "is nested too deeply to be read; flatten it, or give its parts names by WITH"),)


def _lint(path: Path, text: str) -> tuple[Problem, ...]:
    try:
        statements = [tree for tree in sqlglot.parse(text, read="athena") if tree is not None]
    except ParseError as error:
        return tuple(
            Problem(
                str(path), found["line"] or 1, f"is not Athena SQL near {found['highlight']!r}: {found['description']}"
            )
            for found in error.errors
        )
    except TokenError as error:
        return (Problem(str(path), 1, f"cannot be read as SQL: {error}"),)
    if len(statements) != 1:
        return (Problem(str(path), 1, f"holds {len(statements)} statements; a file is exactly one statement"),)
    return tuple(_problems(path, statements[0]))


def _problems(path: Path, statement: exp.Expr) -> list[Problem]:
    if not isinstance(statement, (exp.Query, exp.Create, exp.Insert)):
        first = statement.sql(dialect="athena").split()[0]
        return [Problem(str(path), 1, f"starts with {first!r}; a file is one SELECT, WITH, CREATE or INSERT statement")]
    problems = [
        Problem(str(path), star.meta.get("line", 1), "selects *; name the columns, so that a new one changes nothing")
        for star in statement.find_all(exp.Star)
        if isinstance(star.parent, (exp.Select, exp.Column))
    ]
    created = statement.find(exp.Table) if isinstance(statement, exp.Create) else None
    if created is not None and created.name != path.stem:
        problems.append(
            Problem(str(path), 1, f"creates {created.name!r}; a file is named like what it creates: {created.name}.sql")
        )
    return problems

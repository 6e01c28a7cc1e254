"""Whether the catalog's view is what a CREATE VIEW would make of it; only one that is not is created again."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import sqlglot
from sqlglot import exp

from nightlake.core.catalog import Catalog

_PREFIX: Final = "/* Presto View: "
_SUFFIX: Final = " */"
_QUOTED_CALL: Final = re.compile(r'"(\w+)"(?=\()')


def is_current(catalog: Catalog, database: str, name: str, statement: str) -> bool:
    """Whether the catalog has the view that the statement creates, newer than every table that it reads.

    A view keeps the columns and types that it had when it was created: once a table that it reads gets others, Athena
    calls it stale.
    """
    return _says_the_same(catalog.table(database, name), statement) and _is_newest(catalog, database, name, statement)


def _is_newest(catalog: Catalog, database: str, name: str, statement: str) -> bool:
    created = catalog.changed_at(database, name)
    read = [table for table in sqlglot.parse_one(statement, read="athena").find_all(exp.Table) if table.name != name]
    changes = [catalog.changed_at(table.db or database, table.name) for table in read]
    return created is not None and all(change is None or change < created for change in changes)


def _says_the_same(table: Mapping[str, Any] | None, statement: str) -> bool:
    """Whether `table` (a Glue table, None where there is none) is a view of the statement's text.

    Athena keeps the text formatted in its own way, with parentheses and with names of functions in quotes, so the
    trees are compared without them. Where this finds a difference that is none, the same view is created again.
    """
    text = (table or {}).get("ViewOriginalText", "").strip()
    if not text.startswith(_PREFIX) or not text.endswith(_SUFFIX):
        return False
    kept = json.loads(base64.b64decode(text[len(_PREFIX) : -len(_SUFFIX)]))["originalSql"]
    wanted = sqlglot.parse_one(statement, read="athena").expression
    return _bare(sqlglot.parse_one(_QUOTED_CALL.sub(r"\1", kept), read="athena")) == _bare(wanted)


def _bare(tree: exp.Expr) -> exp.Expr:
    for paren in list(tree.find_all(exp.Paren)):
        paren.replace(paren.this)
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("this", identifier.name.lower())
        identifier.set("quoted", True)
    return tree

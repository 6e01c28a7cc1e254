"""Whether the catalog's view says what a CREATE VIEW would make of it; only one that differs is created again."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import sqlglot
from sqlglot import exp

_PREFIX: Final = "/* Presto View: "
_SUFFIX: Final = " */"
_QUOTED_CALL: Final = re.compile(r'"(\w+)"(?=\()')


def is_current(table: Mapping[str, Any] | None, statement: str) -> bool:
    """Whether `table` (a Glue table, None where there is none) is the view that the statement creates.

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

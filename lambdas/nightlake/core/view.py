"""Whether the catalog's view says what a CREATE VIEW would make of it; only one that differs is created again."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

import sqlglot
from sqlglot import exp

_PREFIX: Final = "/* Presto View: "
_SUFFIX: Final = " */"


def is_current(table: Mapping[str, Any] | None, statement: str) -> bool:
    """Whether `table` (a Glue table, None where there is none) is the view that the statement creates.

    Athena keeps the text formatted in its own way, so the trees are compared, without parentheses. Where this finds
    a difference that is none, the same view is created again, which harms nobody.
    """
    text = (table or {}).get("ViewOriginalText", "").strip()
    if not text.startswith(_PREFIX) or not text.endswith(_SUFFIX):
        return False
    kept = json.loads(base64.b64decode(text[len(_PREFIX) : -len(_SUFFIX)]))["originalSql"]
    wanted = sqlglot.parse_one(statement, read="athena").expression
    return _bare(sqlglot.parse_one(kept, read="athena")) == _bare(wanted)


def _bare(tree: exp.Expr) -> exp.Expr:
    def bare(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Identifier):
            return exp.to_identifier(node.name.lower(), quoted=True)
        return node.this if isinstance(node, exp.Paren) else node

    return tree.transform(bare)

"""Audits of a merge: each answers the rows that are wrong; one Athena query counts them all, then they are judged."""

from collections.abc import Mapping
from typing import Final

import sqlglot
from sqlglot import exp

from nightlake.core.errors import MergeAuditError
from nightlake.core.union_all import union_all

ROW_COUNT: Final = "count(*)"


def audit_query(merge: str, audits: Mapping[str, str]) -> str:
    """One SELECT of `audit` and `found`: the merge's rows as `count(*)`, then the wrong rows of each of its audits.

    `audits` are all audits of the pipeline by name; those whose statement reads the table `merge` are asked. Tables
    are unqualified, the business date is the placeholder 2000-01-01.
    Raises MergeAuditError when an audit is no SELECT.
    """
    counts: list[exp.Query] = [_count(ROW_COUNT, exp.table_(merge, quoted=True))]
    for name, text in sorted(audits.items()):
        wrong = sqlglot.parse_one(text, read="athena")
        if not isinstance(wrong, exp.Query):
            raise MergeAuditError(f"The audit '{name}' is no SELECT: write one that answers the rows that are wrong")
        if any(table.name.lower() == merge for table in wrong.find_all(exp.Table)):
            counts.append(_count(name, wrong.subquery("wrong")))
    return union_all(counts)


def _count(name: str, rows: exp.Table | exp.Subquery) -> exp.Select:
    return exp.select(exp.Literal.string(name).as_("audit"), exp.Count(this=exp.Star()).as_("found")).from_(rows)

"""One attempt of a merge, as the tasks that make, audit and clear it know it."""

from typing import Final

from nightlake.core.frozen import Frozen

ROW_COUNT: Final = "count(*)"
"""What counts a merge's rows in the answer of its audits: no file of an audit is called so."""


class MergeAttempt(Frozen):
    """Where an attempt of a merge writes: a table of the staging database, and a key prefix of the lake bucket."""

    merge: str
    table: str
    location: str

"""Who asks the API, and what his scopes let him see."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from nightlake.core.errors import CallerUnknownError
from nightlake.core.frozen import Frozen

READ: Final = "read"
PRIVATE: Final = "private"
QUERY: Final = "query"
OPERATE: Final = "operate"
ABILITIES: Final = (READ, PRIVATE, QUERY, OPERATE)
EVERYTHING: Final = "*"


class Caller(Frozen):
    """A caller by name. A scope is `ability:pipeline`, or `ability:*` for all pipelines.

    `read` is for datasets, reports and the pages that show them, without personal values, `private` for these too,
    `query` for questions that cost a scan of Athena, `operate` for the records of runs and for snapshots.
    """

    name: str
    scopes: frozenset[str]

    @classmethod
    def read(cls, context: Mapping[str, Any]) -> "Caller":
        """The caller that an authorizer's context tells of: `caller` is his name, `scopes` are separated by blanks."""
        return cls(name=str(context["caller"]), scopes=frozenset(str(context["scopes"]).split()))

    def context(self) -> dict[str, str]:
        """The context that tells of this caller: API Gateway carries texts only."""
        return {"caller": self.name, "scopes": " ".join(sorted(self.scopes))}

    def may(self, ability: str, pipeline: str) -> bool:
        """Whether a scope gives this ability for the pipeline."""
        return not self.scopes.isdisjoint((f"{ability}:{pipeline}", f"{ability}:{EVERYTHING}"))

    def knows(self, pipeline: str) -> bool:
        """Whether a scope says anything of the pipeline."""
        return any(self.may(ability, pipeline) for ability in ABILITIES)

    def of(self, ability: str, pipelines: Iterable[str]) -> list[str]:
        """The pipelines among these for which a scope gives this ability."""
        return [pipeline for pipeline in pipelines if self.may(ability, pipeline)]


def signer(callers: Mapping[str, Iterable[str]], arn: str) -> Caller:
    """The caller who signed a request as the user or the session of a role that this ARN is.

    `callers` maps the ARN of each user or role in IAM to its scopes. Raises CallerUnknownError.
    """
    known = {_principal(each): each for each in callers}
    found = known.get(_principal(arn))
    if not arn or found is None:
        raise CallerUnknownError(f"The API's settings (api.auth.iam) do not name {arn or 'who signed this request'}")
    return Caller(name=found, scopes=frozenset(callers[found]))


def _principal(arn: str) -> tuple[str, ...]:
    """Account, kind and name: a session's ARN has its role's name without the path."""
    session = re.fullmatch(r"arn:[^:]+:sts::(\d+):assumed-role/([^/]+)/.+", arn)
    if session:
        return session[1], "role", session[2]
    lasting = re.fullmatch(r"arn:[^:]+:iam::(\d+):(role|user)/(?:.+/)?([^/]+)", arn)
    return lasting.groups() if lasting else (arn,)

"""Who asks the API, and what his scopes let him see."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from nightlake.core.frozen import Frozen

READ: Final = "read"
PRIVATE: Final = "private"
QUERY: Final = "query"
OPERATE: Final = "operate"
ABILITIES: Final = (READ, PRIVATE, QUERY, OPERATE)
EVERYTHING: Final = "*"


class Caller(Frozen):
    """A caller by name. A scope is `ability:pipeline`, or `ability:*` for all pipelines.

    `read` is for datasets and reports without personal values, `private` for these too, `query` for questions that
    cost a scan of Athena, `operate` for what runs, costs and quarantines.
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

    def of(self, ability: str, pipelines: Iterable[str]) -> list[str]:
        """The pipelines among these for which a scope gives this ability."""
        return [pipeline for pipeline in pipelines if self.may(ability, pipeline)]

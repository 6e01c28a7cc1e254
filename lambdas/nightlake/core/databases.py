"""The names of a stage's Glue databases."""

from nightlake.core.frozen import Frozen


class Databases(Frozen):
    """The Glue databases of a stage: `served` is what people query, `staging` what audits and merges read."""

    served: str
    staging: str
    quarantine: str

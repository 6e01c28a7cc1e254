"""What a metric is before it is written: quantities with their units, and whom they are about."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

NAMESPACE: Final = "Nightlake"

Unit = Literal["Bytes", "Count", "None", "Percent", "Seconds"]


class Measured(NamedTuple):
    """Quantities by name, each with its unit, of what `dimensions` name; never a run: each would be a new metric."""

    dimensions: Mapping[str, str]
    values: Mapping[str, tuple[Unit, float]]

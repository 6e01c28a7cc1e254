"""A column after its cast."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True)
class Cast:
    """A column: null where a value is missing or refused, why by row, and the rows whose value lost digits."""

    values: "pa.Array"
    refused: dict[int, str] = field(default_factory=dict)
    rounded: tuple[int, ...] = ()

    def merged(self, rows: "np.ndarray", other: "Cast") -> "Cast":
        """With these rows, which are null, as the other column has them."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        mask = np.zeros(len(self.values), bool)
        mask[rows] = True
        values = pc.replace_with_mask(self.values, pa.array(mask), other.values)
        places = rows.tolist()
        refused = {places[row]: reason for row, reason in other.refused.items()}
        rounded = sorted((*self.rounded, *(places[row] for row in other.rounded)))
        return Cast(values, self.refused | refused, tuple(rounded))

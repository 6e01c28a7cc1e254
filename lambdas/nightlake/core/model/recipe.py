"""Recipes: how a model is made, in words that a declaration and a record hold."""

from typing import Annotated, Final, Literal

from pydantic import Field

from nightlake.core.frozen import Frozen

Weight = Literal["binary", "count", "log", "share"]
"""What an interaction weighs: one, its count, log(1 + count), or that as a share of the user's greatest."""

_WEIGHT: Final = (
    "What an interaction weighs: one (binary), its count, log(1 + count), or that as a share of the user's greatest."
)
_NEIGHBOURS: Final = "So many neighbours of each item are kept, the strongest."


class Popularity(Frozen):
    """What most users have: the baseline, and the last resort."""

    algorithm: Literal["popularity"] = "popularity"

    @property
    def name(self) -> str:
        """What the recipe is called in tables."""
        return "popularity"


class Cosine(Frozen):
    """Item to item: how often two items meet in a history, beside how often they would by their popularity."""

    algorithm: Literal["cosine"] = "cosine"
    weight: Weight = Field("binary", description=_WEIGHT)
    neighbours: int = Field(200, ge=1, le=2000, description=_NEIGHBOURS)

    @property
    def name(self) -> str:
        """What the recipe is called in tables."""
        return f"cosine {self.weight}, {self.neighbours} neighbours"


class Bm25(Frozen):
    """Item to item by Okapi BM25: counts saturate, who has many items says less, and so do popular items."""

    algorithm: Literal["bm25"] = "bm25"
    k1: float = Field(1.2, gt=0, le=10_000, description="Where counts saturate.")
    b: float = Field(0.75, ge=0, le=1, description="How much an item says less that is had often.")
    neighbours: int = Field(200, ge=1, le=2000, description=_NEIGHBOURS)

    @property
    def name(self) -> str:
        """What the recipe is called in tables."""
        return f"bm25 k1 {self.k1:g}, b {self.b:g}, {self.neighbours} neighbours"


class Ease(Frozen):
    """EASE (Steck 2019): the linear model of items by items with no weight on itself, in closed form."""

    algorithm: Literal["ease"] = "ease"
    weight: Weight = Field("binary", description=_WEIGHT)
    regularisation: float = Field(100.0, gt=0, description="What is added to the diagonal of the items' products.")
    catalogue: int = Field(
        6000, ge=1, le=12_000, description="So many items at most are learned, the most heard: a matrix is inverted."
    )
    neighbours: int = Field(400, ge=1, le=2000, description=_NEIGHBOURS)

    @property
    def name(self) -> str:
        """What the recipe is called in tables."""
        return f"ease {self.weight}, λ {self.regularisation:g}, {self.neighbours} neighbours"


Recipe = Popularity | Cosine | Bm25 | Ease
AnyRecipe = Annotated[Recipe, Field(discriminator="algorithm")]
"""A recipe as a field of a model."""

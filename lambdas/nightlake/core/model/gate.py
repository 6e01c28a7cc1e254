"""The gate: whether a challenger may serve."""

from collections.abc import Sequence
from dataclasses import dataclass

from nightlake.core.model.candidates import gain, signed
from nightlake.core.model.declaration import Recommender
from nightlake.core.model.evaluation import Evaluation
from nightlake.core.model.recipe import Popularity, Recipe


@dataclass(frozen=True)
class Verdict:
    """Whether a challenger is promoted, and why or why not."""

    promote: bool
    reasons: tuple[str, ...]


def judge(
    *,
    recipe: Recipe,
    challenger: Evaluation,
    champion: Evaluation | None,
    popularity: Evaluation,
    declared: Recommender,
    faults: Sequence[str] = (),
) -> Verdict:
    """All three judged by the same users and held-out interactions; `faults` are those of its sanity tests.

    The first model is promoted if it is sane and, unless it is popularity itself, surely better than popularity. A
    later one must besides be surely better than the champion, by the declared margin.
    """
    if faults:
        return Verdict(promote=False, reasons=tuple(faults))
    sure = f"at {100 * declared.promote.confidence:g} % confidence"
    if not isinstance(recipe, Popularity):
        needed = declared.evaluate.min_users
        if challenger.users < needed:
            return _no(f"only {challenger.users:,} users can be judged by, {needed:,} are needed")
        more = gain(challenger, popularity, declared)
        if more.low <= 0:
            return _no(f"its precision is not surely above that of popularity: {signed(more)} {sure}")
    if champion is None:
        return Verdict(promote=True, reasons=("there is no champion yet, and it passed every test",))
    more = gain(challenger, champion, declared)
    margin = declared.promote.margin
    told = f"its precision less that of the champion is {signed(more)} {sure}"
    if more.low <= margin:
        return _no(f"{told}, which is not surely above {margin:g}")
    return Verdict(promote=True, reasons=(f"{told}, above {margin:g}",))


def _no(reason: str) -> Verdict:
    return Verdict(promote=False, reasons=(reason,))

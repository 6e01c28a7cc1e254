"""Recipes beside those of the library `implicit`, on the same split of the same interactions.

    python benchmarks/recommend.py FILE --user C --item C [--count C] [--name TEXT]

`implicit` and scipy are not among this project's packages: run it in an environment that has both besides. Writes
docs/recommendation-benchmark.json and .svg, which docs/recommendations.md shows. Everything is judged by `evaluate`, on
what no model has seen; seconds are of processor time, of fitting alone.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from cli.table_file import read_table
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, bm25_weight
from nightlake.core.model.declaration import DEFAULT_CANDIDATES, InteractionColumns
from nightlake.core.model.evaluation import difference, evaluate
from nightlake.core.model.fit import fit
from nightlake.core.model.interactions import Interactions, from_table
from nightlake.core.model.recipe import Bm25, Cosine, Ease, Popularity
from nightlake.core.model.split import split

from plot import draw_recommenders

DOCS = Path(__file__).resolve().parents[1] / "docs"
K, PERCENT = 10, 25.0
OURS = (
    Popularity(),
    *DEFAULT_CANDIDATES,
    Cosine(neighbours=1000),
    Cosine(weight="log"),
    Bm25(),
    Ease(regularisation=100),
    Ease(weight="log", regularisation=3000),
)


@dataclass(frozen=True)
class Scored:
    """A model of somebody else's, asked as ours are: it scores every item for rows of histories."""

    items: pa.Array
    scores: Callable[[Interactions], np.ndarray[Any, np.dtype[np.float64]]]

    def recommend(self, histories: Interactions, k: int) -> tuple[Any, Any]:
        """The best k that are not known."""
        scores = np.array(self.scores(histories), float)
        scores[histories.user_codes, histories.codes] = -np.inf
        codes = np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int32)
        return codes, np.take_along_axis(scores, codes, axis=1)


def theirs(train: Interactions) -> Iterator[tuple[str, Callable[[], Scored]]]:
    """Models of `implicit`, by name."""
    for name, weight, alpha in (("binary", "binary", 10.0), ("log", "log", 1.0), ("bm25", "bm25", 1.0)):
        for factors in (64, 128):
            yield f"implicit ALS, {factors} factors, {name}", lambda w=weight, f=factors, a=alpha: als(train, w, f, a)
    yield "implicit BPR, 64 factors", lambda: bpr(train)
    cosine, bm25 = CosineRecommender(200, num_threads=1), BM25Recommender(200, K1=100, B=0.5, num_threads=1)
    yield "implicit cosine of counts, 200 neighbours", lambda: near(train, cosine, "count")
    yield "implicit cosine, binary, 200 neighbours", lambda: near(train, cosine, "binary")
    yield "implicit BM25, k1 100, b 0.5, 200 neighbours", lambda: near(train, bm25, "count")


def als(train: Interactions, weight: str, factors: int, alpha: float) -> Scored:
    model = AlternatingLeastSquares(
        factors, regularization=0.1, alpha=alpha, iterations=15, random_state=1, num_threads=1
    )
    model.fit(matrix(train, weight), show_progress=False)
    return _of_factors(train, model)


def bpr(train: Interactions) -> Scored:
    model = BayesianPersonalizedRanking(64, learning_rate=0.05, iterations=200, random_state=1, num_threads=1)
    model.fit(matrix(train, "binary"), show_progress=False)
    return _of_factors(train, model)


def near(train: Interactions, model: Any, weight: str) -> Scored:
    """Cosine and BM25 of items by items."""
    model.fit(matrix(train, weight).astype(float), show_progress=False)
    return Scored(train.items, lambda asked: (matrix(asked, weight) @ model.similarity).toarray())


def _of_factors(train: Interactions, model: Any) -> Scored:
    def scores(asked: Interactions) -> Any:
        places = np.searchsorted(train.users.to_numpy(zero_copy_only=False), asked.users.to_numpy(zero_copy_only=False))
        return model.user_factors[places] @ model.item_factors.T

    return Scored(train.items, scores)


def matrix(found: Interactions, weight: str) -> sp.csr_matrix:
    """Users by items."""
    data = found.counts.astype(np.float32)
    if weight == "binary":
        data = np.ones_like(data)
    elif weight == "log":
        data = np.log1p(data)
    made = sp.csr_matrix((data, found.codes, found.starts), (len(found.users), len(found.items)))
    return bm25_weight(made, K1=100, B=0.5).tocsr().astype(np.float32) if weight == "bm25" else made


def measure(found: Interactions, seed: int) -> list[dict[str, Any]]:
    """A row for each model, in the order of precision."""
    train, held_out = split(found, PERCENT, seed=seed)
    models: list[tuple[str, str, Callable[[], Any]]] = [
        ("nightlake", recipe.name, lambda recipe=recipe: fit(recipe, train)) for recipe in OURS
    ]
    models += [("implicit", name, make) for name, make in theirs(train)]
    rows, baseline = [], None
    for by, name, make in models:
        began = time.process_time()
        model = make()
        seconds = time.process_time() - began
        found_out = evaluate(model, train, held_out, K)
        baseline = found_out if baseline is None else baseline
        above = difference(found_out.precisions, baseline.precisions)
        bounds = difference(found_out.precisions, np.zeros(found_out.users))
        row = {"by": by, "name": name, **found_out.figures, "low": bounds.low, "high": bounds.high}
        rows.append({**row, "above_low": above.low, "above_high": above.high, "seconds": round(seconds, 1)})
        print(f"{by} {name}: {found_out.precision:.4f}, {seconds:.1f} s", flush=True)
    return sorted(rows, key=lambda row: -row["precision"])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--user", required=True)
    parser.add_argument("--item", required=True)
    parser.add_argument("--count")
    parser.add_argument("--name", default="interactions")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    columns = InteractionColumns(dataset=given.file.name, user=given.user, item=given.item, count=given.count)
    found = from_table(read_table(given.file), columns)
    result = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "data": given.name,
        "users": len(found.users),
        "items": len(found.items),
        "interactions": len(found),
        "k": K,
        "holdout_percent": PERCENT,
        "seed": given.seed,
        "rows": measure(found, given.seed),
    }
    (DOCS / "recommendation-benchmark.json").write_text(json.dumps(result, indent=1) + "\n")
    draw_recommenders(result["rows"], DOCS / "recommendation-benchmark.svg")


if __name__ == "__main__":
    main()

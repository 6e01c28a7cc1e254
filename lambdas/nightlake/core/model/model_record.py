"""What is written down of a model: how a version came about, how it was judged, what it published, who is champion."""

from datetime import date

from nightlake.core.frozen import Frozen
from nightlake.core.model.recipe import AnyRecipe


class Metrics(Frozen):
    """How lists of `k` items did against what `users` users then had; all quantities but `users` and `k` from 0 to 1.

    `coverage` is the share of all items that anybody was recommended.
    """

    k: int
    users: int
    precision: float
    recall: float
    ndcg: float
    map: float
    coverage: float


class Trial(Frozen):
    """One recipe as it did in the inner validation, by which the recipe of a version is chosen."""

    recipe: AnyRecipe
    metrics: Metrics


class ModelRecord(Frozen):
    """One version of a model, as it was trained; it never changes. `created_at` in ISO 8601.

    `snapshot` is the published snapshot that it learned from, `date` its newest business date; `champion_then` the
    version that was champion, 0 for none. `trials` are all recipes that competed on a part of what it learned from;
    there the chosen one did as `metrics` say, popularity as `baseline`. `left_out` rows named no user or no item.
    """

    version: int
    pipeline: str
    created_at: str
    execution: str
    run_id: str
    reason: str
    snapshot: int
    date: date
    code_version: str
    contract_hash: str
    recipe: AnyRecipe
    seed: int
    metrics: Metrics
    baseline: Metrics
    trials: tuple[Trial, ...]
    chosen_because: str
    champion_then: int
    users: int
    items: int
    events: int
    left_out: int
    artifact_sha256: str
    artifact_bytes: int
    interactions_sha256: str


class Difference(Frozen):
    """Precision of one minus that of another over the same users: mean, and its bounds by the paired bootstrap."""

    low: float
    mean: float
    high: float


class ModelVerdict(Frozen):
    """One version against the champion and popularity on the same held-out events; `at` in ISO 8601.

    `against` is the champion's version, 0 for none. `lead` is the difference to the champion, `over_popularity` that to
    popularity; None where there is none to compare with.
    """

    version: int
    against: int
    at: str
    challenger: Metrics
    champion: Metrics | None
    popularity: Metrics
    lead: Difference | None
    over_popularity: Difference | None
    promote: bool
    reasons: tuple[str, ...]


class Move(Frozen):
    """One promotion or rollback; `previous` is the champion before, 0 for none; `at` in ISO 8601."""

    version: int
    previous: int
    at: str
    by: str
    reason: str


class Champion(Frozen):
    """The version that scores and answers, the move that made it so, and the newest moves, oldest first. Version 0 is
    none: the first was rolled back.

    `revision` counts every move, so that no two are equal and an If-Match never mistakes one.
    """

    pipeline: str
    version: int
    previous: int
    revision: int
    at: str
    by: str
    reason: str
    history: tuple[Move, ...]


class Scored(Frozen):
    """What was published last with a version: `snapshot` of the pipeline `publisher`, whose object is `key`.

    `date` is the business date, `run_id` the scoring, `of` the snapshot of the model's pipeline that was scored.
    """

    pipeline: str
    version: int
    publisher: str
    date: date
    run_id: str
    of: int
    snapshot: int
    key: str


class Measurement(Frozen):
    """How the champion did one night; `new_events` are pairs of user and item that came since it was trained.

    `measured` and `popularity` are of lists for those users, against the new events; None where too few are new.
    `expected` is how the champion did on what was held out when it was judged, `quality_loss_percent` how much less it
    finds now. `shift` says how far what is new lies from what was learned, from 0 to 1; `age_days` how many business
    dates ago it was trained.
    """

    pipeline: str
    version: int
    date: date
    run_id: str
    snapshot: int
    users: int
    items: int
    events: int
    new_events: int
    measured: Metrics | None
    popularity: Metrics | None
    expected: Metrics
    quality_loss_percent: float | None
    shift: float | None
    age_days: int
    drifted: bool
    reasons: tuple[str, ...]


class ScoringShard(Frozen):
    """Some users to be scored, in the order of their ids; `first` and `last` are the ids as text."""

    pipeline: str
    run_id: str
    date: date
    champion: int
    index: int
    users: int
    first: str
    last: str


class ScoringReceipt(Frozen):
    """What became of a shard: a Parquet object of the raw bucket with `rows` rows.

    `satisfied` are users for whom nothing is left to recommend, since they know everything: they have no rows.
    """

    shard: ScoringShard
    key: str
    etag: str
    users: int
    satisfied: int
    rows: int

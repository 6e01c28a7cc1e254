"""What model.yaml declares: what is learned from, which recipes compete, and what a model must be to serve."""

from typing import Annotated

from pydantic import AfterValidator, Field

from nightlake.core.cron import check_cron
from nightlake.core.frozen import Frozen
from nightlake.core.model.recipe import AnyRecipe, Bm25, Cosine, Ease

DEFAULT_CANDIDATES: tuple[AnyRecipe, ...] = (
    Cosine(),
    Bm25(k1=100, b=0.5),
    *(Ease(weight="share", regularisation=regularisation) for regularisation in (40.0, 160.0, 640.0, 2560.0)),
)


class InteractionColumns(Frozen):
    """Where interactions are read: a row is one, or so many as `count` says."""

    dataset: str = Field(description="The dataset whose rows are interactions.")
    user: str = Field(description="The column that says who.")
    item: str = Field(description="The column that says what.")
    count: str | None = Field(None, description="The column that says how often; without it a row is once.")
    order: tuple[str, ...] = Field(
        (),
        description="Columns that order a user's interactions, the oldest first; without them those held out for a "
        "test are drawn by a hash.",
    )


class UserColumns(Frozen):
    """Where users are read."""

    dataset: str = Field(description="The dataset whose rows are users.")
    key: str = Field(description="The column that interactions name as their user.")
    group: str | None = Field(None, description="What a new user likes, in the words of the items' group.")


class ItemColumns(Frozen):
    """Where items are read."""

    dataset: str = Field(description="The dataset whose rows are items.")
    key: str = Field(description="The column that interactions name as their item.")
    group: str | None = Field(None, description="The kind of an item, such as its genre.")
    show: tuple[str, ...] = Field((), description="Columns that are published with a recommendation.")


class Evaluation(Frozen):
    """How models are tested."""

    k: int = Field(10, ge=1, le=1000, description="So many recommendations are judged.")
    holdout_percent: float = Field(
        25, gt=0, lt=100, description="So much of each user's interactions is held out, the newest."
    )
    min_users: int = Field(50, ge=1, description="With fewer users to judge by, nothing but popularity is promoted.")
    max_users: int = Field(20_000, ge=1, description="So many users are judged by at most, drawn by a hash.")


class Promotion(Frozen):
    """What a challenger must be to replace the champion."""

    margin: float = Field(0.0, ge=0, le=1, description="So much more precision than the champion it must be sure of.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="How sure: that of the bootstrap interval.")


class Sanity(Frozen):
    """What no model may do, however good its figures are."""

    popular_percent: float = Field(1.0, gt=0, le=100, description="So much of the items, the most heard, are popular.")
    max_popularity_share: float = Field(
        0.95, gt=0, le=1, description="So much of what is recommended may be popular; popularity itself is exempt."
    )


class DriftLimits(Frozen):
    """When a model no longer fits what is listened to."""

    max_quality_loss_percent: float = Field(20, gt=0, le=100, description="So much less than at its training.")
    max_shift: float = Field(
        0.2, gt=0, le=1, description="How far listening may move: Jensen-Shannon divergence, beyond what chance does."
    )
    max_age_days: float = Field(30, gt=0, description="So long a model serves without a newer one being tried.")
    min_new_events: int = Field(100, ge=1, description="With fewer new interactions, only the age is judged.")


class Retraining(Frozen):
    """When a model is trained anew without anybody asking."""

    cron: Annotated[str, AfterValidator(check_cron)] | None = Field(
        "0 6 ? * SUN *", description="AWS cron of six fields, UTC; null: none."
    )


class Recommender(Frozen):
    """One recommender: a pipeline's published tables in, lists for another pipeline to publish out."""

    interactions: InteractionColumns = Field(description="What is learned from.")
    users: UserColumns = Field(description="Who is recommended to.")
    items: ItemColumns = Field(description="What is recommended.")
    delivers_to: str = Field(description="The pipeline that publishes the lists.")
    list_length: int = Field(20, ge=1, le=1000, description="So many recommendations a user gets.")
    exclude_known: bool = Field(True, description="Whether what a user has had is left out.")
    evaluate: Evaluation = Field(Evaluation(), description="How models are tested.")
    candidates: tuple[AnyRecipe, ...] = Field(
        DEFAULT_CANDIDATES,
        min_length=1,
        description="The recipes that compete; popularity always does.",
    )
    promote: Promotion = Field(Promotion(), description="What a challenger must be to replace the champion.")
    sanity: Sanity = Field(Sanity(), description="What no model may do, however good its figures are.")
    drift: DriftLimits = Field(DriftLimits(), description="When a model no longer fits what is listened to.")
    retrain: Retraining = Field(Retraining(), description="When a model is trained anew without anybody asking.")
    shard_users: int = Field(20_000, ge=1, le=1_000_000, description="So many users are scored by one function.")
    seed: int = Field(0, ge=0, description="Draws what is drawn: ties of a test, and bootstrap samples.")

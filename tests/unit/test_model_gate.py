"""The gate, the sanity tests and drift: no bad model reaches users, and no good one grows old unnoticed."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from listening import COLUMNS, clusters, declared, interactions, noise
from nightlake.core.model.candidates import refit_without
from nightlake.core.model.declaration import DriftLimits
from nightlake.core.model.drift import judge_drift, kinds, shift, unlearned
from nightlake.core.model.evaluation import Evaluation, evaluate
from nightlake.core.model.fit import fit
from nightlake.core.model.gate import judge
from nightlake.core.model.interactions import Interactions, from_table, to_table
from nightlake.core.model.recipe import Cosine, Ease, Popularity, Recipe
from nightlake.core.model.sanity import sanity_faults
from nightlake.core.model.split import split

GOOD, BAD = Ease(regularisation=20), Cosine(neighbours=1)


@pytest.fixture(scope="module")
def parts() -> tuple[Interactions, Interactions]:
    return split(from_table(clusters(), COLUMNS), 25)


@pytest.fixture(scope="module")
def whole() -> Interactions:
    return from_table(clusters(users=100), COLUMNS)


def judged(parts: tuple[Interactions, Interactions], recipe: Recipe) -> Evaluation:
    return evaluate(fit(recipe, parts[0]), *parts, 10)


def test_the_first_model_that_beats_popularity_serves(parts: tuple[Interactions, Interactions]) -> None:
    popularity = judged(parts, Popularity())
    verdict = judge(
        recipe=GOOD, challenger=judged(parts, GOOD), champion=None, popularity=popularity, declared=declared()
    )
    assert verdict.promote
    assert "no champion yet" in verdict.reasons[0]


def test_popularity_may_be_the_first_champion(parts: tuple[Interactions, Interactions]) -> None:
    popularity = judged(parts, Popularity())
    assert judge(
        recipe=Popularity(), challenger=popularity, champion=None, popularity=popularity, declared=declared()
    ).promote


def test_a_better_challenger_replaces_and_a_worse_or_equal_one_does_not(
    parts: tuple[Interactions, Interactions],
) -> None:
    popularity, good, bad = (judged(parts, recipe) for recipe in (Popularity(), GOOD, BAD))
    assert judge(recipe=GOOD, challenger=good, champion=bad, popularity=popularity, declared=declared()).promote
    for recipe, challenger in ((BAD, bad), (GOOD, good)):
        verdict = judge(recipe=recipe, challenger=challenger, champion=good, popularity=popularity, declared=declared())
        assert not verdict.promote
        assert "not surely above 0" in verdict.reasons[0]


def test_the_margin_is_asked_for_with_confidence(parts: tuple[Interactions, Interactions]) -> None:
    popularity, good, bad = (judged(parts, recipe) for recipe in (Popularity(), GOOD, BAD))
    strict = declared(promote={"margin": good.precision - bad.precision})
    verdict = judge(recipe=GOOD, challenger=good, champion=bad, popularity=popularity, declared=strict)
    assert not verdict.promote


def test_a_model_that_is_no_better_than_popularity_never_serves() -> None:
    parts = split(from_table(noise(), COLUMNS), 25)
    popularity, challenger = judged(parts, Popularity()), judged(parts, GOOD)
    verdict = judge(recipe=GOOD, challenger=challenger, champion=None, popularity=popularity, declared=declared())
    assert not verdict.promote
    assert "not surely above that of popularity" in verdict.reasons[0]


def test_few_users_promote_nothing_but_popularity(parts: tuple[Interactions, Interactions]) -> None:
    popularity, good = judged(parts, Popularity()), judged(parts, GOOD)
    needed = declared(evaluate={"min_users": 301})
    verdict = judge(recipe=GOOD, challenger=good, champion=None, popularity=popularity, declared=needed)
    assert verdict.reasons == ("only 300 users can be judged by, 301 are needed",)


def test_what_fails_a_sanity_test_is_rejected_whatever_its_figures(parts: tuple[Interactions, Interactions]) -> None:
    popularity, good = judged(parts, Popularity()), judged(parts, GOOD)
    verdict = judge(
        recipe=GOOD, challenger=good, champion=None, popularity=popularity, declared=declared(), faults=("it is odd",)
    )
    assert verdict == type(verdict)(promote=False, reasons=("it is odd",))


def test_a_champion_is_judged_as_if_it_had_never_seen_what_is_held_out(
    parts: tuple[Interactions, Interactions],
) -> None:
    train, held_out = parts
    stored = from_table(clusters(), COLUMNS)  # it learned from all
    honest, left = refit_without(stored, held_out, GOOD)
    assert to_table(left).equals(to_table(train))
    assert evaluate(honest, train, held_out, 10).precision == evaluate(fit(GOOD, train), train, held_out, 10).precision


@pytest.mark.parametrize("recipe", [Popularity(), Cosine(), GOOD], ids=lambda recipe: recipe.algorithm)
def test_sound_models_are_sane(whole: Interactions, recipe: Recipe) -> None:
    model = fit(recipe, whole)
    assert sanity_faults(model, fit(recipe, whole), whole, declared(), whole.items) == ()


def test_insane_models_are_told_apart(whole: Interactions) -> None:
    model = fit(GOOD, whole)
    other = replace(model, values=-model.values)
    (fault,) = sanity_faults(model, other, whole, declared(), whole.items)
    assert "not deterministic" in fault
    broken = replace(model, values=np.full_like(model.values, np.inf))
    assert any("too short" in fault for fault in sanity_faults(broken, broken, whole, declared(), whole.items))
    (fault,) = sanity_faults(model, model, whole, declared(), whole.items.slice(1))
    assert "not in the catalogue, 't00000'" in fault


def test_recommending_only_what_is_popular_is_bounded(whole: Interactions) -> None:
    model = fit(GOOD, whole)
    silent = replace(model, neighbours=np.full_like(model.neighbours, -1))
    rules = declared(list_length=3, sanity={"popular_percent": 20, "max_popularity_share": 0.5})
    (fault,) = sanity_faults(silent, silent, whole, rules, whole.items)
    assert "most popular items, 50 % may be" in fault
    assert sanity_faults(fit(Popularity(), whole), fit(Popularity(), whole), whole, rules, whole.items) == ()


def test_who_has_heard_everything_may_have_an_empty_list() -> None:
    found = interactions([("a", "x", 1), ("a", "y", 1), ("b", "x", 1)])
    model = fit(Popularity(), found)
    assert sanity_faults(model, model, found, declared(), found.items) == ()


def test_listening_that_moved_is_told_from_chance() -> None:
    random = np.random.default_rng(1)
    tastes = np.array([40, 30, 20, 10]) / 100
    trained = (tastes * 100_000).astype(int)
    for events in (50, 500, 5000):
        same = [shift(trained, random.multinomial(events, tastes)) for _ in range(20)]
        moved = [shift(trained, random.multinomial(events, tastes[::-1])) for _ in range(20)]
        assert max(same) < 0.05 < min(moved)
    assert shift(np.array([100, 0]), np.array([0, 100])) == pytest.approx(1, abs=0.01)
    assert shift(np.array([100, 5]), np.array([0, 0])) == 0


def test_kinds_are_counted_in_the_same_places() -> None:
    old, new = kinds(pa.chunked_array([["rock", "pop", None, "rock"]]), pa.chunked_array([["jazz", "pop"], [None]]))
    assert old.tolist() == [2, 1, 1, 0]
    assert new.tolist() == [0, 1, 1, 1]


def test_at_night_a_model_is_asked_for_the_newest_that_it_has_not_learned(whole: Interactions) -> None:
    trained, later = split(whole, 10)
    asked, wanted = unlearned(trained, whole, 25)
    assert to_table(wanted).equals(to_table(later))
    assert to_table(asked).equals(to_table(trained))
    assert 0 < evaluate(fit(GOOD, trained), asked, wanted, 10).recall < 1


def test_at_night_a_model_is_asked_by_histories_as_they_are_now(whole: Interactions) -> None:
    trained, _ = split(whole, 50)
    asked, wanted = unlearned(trained, whole, 25)
    before, newest = split(whole, 25)
    assert to_table(asked).equals(to_table(before))
    assert to_table(wanted).equals(to_table(newest))


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        ({}, ()),
        ({"quality_now": 0.15}, ("quality fell by 25 %, 20 % are allowed",)),
        ({"quality_now": 0.17}, ()),
        ({"quality_now": 0.25}, ()),
        ({"quality_now": 0.1, "quality_at_most": 0.17}, ()),
        ({"quality_now": 0.1, "quality_at_most": 0.15}, ("quality fell by 50 %",)),
        ({"shift": 0.3}, ("moved by 0.300 of 1, 0.2 is allowed",)),
        ({"age_days": 31}, ("for 31 days no newer model was tried, 30 are allowed",)),
        ({"quality_now": 0.01, "shift": 0.9, "new_events": 99}, ()),
        ({"quality_now": 0.01, "age_days": 40, "new_events": 99}, ("for 40 days",)),
        ({"quality_now": None, "shift": None}, ()),
        ({"quality_now": 0.1, "shift": 0.5, "age_days": 99}, ("quality", "listened to", "for 99 days")),
    ],
)
def test_drift_is_a_matter_of_quality_shift_and_age(measured: dict[str, float | None], told: tuple[str, ...]) -> None:
    usual = {"quality_now": 0.2, "shift": 0.1, "age_days": 5.0, "new_events": 100}
    found = judge_drift(DriftLimits(), quality_then=0.2, **{**usual, **measured})  # type: ignore[arg-type]
    assert found.drifted == bool(told)
    assert len(found.reasons) == len(told)
    assert all(part in reason for part, reason in zip(told, found.reasons, strict=True))

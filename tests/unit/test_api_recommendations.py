"""What the API recommends: the champion's list from the snapshot that it was published with, or what is popular."""

import json
from collections.abc import Callable
from datetime import date
from hashlib import shake_256
from pathlib import Path
from typing import Any

import pytest
from nightlake.core.api import openapi
from nightlake.core.api.datasets import Served
from nightlake.core.api.openapi import Shown
from nightlake.core.api.recommendations import find_model
from nightlake.core.errors import DatasetNotFoundError, InvalidParameterError
from nightlake.core.garbage import collect_garbage
from nightlake.core.pipeline import Pipeline
from nightlake.handlers.api import asked
from openapi_spec_validator import OpenAPIV31SpecValidator
from recommended_lake import RecommendedLake, only, recommend, track_row

MAY_READ = {"caller": "app", "scopes": "read:music"}
Answer = dict[str, Any]


@pytest.fixture
def lake(
    every_pipeline: dict[str, Pipeline],
    environment: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> RecommendedLake:
    """What `recommend` says, beside a pipeline without a model."""
    compiled = tmp_path / "compiled"
    compiled.mkdir()
    for name in ("music", "recommendations", "sales"):
        (compiled / f"{name}.json").write_text(every_pipeline[name].model_dump_json())
    environment(CONTRACTS=str(compiled))
    lake = RecommendedLake(every_pipeline["music"], every_pipeline["recommendations"])
    monkeypatch.setattr(asked, "lake", lambda: lake.store)
    recommend(lake)
    return lake


@pytest.fixture
def ask(lake: RecommendedLake, send: Callable[..., Answer]) -> Callable[..., Any]:
    """`ask(user, **query)`: the status and the body."""

    def answer(user: object, **query: str) -> tuple[int, Any]:
        answered = send(f"/v1/recommendations/{user}", query, authorizer=MAY_READ)
        return answered["statusCode"], json.loads(answered["body"])

    return answer


def tracks(body: dict[str, Any]) -> list[int]:
    return [item["track_id"] for item in body["items"]]


def test_a_listener_gets_his_list_in_the_order_of_its_ranks(ask: Callable[..., Any]) -> None:
    assert ask(17) == (
        200,
        {
            "pipeline": "music",
            "user_id": 17,
            "model_version": 1,
            "source": "model",
            "genre": None,
            "date": "2026-11-20",
            "items": [
                {"rank": 1, "track_id": 5, "name": "Track 5", "artist": "Artist 5", "score": 1.0},
                {"rank": 2, "track_id": 4, "name": "Track 4", "artist": "Artist 4", "score": 0.5},
                {"rank": 3, "track_id": 6, "name": "Track 6", "artist": "Artist 6", "score": 1 / 3},
            ],
        },
    )
    assert tracks(ask(17, limit="2")[1]) == [5, 4]
    assert tracks(ask(17, limit="1000", pipeline="music", genre="Jazz")[1]) == [5, 4, 6]


@pytest.mark.parametrize(
    ("user", "query", "expected"),
    [
        (20, {}, ("popular_in_genre", "Jazz", [7, 8])),
        (20, {"limit": "1"}, ("popular_in_genre", "Jazz", [7])),
        (20, {"genre": "*"}, ("popular", None, [1, 2, 3])),
        (19, {}, ("popular", None, [1, 2, 3])),
        (21, {}, ("popular", None, [1, 2, 3])),
        (99, {}, ("popular", None, [1, 2, 3])),
        (99, {"genre": "Jazz"}, ("popular_in_genre", "Jazz", [7, 8])),
        (-1, {"genre": ""}, ("popular", None, [1, 2, 3])),
    ],
)
def test_who_has_no_list_gets_what_is_popular(
    ask: Callable[..., Any], user: int, query: dict[str, str], expected: tuple[str, str | None, list[int]]
) -> None:
    status, body = ask(user, **query)
    assert (status, (body["source"], body["genre"], tracks(body))) == (200, expected)
    first = expected[2][0]
    shown = {"name": f"Track {first}", "artist": f"Artist {first}"}
    assert body["items"][0] == {"rank": 1, "track_id": first, **shown, "score": None}


def test_a_rollback_is_answered_from_at_once_and_a_promotion_once_it_has_scored(
    lake: RecommendedLake, ask: Callable[..., Any]
) -> None:
    lake.train(2)
    lake.promote(2)
    assert (ask(17)[1]["model_version"], tracks(ask(17)[1])) == (1, [5, 4, 6])
    lake.score(2, {17: [8]}, popular={"*": [3]})
    assert (ask(17)[1]["model_version"], tracks(ask(17)[1]), tracks(ask(99)[1])) == (2, [8], [3])
    assert ask(18)[1]["source"] == "popular"
    lake.promote(None)
    assert (ask(17)[1]["model_version"], tracks(ask(17)[1]), tracks(ask(99)[1])) == (1, [5, 4, 6], [1, 2, 3])
    assert tracks(ask(18)[1]) == [9]


def test_once_the_first_version_is_rolled_back_everybody_gets_what_is_popular(
    lake: RecommendedLake, ask: Callable[..., Any]
) -> None:
    lake.promote(None)
    for user, expected in ((17, ("popular", [1, 2, 3])), (20, ("popular_in_genre", [7, 8]))):
        status, body = ask(user)
        assert (status, body["model_version"], body["date"]) == (200, 0, "2026-11-20")
        assert (body["source"], tracks(body)) == expected
    lake.promote(1)
    assert (ask(17)[1]["model_version"], tracks(ask(17)[1])) == (1, [5, 4, 6])


def test_a_night_that_nobody_scored_changes_nothing(lake: RecommendedLake, ask: Callable[..., Any]) -> None:
    before = ask(17)
    lake.score(1, {17: [1]}, day=date(2026, 11, 21))
    assert ask(17)[1]["date"] == "2026-11-21"
    lake.promote(1)
    assert ask(17) != before


class NothingRuns:
    """No execution runs any more."""

    def status(self, _execution_id: str) -> str:
        return "SUCCEEDED"


def test_what_a_version_answers_from_is_not_collected(lake: RecommendedLake, ask: Callable[..., Any]) -> None:
    lake.train(2)
    lake.promote(2)
    lake.score(2, {17: [8]})
    collect_garbage(lake.store, NothingRuns(), pipeline="recommendations", keep=1, dry_run=False, models=["music"])
    lake.promote(1)
    asked.published.cache_clear()
    asked.kept.cache_clear()
    assert tracks(ask(17)[1]) == [5, 4, 6]


def test_nothing_is_recommended_before_the_first_scoring(
    every_pipeline: dict[str, Pipeline], lake: RecommendedLake, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = RecommendedLake(every_pipeline["music"], every_pipeline["recommendations"])
    monkeypatch.setattr(asked, "lake", lambda: empty.store)
    for step in (lambda: empty.listen({17: None}), lambda: empty.train(1), lambda: empty.promote(1)):
        step()
        status, body = ask(17)
        assert (status, body["detail"]) == (
            404,
            "The model of 'music' has recommended nothing yet; its first good scoring will",
        )


@pytest.mark.parametrize(
    ("user", "query", "parameter", "said"),
    [
        ("ada", {}, "user_id", "user_id: not a number; it is a bigint"),
        ("1.5", {}, "user_id", "user_id: "),
        ("9" * 30, {}, "user_id", "user_id: "),
        ("17", {"limit": "0"}, "limit", "limit=0: write a whole number from 1 to 1000"),
        ("17", {"pipeline": "sales"}, "pipeline", "pipeline=sales: there is none of this name with a model"),
        ("17", {"style": "Jazz"}, "style", "knows no query parameter 'style'; it knows limit, genre, pipeline"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    ask: Callable[..., Any], user: str, query: dict[str, str], parameter: str | None, said: str
) -> None:
    status, body = ask(user, **query)
    assert (status, body.get("parameter")) == (400, parameter)
    assert said in body["detail"]


def test_where_several_pipelines_have_a_model_one_is_named(every_pipeline: dict[str, Pipeline]) -> None:
    music = every_pipeline["music"]
    both = {"music": music, "radio": music.model_copy(update={"name": "radio"}), "sales": every_pipeline["sales"]}
    assert find_model(both, "radio").pipeline == "radio"
    with pytest.raises(InvalidParameterError, match="several have a model; name one of music, radio"):
        find_model(both, None)
    with pytest.raises(DatasetNotFoundError, match="nothing is recommended"):
        find_model({"sales": every_pipeline["sales"]}, None)


def test_the_document_tells_of_every_model_that_the_caller_may_ask(every_pipeline: dict[str, Pipeline]) -> None:
    music = only(every_pipeline["music"], "listeners")
    listeners = Served("listeners", music, music.datasets[0])
    radio = music.model_copy(update={"name": "radio"})

    def told(*shown: Served) -> Any:
        seen = Shown(datasets=[(each, None) for each in shown], reports={}, columns={}, operated=[], queried=[])
        document = openapi.document(seen, security="key", server="/", version="1")
        OpenAPIV31SpecValidator(document).validate()
        operation = document["paths"]["/v1/recommendations/{user_id}"]["get"]
        return {each["name"]: each["schema"] for each in operation["parameters"]}

    assert told(listeners)["user_id"]["pattern"] == "^-?[0-9]{1,18}$"
    both = told(listeners, Served("stations", radio, radio.datasets[0]))
    assert (both["user_id"], both["pipeline"]) == ({"type": "string"}, {"enum": ["music", "radio"]})


@pytest.mark.parametrize(
    ("scopes", "status"),
    [("read:music", 200), ("read:*", 200), ("read:sales", 404), ("read:recommendations", 404), ("query:music", 403)],
)
def test_the_scope_of_the_model_s_pipeline_opens_it(
    lake: RecommendedLake, send: Callable[..., Answer], scopes: str, status: int
) -> None:
    authorizer = {"caller": "app", "scopes": scopes}
    assert send("/v1/recommendations/17", authorizer=authorizer)["statusCode"] == status


def test_the_same_list_is_sent_once(lake: RecommendedLake, send: Callable[..., Answer]) -> None:
    first = send("/v1/recommendations/17", authorizer=MAY_READ)
    known = {"If-None-Match": first["multiValueHeaders"]["ETag"][0]}
    assert send("/v1/recommendations/17", headers=known, authorizer=MAY_READ)["statusCode"] == 304
    lake.score(1, {17: [1]})
    assert send("/v1/recommendations/17", headers=known, authorizer=MAY_READ)["statusCode"] == 200


def test_a_list_costs_few_requests(lake: RecommendedLake, ask: Callable[..., Any]) -> None:
    ask(17)
    lake.store.read_keys.clear()
    ask(18)
    assert len(lake.store.read_keys) == 2, lake.store.read_keys  # who is champion, and what it published


def test_of_many_large_files_only_that_with_the_list_is_read(lake: RecommendedLake, ask: Callable[..., Any]) -> None:
    def noise(*numbers: int) -> str:
        return shake_256(repr(numbers).encode()).hexdigest(10_000)

    files = [
        [
            track_row(user + rank, rank)
            | {"user_id": user, "score": 0.5, "model_version": 1, "artist": noise(user, rank)}
            for user in range(first, first + 100)
            for rank in (2, 1)
        ]
        for first in (100, 200, 300)
    ]
    lake.score_files(1, *files)
    lake.store.read_keys.clear()
    assert tracks(ask(250, limit="2")[1]) == [251, 252]
    parts = [key[-11:] for key in lake.store.read_keys if key.endswith(".parquet")]
    assert (parts.count("000.parquet"), parts.count("002.parquet")) == (1, 1), "their footers alone"
    assert ask(350)[1]["source"] == "model"
    assert ask(950)[1]["source"] == "popular"

"""model.yaml: what it says is loaded with its pipeline, and what is wrong with it is told by line."""

import shutil
from pathlib import Path

import pytest
from nightlake.core.contract import load_pipeline, load_pipelines
from nightlake.core.errors import ContractError
from nightlake.core.model.model_file import read_model_file
from nightlake.core.model.recipe import Ease
from nightlake.core.pipeline import Pipeline

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def music() -> Pipeline:
    return load_pipeline(ROOT / "pipelines" / "music")


def written(folder: Path, old: str, new: str) -> Path:
    """The model of music with a change."""
    text = (ROOT / "pipelines" / "music" / "model.yaml").read_text()
    assert old in text
    (folder / "model.yaml").write_text(text.replace(old, new, 1))
    return folder / "model.yaml"


def test_the_model_comes_with_its_pipeline(music: Pipeline) -> None:
    assert music.model is not None
    assert music.model.interactions.order == ("created_at", "position")
    assert any(isinstance(recipe, Ease) for recipe in music.model.candidates)


def test_a_model_is_no_part_of_what_data_are(music: Pipeline) -> None:
    assert music.model_copy(update={"model": None}).contract_hash == music.contract_hash


def test_a_model_delivers_to_a_pipeline_that_there_is(tmp_path: Path) -> None:
    for folder in ("pipelines", "sql"):
        shutil.copytree(ROOT / folder / "music", tmp_path / folder / "music")
    with pytest.raises(ContractError) as raised:
        load_pipelines(tmp_path / "pipelines")
    (problem,) = raised.value.problems
    assert "there is no pipeline 'recommendations'" in problem.reason


def test_two_models_do_not_deliver_to_the_same_pipeline(tmp_path: Path) -> None:
    for folder in ("pipelines", "sql"):
        for name in ("music", "recommendations"):
            shutil.copytree(ROOT / folder / name, tmp_path / folder / name)
    assert [each.name for each in load_pipelines(tmp_path / "pipelines")] == ["music", "recommendations"]
    own = tmp_path / "pipelines" / "recommendations" / "model.yaml"
    own.write_text(
        "interactions: {dataset: recommendations, user: user_id, item: track_id}\n"
        "users: {dataset: recommendations, key: user_id}\n"
        "items: {dataset: recommendations, key: track_id, show: [name]}\n"
        "delivers_to: recommendations\n"
    )
    with pytest.raises(ContractError, match="the model of 'music' delivers to 'recommendations' already"):
        load_pipelines(tmp_path / "pipelines")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("dataset: listens,", "dataset: listen,", "the contract has no dataset 'listen': did you mean 'listens'"),
        ("item: track_id", "item: track", "listens has no column 'track'"),
        ("position]", "place]", "listens has no column 'place'"),
        ("show: [name, artist]", "show: [name, singer]", "tracks has no column 'singer'"),
        ("group: favorite_genre", "group: email", "'email' of listeners is personal"),
        ("list_length: 20", "list_lenght: 20", "unknown key 'list_lenght'"),
        ("algorithm: cosine", "algorithm: cosin", "cosin"),
        ("weight: share", "weigth: share", "weigth"),
        ("regularisation: 40", "regularisation: -1", "-1"),
        ('cron: "0 6 ? * SUN *"', 'cron: "every sunday"', "every sunday"),
        ("holdout_percent: 25", "holdout_percent: 100", "100"),
    ],
)
def test_a_mistake_is_told_by_its_line(music: Pipeline, tmp_path: Path, old: str, new: str, told: str) -> None:
    path = written(tmp_path, old, new)
    file, _ = read_model_file(path, music.datasets)
    (problem,) = file.problems
    assert told in problem.reason
    assert new in path.read_text().splitlines()[problem.line - 1]

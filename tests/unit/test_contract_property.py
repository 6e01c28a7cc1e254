"""Whatever stands in the files, loading gives a pipeline or named problems: never another exception."""

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightlake.core.contract import CONTRACT_FILE, PIPELINE_FILE, load_pipeline
from nightlake.core.errors import ContractError, Problem
from nightlake.core.pipeline import Pipeline
from nightlake.core.yaml_file import MAX_BYTES, MAX_DEPTH, read_yaml

SALES = Path(__file__).resolve().parents[2] / "pipelines" / "sales"
FILES = {name: (SALES / name).read_text() for name in (CONTRACT_FILE, PIPELINE_FILE)}
KEYS = ("name", "logicalType", "required", "quality", "properties", "items", "map", "metric", "to", "enum", "x")
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["array", "object", "map", "vector", "s3", "csv", "decimal(1)", "2017-01-01", "{date:%}", "a.b"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)


def spots(data: Any) -> list[tuple[Any, Any]]:
    """Every container of a document with every key or index into it."""
    keys = list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    return [spot for key in keys for spot in ((data, key), *spots(data[key]))]


def damage(data: Any, how: str, chance: random.Random, value: Any) -> None:
    container, key = chance.choice(spots(data))
    if how == "drop":
        del container[key]
    elif how == "rename" and isinstance(container, dict):
        container[chance.choice([f"{key}s", key[1:], "", *KEYS])] = container.pop(key)
    elif how == "repeat" and isinstance(container, list):
        container.append(copy.deepcopy(container[key]))
    else:
        container[key] = copy.deepcopy(value)


def load(folder: Path, name: str, content: bytes) -> Pipeline | tuple[Problem, ...]:
    """Loads the sales pipeline with one file's content replaced; any error but a ContractError fails the test."""
    for other, text in FILES.items():
        (folder / other).write_text(text)
    (folder / name).write_bytes(content)
    try:
        return load_pipeline(folder)
    except ContractError as error:
        return error.problems


def check(result: Pipeline | tuple[Problem, ...], name: str, content: bytes) -> None:
    """A pipeline survives JSON; problems have reasons and lines that the file has."""
    if isinstance(result, Pipeline):
        assert Pipeline.model_validate_json(result.model_dump_json()) == result
        return
    lines = max(len(content.splitlines()), 1)
    assert result
    assert [problem for problem in result if not problem.reason] == []
    assert [problem for problem in result if problem.file.endswith(name) and not 1 <= problem.line <= lines + 1] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sales"
    folder.mkdir()
    return folder


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@UNHURRIED
@given(
    name=st.sampled_from(sorted(FILES)),
    hows=st.lists(st.sampled_from(["drop", "rename", "retype", "repeat"]), min_size=1, max_size=3),
    chance=st.randoms(use_true_random=False),
    value=values,
)
def test_damaged_keys_and_values(folder: Path, name: str, hows: list[str], chance: random.Random, value: Any) -> None:
    data = yaml.safe_load(FILES[name])
    for how in hows:
        damage(data, how, chance, value)
    content = yaml.safe_dump(data, allow_unicode=True).encode()
    check(load(folder, name, content), name, content)


@UNHURRIED
@given(
    name=st.sampled_from(sorted(FILES)),
    place=st.floats(0, 1),
    piece=st.binary(min_size=1, max_size=6),
    cut=st.booleans(),
)
def test_damaged_bytes(folder: Path, name: str, place: float, piece: bytes, cut: bool) -> None:
    content = FILES[name].encode()
    at = int(place * len(content))
    content = content[:at] if cut else content[:at] + piece + content[at + len(piece) :]
    check(load(folder, name, content), name, content)


@UNHURRIED
@given(data=st.dictionaries(st.sampled_from([*KEYS, "schema", "sources", "schedule"]), values, max_size=5))
def test_any_mapping(folder: Path, data: dict[str, Any]) -> None:
    for name in FILES:
        content = yaml.safe_dump(data, allow_unicode=True).encode()
        result = load(folder, name, content)
        assert isinstance(result, tuple)
        check(result, name, content)


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", 1, "no `key: value` pairs"),
        (b"# only a comment\n", 1, "no `key: value` pairs"),
        (b"- a\n- b\n", 1, "no `key: value` pairs"),
        (b"id: sales\nid: sales\n", 2, "'id' stands here twice (first in line 1)"),
        (b"a:\n\t- b\n", 2, "indent with spaces, not tabs"),
        (b"a: [1, 2\nb: 3\n", 2, "this is not YAML"),
        (b"a: &x [1]\nb: [*x, *x]\n", 2, "aliases are not read"),
        (b"a: &x [*x]\n", 1, "aliases are not read"),
        (b"a: " + b"[" * (MAX_DEPTH + 1), 1, "levels deep"),
        (b"a: " + b"[" * 100_000, 1, "levels deep"),
        (b"a: b\n\xff\n", 2, "0xff is not UTF-8"),
        (b"a: b\nc: \x07\n", 2, "control character"),
        (b"a: 1\n2: b\n", 2, "a key must be a text"),
        (b"a: !!python/name:os.system\n", 1, "cannot be read"),
        (b"a: " + b"9" * 5_000, 1, "cannot be read as 'int'"),
        (b"a: 1e999\n", 1, "cannot be read as 'float'"),
        (b'a: "\\ud800"\n', 1, "cannot be read as 'str'"),
        (b"a: 1\n---\nb: 1\n", 2, "single document"),
        (b"a" * (MAX_BYTES + 1), 1, "larger than 1,000,000 bytes"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else None,
)
def test_what_cannot_be_read_is_said_with_its_line(tmp_path: Path, content: bytes, line: int, reason: str) -> None:
    path = tmp_path / "some.yaml"
    path.write_bytes(content)
    file = read_yaml(path)
    assert file.data is None
    assert [problem.line for problem in file.problems if reason in problem.reason] == [line], file.problems


def test_texts_that_only_look_like_something_else_stay_texts(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("country: NO\nzip: 0123\nday: 2017-06-12\nversion: 1.2.0\nnone: null\nyes: true\n")
    assert read_yaml(path).data == {
        "country": "NO",
        "zip": "0123",
        "day": "2017-06-12",
        "version": "1.2.0",
        "none": None,
        "yes": True,
    }

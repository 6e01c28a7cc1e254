"""`nightlake model evaluate`: what it says of a file of interactions, whoever wrote it."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from listening import clusters, noise
from typer.testing import CliRunner, Result

from cli.main import app
from cli.table_file import read_table

COLUMNS = ("--user", "user_id", "--item", "track_id")


def evaluate(file: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["model", "evaluate", str(file), *options], env={"COLUMNS": "100"})


def facts(file: Path, *options: str) -> dict[str, Any]:
    done = evaluate(file, *options, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write(table: pa.Table, file: Path) -> Path:
    if file.name.endswith(".parquet"):
        pq.write_table(table, file)
        return file
    with pa.BufferOutputStream() as stream:
        pc.write_csv(table, stream, pc.WriteOptions(delimiter="\t" if ".tsv" in file.name else ","))
        text = stream.getvalue().to_pybytes()
    file.write_bytes(gzip.compress(text) if file.suffix == ".gz" else text)
    return file


def test_the_best_recipe_is_chosen_with_its_bounds(tmp_path: Path) -> None:
    found = facts(write(clusters(users=150), tmp_path / "listens.csv"), *COLUMNS, "--count", "plays")
    by_name = {recipe["name"]: recipe for recipe in found["recipes"]}
    popularity, best = by_name["popularity"], by_name[found["chosen"]]
    assert best["above_popularity"]["low"] > 0
    assert best["precision"] > popularity["precision"]
    assert found["judged_users"] == found["users"] == 150
    assert found["recipes"][0] is popularity
    assert found["chosen_recipe"] == best["recipe"]


def test_nothing_is_promised_of_noise(tmp_path: Path) -> None:
    found = facts(write(noise(users=80), tmp_path / "listens.csv"), *COLUMNS)
    assert found["chosen"] == "popularity"
    assert "no candidate" in found["reason"]


def test_every_format_says_the_same(tmp_path: Path) -> None:
    table = clusters(users=60)
    names = ("a.csv", "a.tsv", "a.csv.gz", "a.tsv.gz", "a.parquet")
    read = [read_table(write(table, tmp_path / name)) for name in names]
    assert all(each.to_pylist() == table.to_pylist() for each in read)


def test_recipes_compete_on_some_of_very_many_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightlake.core.model.candidates.MAX_LEARNED_USERS", 60)
    file = write(clusters(users=100), tmp_path / "a.csv")
    found = facts(file, *COLUMNS)
    assert (found["users"], found["learned_users"], found["judged_users"]) == (100, 60, 60)
    assert "100 users" in (shown := " ".join(evaluate(file, *COLUMNS).stdout.split()))
    assert "of 60 users, drawn, 25 % of each user's held out" in shown


@pytest.mark.parametrize("separator", [",", ";", "|", "\t", "::"])
def test_a_file_without_a_header_has_numbered_columns(tmp_path: Path, separator: str) -> None:
    (tmp_path / "ratings.dat").write_text(f"u1{separator}t1{separator}5\nu2{separator}t1{separator}3\n")
    table = read_table(tmp_path / "ratings.dat", header=False)
    assert table.to_pydict() == {"1": ["u1", "u2"], "2": ["t1", "t1"], "3": [5, 3]}


def test_columns_are_named_by_number_where_there_is_no_header(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("".join(f"u{user}::t{user % 2}::5\n" for user in range(6)))
    found = facts(tmp_path / "ratings.dat", "--no-header", "--user", "1", "--item", "2", "--count", "3")
    assert (found["users"], found["items"]) == (6, 2)


def test_the_view_shows_every_recipe_and_the_choice(tmp_path: Path) -> None:
    done = evaluate(write(clusters(users=80), tmp_path / "listens.csv"), *COLUMNS, "-k", "5")
    assert done.exit_code == 0
    for told in ("80 users", "P@5", "popularity", "cosine binary", "bm25", "ease share", "Chosen:"):
        assert told in done.stdout
    assert max(map(len, done.stdout.splitlines()[1:-2])) <= 100


@pytest.mark.parametrize(
    ("name", "text", "options", "told"),
    [
        ("a.csv", "user_id,track\n1,2\n", COLUMNS, "there is no column 'track_id' in a.csv"),
        ("a.csv", "user_id,track_id\n1,\n", COLUMNS, "nothing to learn from"),
        ("a.csv", "user_id,track_id\n1,2,3\n", COLUMNS, "a.csv is no table"),
        ("a.csv", "", COLUMNS, "a.csv is no table"),
        ("a.csv.gz", "user_id,track_id\n1,2\n", COLUMNS, "a.csv.gz is no table"),
        ("a.parquet", "user_id,track_id\n1,2\n", COLUMNS, "a.parquet is no table"),
        ("a.csv", "user_id,track_id,n\n1,2,many\n", (*COLUMNS, "--count", "n"), "a count is a number"),
    ],
)
def test_a_file_of_no_use_is_refused(tmp_path: Path, name: str, text: str, options: tuple[str, ...], told: str) -> None:
    (tmp_path / name).write_text(text)
    done = evaluate(tmp_path / name, *options, "--json")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert not answer["ok"]
    assert told in answer["reason"]

"""`nightlake convert`: files to Parquet, refused rows beside it, what came of it in words, numbers and exit codes."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nightlake.core.shard import Receipt
from nightlake.core.store import ObjectNotFoundError, PreconditionFailedError
from typer.testing import CliRunner

from cli.directory import DeliveredFiles, Directory
from cli.main import app

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: shop
version: 1.0.0
status: active
schema:
  - name: orders
    physicalType: table
    properties:
      - {name: id, logicalType: integer, physicalType: bigint, required: true, primaryKey: true}
      - {name: note, logicalType: string}
      - {name: email, logicalType: string, classification: personal}
      - {name: amount, logicalType: number, physicalType: "decimal(8,2)", logicalTypeOptions: {minimum: 0}}
    quality:
      - {metric: rowCount, mustBeGreaterThan: 0, severity: fail}
"""
PIPELINE = """\
sources:
  orders:
    from: s3
    path: shop/{date:%Y/%m/%d}/*.csv
    format: csv
    ready: {marker: _DONE}
    delimiter: ";"
    columns: {amount: total}
"""
HEADER = "id,note,email,amount\n"
GOOD = HEADER + "".join(f'{number},"a, b\nc",x@y.z,{number}.5\n' for number in range(1, 101))


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    file = tmp_path / "orders.odcs.yaml"
    file.write_text(CONTRACT)
    return file


def convert(contract: Path, *files: Path, options: tuple[str, ...] = ()) -> Any:
    out = contract.parent / "out"
    arguments = [*map(str, files), "--contract", str(contract), "--dataset", "orders", "--out", str(out), *options]
    return CliRunner().invoke(app, ["convert", *arguments])


def facts(done: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def land(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def rows(out: Path, table: str = "orders") -> pa.Table:
    return pa.concat_tables([pq.ParquetFile(file).read() for file in sorted((out / table).rglob("*.parquet"))])


def test_good_files_become_parquet_by_day_with_receipts(contract: Path, tmp_path: Path) -> None:
    done = convert(contract, land(tmp_path, "a.csv", GOOD), options=("--json", "--date", "2017-06-12"))
    told = facts(done)
    assert done.exit_code == 0
    assert told["ok"] is True
    assert (told["rows_in"], told["rows_out"], told["rows_quarantined"], told["shards"]) == (100, 100, 0, 1)
    assert told["bytes"] == len(GOOD)
    assert told["seconds"] > 0
    assert told["mb_per_second"] >= 0
    out = tmp_path / "out"
    table = rows(out)
    assert [str(kind) for kind in table.schema.types[:3]] == ["int64", "string", "decimal128(8, 2)"]
    assert table["note"].unique().to_pylist() == ["a, b\nc"]
    assert rows(out, "orders_private")["email"].unique().to_pylist() == ["x@y.z"]
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert files == [
        "_receipts/orders/00000.json",
        "orders/year=2017/month=06/day=12/00000-0.parquet",
        "orders_private/year=2017/month=06/day=12/00000-1.parquet",
    ]
    receipt = Receipt.model_validate_json((out / files[0]).read_text())
    assert [file.key for file in receipt.files] == files[1:]
    assert sum(pq.ParquetFile(out / file.key).metadata.num_rows for file in receipt.files) == 200


def test_refused_rows_lie_in_quarantine_with_their_rules(contract: Path, tmp_path: Path) -> None:
    file = land(tmp_path, "a.csv", GOOD + "x,a,b,1\n7,a,b,-1\n")
    told = facts(convert(contract, file, options=("--json",)))
    assert (told["status"], told["rows_in"], told["rows_out"], told["rows_quarantined"]) == ("good", 102, 100, 2)
    broken = {rule["rule"]: rule["broken"] for rule in told["rules"]}
    assert broken["orders.amount.minimum"] == 1
    assert broken["orders.primary_key"] == 0
    refused = [pq.ParquetFile(path).read() for path in Path(told["quarantine"]).glob("*.parquet")]
    assert sum(table.num_rows for table in refused) == 2
    assert "x@y.z" not in str([table.to_pylist() for table in refused])


def test_a_repeated_key_is_counted_over_all_files_and_rejects_where_the_contract_says_so(
    contract: Path, tmp_path: Path
) -> None:
    files = [land(tmp_path, "a.csv", GOOD), land(tmp_path, "b.csv", HEADER + "1,a,b,1\n")]
    told = facts(convert(contract, *files, options=("--json",)))
    (keys,) = (rule for rule in told["rules"] if rule["rule"] == "orders.primary_key")
    assert (keys["verdict"], keys["broken"], keys["rows"]) == ("broken", 1, 101)
    kind = "problems" if keys["severity"] == "fail" else "warnings"
    assert told["status"] == ("rejected" if kind == "problems" else "good")
    assert "orders.primary_key" in {finding["rule"] for finding in told[kind]}


def test_too_many_refused_rows_reject_the_files_by_name_and_keep_their_rows_apart(
    contract: Path, tmp_path: Path
) -> None:
    bad = HEADER + "1,a,b,1\n" + "x,a,b,1\n" * 3
    done = convert(contract, land(tmp_path, "a.csv", bad), options=("--json",))
    told = facts(done)
    assert done.exit_code == 1
    assert (told["ok"], told["status"], told["rows_in"], told["rows_out"]) == (False, "rejected", 4, 1)
    assert told["problems"][0]["rule"] == "orders.max_quarantined_percent"
    out = tmp_path / "out"
    assert not (out / "orders").exists()
    assert told["out"] == str(out / "_rejected")
    assert sum(pq.ParquetFile(path).metadata.num_rows for path in (out / "_rejected/orders").rglob("*.parquet")) == 1
    assert [*(out / "_quarantine/orders").glob("*.parquet")]
    assert [*(out / "_receipts/orders").glob("*.json")]
    assert "orders.max_quarantined_percent" in convert(contract, tmp_path / "a.csv").stdout


def test_what_cannot_be_read_at_all_is_told_by_name(contract: Path, tmp_path: Path) -> None:
    done = convert(contract, land(tmp_path, "a.csv", "id,note,email,price\n1,a,b,2\n"), options=("--json",))
    assert done.exit_code == 1
    assert facts(done)["error"] == "HeaderMismatchError"
    assert "'price' is not declared" in facts(done)["reason"]


def test_a_file_cut_in_many_shards_by_two_processes_has_the_rows_of_one(contract: Path, tmp_path: Path) -> None:
    notes = ["line\n" * length for length in range(40)]
    text = HEADER + "".join(f'{number},"{notes[number % 40]}",x,{number % 1000}.25\n' for number in range(6000))
    file = land(tmp_path, "a.csv", text)
    whole = facts(convert(contract, file, options=("--json",)))
    before = rows(tmp_path / "out").select(["id", "note", "amount"]).sort_by("id")
    parts = facts(convert(contract, file, options=("--json", "--shard-mb", "0.0625", "--jobs", "2")))
    assert (whole["shards"], whole["rows_out"], parts["rows_out"]) == (1, 6000, 6000)
    assert parts["shards"] > 5
    assert rows(tmp_path / "out").select(["id", "note", "amount"]).sort_by("id").equals(before)


def test_a_second_conversion_replaces_the_first(contract: Path, tmp_path: Path) -> None:
    convert(contract, land(tmp_path, "a.csv", GOOD), options=("--date", "2017-06-12"))
    convert(contract, land(tmp_path, "a.csv", HEADER + "1,,,\n"), options=("--date", "2017-06-13"))
    assert rows(tmp_path / "out")["id"].to_pylist() == [1]
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == []


def test_files_of_somebody_else_are_never_mixed_in_or_removed(contract: Path, tmp_path: Path) -> None:
    foreign = land(tmp_path / "out", "x", "")
    foreign.unlink()
    land(tmp_path / "out/orders", "mine.parquet", "precious")
    done = convert(contract, land(tmp_path, "a.csv", GOOD), options=("--json",))
    assert done.exit_code == 1
    assert facts(done)["error"] == "OutputTakenError"
    assert (tmp_path / "out/orders/mine.parquet").read_text() == "precious"


def test_files_of_one_name_are_all_converted(contract: Path, tmp_path: Path) -> None:
    files = [land(tmp_path / str(day), "a.csv", HEADER + f"{day},,,\n") for day in (1, 2)]
    told = facts(convert(contract, *files, options=("--json",)))
    assert told["files"] == 2
    assert sorted(rows(tmp_path / "out")["id"].to_pylist()) == [1, 2]


def test_the_pipeline_file_beside_the_contract_says_how_files_are_read(contract: Path, tmp_path: Path) -> None:
    file = land(tmp_path, "a.csv", "id;note;email;total\n1;a,b;;2.5\n")
    land(tmp_path, "pipeline.yaml", PIPELINE)
    assert facts(convert(contract, file, options=("--json",)))["rows_out"] == 1
    assert rows(tmp_path / "out")["note"].to_pylist() == ["a,b"]
    (tmp_path / "pipeline.yaml").rename(tmp_path / "elsewhere.yaml")
    said = ("--source", str(tmp_path / "elsewhere.yaml"), "--json")
    assert facts(convert(contract, file, options=said))["rows_out"] == 1


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [("Note;ID;E-Mail;Amount\nä;1;x@y.z;2.5\n", ";"), ("amount\tid\tnote\temail\n2.5\t1\tä\tx@y.z\n", "\t")],
)
def test_without_one_the_file_itself_says_it(contract: Path, tmp_path: Path, text: str, delimiter: str) -> None:
    wanted = CONTRACT.replace("name: email", "name: e_mail") if "E-Mail" in text else CONTRACT
    contract.write_text(wanted)
    file = tmp_path / "a.csv"
    file.write_bytes(text.encode("cp1252" if delimiter == ";" else "utf-8"))
    assert facts(convert(contract, file, options=("--json",)))["rows_out"] == 1
    assert rows(tmp_path / "out").select(["id", "note"]).to_pylist() == [{"id": 1, "note": "ä"}]


def test_a_wrong_contract_is_told_with_file_line_and_reason(contract: Path, tmp_path: Path) -> None:
    contract.write_text(CONTRACT.replace("required: true", "requird: true"))
    done = convert(contract, land(tmp_path, "a.csv", GOOD))
    assert done.exit_code == 1
    assert "orders.odcs.yaml:10: unknown key 'requird'" in done.stderr


def test_an_unknown_dataset_is_told_with_those_that_there_are(contract: Path, tmp_path: Path) -> None:
    file = land(tmp_path, "a.csv", GOOD)
    arguments = ["--contract", str(contract), "--dataset", "order", "--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, ["convert", str(file), *arguments])
    assert done.exit_code == 1
    assert "did you mean 'orders'" in facts(done)["reason"]


def test_wrong_usage_ends_with_2(contract: Path, tmp_path: Path) -> None:
    assert convert(contract, tmp_path / "nowhere.csv").exit_code == 2
    assert convert(contract, land(tmp_path, "a.csv", GOOD), options=("--jobs", "0")).exit_code == 2


class TestDirectory:
    """A folder behaves as a bucket where a conversion relies on it."""

    def test_conditional_writes(self, tmp_path: Path) -> None:
        store = Directory("lake", tmp_path)
        etag = store.put("a/b", b"1", if_none_match=True)
        with pytest.raises(PreconditionFailedError):
            store.put("a/b", b"2", if_none_match=True)
        assert store.get("a/b") == b"1"
        store.put("a/b", io.BytesIO(b"two"), if_match=etag)
        with pytest.raises(PreconditionFailedError):
            store.put("a/b", b"3", if_match=etag)
        assert store.get("a/b") == b"two"
        assert [info.key for info in store.list("a/")] == ["a/b"]

    def test_a_file_that_changed_is_not_the_version_that_was_planned(self, tmp_path: Path) -> None:
        file = land(tmp_path, "a.csv", "old")
        store = DeliveredFiles("files", {"orders/a.csv": file})
        (info,) = store.list_versions("orders/")
        assert store.get_range("orders/a.csv", 1, 2, info.version_id) == b"l"
        file.write_text("newer")
        with pytest.raises(ObjectNotFoundError):
            [*store.stream("orders/a.csv", 0, 3, info.version_id)]


@pytest.mark.parametrize("command", ["infer", "convert"])
def test_what_can_be_read_only_once_is_a_wrong_usage(contract: Path, command: str) -> None:
    options = () if command == "infer" else ("--contract", str(contract), "--out", str(contract.parent / "out"))
    done = CliRunner().invoke(app, [command, "/dev/null", "--dataset", "orders", *options])
    assert done.exit_code == 2
    assert "save it as a file first" in " ".join(done.output.replace("│", " ").split())

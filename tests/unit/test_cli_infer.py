"""`nightlake infer`: what it proposes compiles as it stands, and converts its own sample without refusing a row."""

import bz2
import csv
import gzip
import io
import json
import string
import subprocess
import sys
import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightlake.core.contract import load_pipeline
from nightlake.core.infer.moments import AmbiguousError, common_formats
from nightlake.core.infer.names import column_names
from nightlake.core.infer.scalars import guess_text
from nightlake.core.wording import identifier_fault
from typer.testing import CliRunner, Result

from cli.main import app


def infer(file: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["infer", str(file), "--dataset", "orders", *options])


def proposed(file: Path, *options: str) -> dict[str, dict[str, Any]]:
    """The proposed columns by name."""
    done = infer(file, *options)
    assert done.exit_code == 0, done.output
    (dataset,) = yaml.safe_load(done.stdout)["schema"]
    return {column["name"]: column for column in dataset["properties"]}


def source_of(file: Path) -> dict[str, Any]:
    source: dict[str, Any] = yaml.safe_load(json.loads(infer(file, "--json").stdout)["pipeline"])["sources"]["orders"]
    return source


def converted(file: Path, folder: Path, *, with_source: bool = False) -> dict[str, Any]:
    """What `nightlake convert` makes of the file by what `nightlake infer` says of it; the contract is checked too."""
    project = folder / "orders"
    project.mkdir(exist_ok=True)
    done = infer(file, "--source", str(project / "pipeline.yaml"))
    assert done.exit_code == 0, done.output
    (project / "contract.odcs.yaml").write_text(done.stdout)
    load_pipeline(project)
    contract = folder / "orders.odcs.yaml"
    contract.write_text(done.stdout)
    arguments = ["--contract", str(contract), "--dataset", "orders", "--out", str(folder / "out"), "--json"]
    if with_source:
        arguments += ["--source", str(project / "pipeline.yaml")]
    told: dict[str, Any] = json.loads(CliRunner().invoke(app, ["convert", str(file), *arguments]).stdout)
    return told


def land(folder: Path, text: str, name: str = "a.csv", encoding: str = "utf-8") -> Path:
    file = folder / name
    file.write_bytes(text.encode(encoding))
    return file


ORDERS = "Order ID,customerEmail,zip,amount,paid,ordered at,status,note\n" + "".join(
    f"{1000 + number},c{number % 7}@example.com,0{number % 9}123,{number}.{number % 10}5,"
    f"{'yes' if number % 3 else 'no'},2024-01-{number % 28 + 1:02} 10:00:00.123,"
    f"{('open', 'paid', 'sent')[number % 3]},{'NULL' if number % 5 else number}\n"
    for number in range(60)
)


def test_a_contract_is_proposed_that_a_person_would_have_begun_with(tmp_path: Path) -> None:
    columns = proposed(land(tmp_path, ORDERS))
    assert columns["order_id"] == {
        "name": "order_id", "logicalType": "integer", "physicalType": "bigint", "required": True, "primaryKey": True,
    }  # fmt: skip
    assert columns["customer_email"]["classification"] == "personal"
    assert columns["zip"]["logicalType"] == "string"  # a number would lose the zero
    assert columns["amount"]["physicalType"] == "decimal(12,2)"
    assert columns["paid"]["logicalType"] == "boolean"
    assert columns["ordered_at"]["logicalType"] == "timestamp"
    assert [value["value"] for value in columns["status"]["enum"]] == ["open", "paid", "sent"]
    assert columns["note"] == {"name": "note", "logicalType": "integer", "physicalType": "bigint"}
    assert source_of(tmp_path / "a.csv") == {
        "from": "s3",
        "path": "orders/{date:%Y/%m/%d}/*",
        "ready": {"files": 1},
        "format": "csv",
        "nulls": ["", "NULL"],
        "timestamp_formats": ["%Y-%m-%d %H:%M:%S.%f"],
        "columns": {"order_id": "Order ID", "customer_email": "customerEmail", "ordered_at": "ordered at"},
    }


def test_the_two_commands_follow_each_other_as_they_stand(tmp_path: Path) -> None:
    file = land(tmp_path, ORDERS)
    for with_source in (False, True):
        told = converted(file, tmp_path, with_source=with_source)
        assert (told["rows_in"], told["rows_out"], told["rows_quarantined"]) == (60, 60, 0)


def test_check_accepts_what_infer_writes(tmp_path: Path) -> None:
    project = tmp_path / "pipelines/orders"
    project.mkdir(parents=True)
    done = infer(land(tmp_path, ORDERS), "--source", str(project / "pipeline.yaml"))
    (project / "contract.odcs.yaml").write_text(done.stdout)
    checked = CliRunner().invoke(app, ["check", "--root", str(tmp_path)])
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize(
    "compress", [bz2.compress, gzip.compress, lambda data: pa.compress(data, "zstd", asbytes=True)]
)
def test_compressed_files_are_read_as_their_text(tmp_path: Path, compress: Any) -> None:
    file = tmp_path / "a.csv.x"
    file.write_bytes(compress(ORDERS.encode()))
    assert converted(file, tmp_path)["rows_out"] == 60


@pytest.mark.parametrize(
    ("text", "encoding", "said"),
    [
        ("a;b\n1;x,y\n2;z\n", "utf-8", {"delimiter": ";"}),
        ("a\tb\n1\tx y\n2\tz\n", "utf-8", {"delimiter": "\t"}),
        ("a|b\n1|x\n2|z\n", "utf-8", {"delimiter": "|"}),
        ("1|x|\n2|y|\n3|z|\n", "utf-8", {"delimiter": "|", "header": False, "trailing_delimiter": True}),
        ("a,b,\n1,x,\n2,y,\n", "utf-8", {"trailing_delimiter": True}),
        ("a,b,c\n1,x,\n2,y,\n", "utf-8", {}),
        (",a,b\n1,x,5\n2,y,6\n", "utf-8", {"columns": {"column": ""}}),
        ("1e-3 2.5E+07\n0.1 7\nnan 8\n", "utf-8", {"delimiter": " ", "header": False, "nulls": ["", "nan"]}),
        ("a,2019,2020,2021\nx,1,2,3\ny,4,5,6\n", "utf-8", {"columns": {f"_{n}": str(n) for n in (2019, 2020, 2021)}}),
        ("a,2019,2020,2022\nx,1,2,3\ny,4,5,6\n", "utf-8", {"header": False}),
        ("a,b\n1,ü\n2,é\n", "cp1252", {"encoding": "cp1252"}),
        ("\ufeffa,b\n1,ü\n2,é\n", "utf-8", {}),
        ("a,b\n1,ü\n2,é\n", "utf-16", {"encoding": "utf-16"}),
        ("1,x\n2,y\n3,z\n", "utf-8", {"header": False}),
        ("a,b\n1,'x,y'\n2,'z'\n", "utf-8", {"quote": "'"}),
        ('a,b\n1,"x \\"y\\" z"\n2,"z"\n', "utf-8", {"escape": "backslash"}),
        ("Report\nof today\na,b\n1,x\n2,y\n", "utf-8", {"skip_lines": 2}),
        ("a,a\n1,x\n2,y\n", "utf-8", {"header": False, "skip_lines": 1}),
        ("a,b\r\n1,x\r\n2,y\r\n", "utf-8", {}),
        ('a\tb\n1\t"x" y\n2\tz\n', "utf-8", {"delimiter": "\t", "quote": None}),
    ],
)
def test_dialects(tmp_path: Path, text: str, encoding: str, said: dict[str, Any]) -> None:
    file = land(tmp_path, text, encoding=encoding)
    source = source_of(file)
    assert {key: source[key] for key in source.keys() - {"from", "path", "ready", "format"}} == said
    told = converted(file, tmp_path)
    assert (told["rows_quarantined"], told["status"]) == (0, "good")
    assert told["rows_out"] in (2, 3)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-20", "0"], "bigint"),
        (["1", "2"] * 30, "int"),
        (["007", "123"], "string"),
        (["+49170123456"], "string"),
        (["9223372036854775808"], "decimal(28,0)"),
        (["1" * 37], "decimal(38,0)"),
        (["1" * 39], "string"),
        (["1.5", "2"], "decimal(12,2)"),
        (["1.234", "2.345"], "decimal(12,3)"),
        (["12345678901.5", "1.25"], "decimal(18,2)"),
        (["1e3", "2.5"], "double"),
        (["0.1234567", "1"], "double"),
        (["0.12345678901234567890"], "decimal(28,20)"),
        (["1e999"], "string"),
        (["true", "FALSE"], "boolean"),
        (["Y", "N"], "boolean"),
        (["Y", "Y"], "string"),
        (["2024-02-29", "2024-12-01"], "date"),
        (["2023-02-29"], "string"),
        (["31/12/2024", "01/02/2024"], "date"),
        (["01/02/2024", "03/04/2024"], "string"),
        (["01/01/2024"], "date"),
        (["20240131"], "bigint"),
        (["2024-01-31T10:00:00Z", "2024-01-31T10:00:00+02:00"], "timestamp"),
        (["17/May/2015:10:05:03 +0000"], "timestamp"),
        (["2024-01-31", "2024-01-31 10:00"], "timestamp"),
        (["10:00:00"], "string"),
        ([" 1", "2 "], "bigint"),
        (["a", "1"], "string"),
        ([], "string"),
    ],
)
def test_types_are_narrow_and_safe(values: list[str], kind: str) -> None:
    from collections import Counter

    assert str(guess_text(Counter(values)).type) == kind


def test_words_for_nothing_are_only_those_that_stand_among_values() -> None:
    from collections import Counter

    assert guess_text(Counter(["1", "NA", "-"])).nulls == {"NA", "-"}
    assert guess_text(Counter(["DE", "NA"])).nulls == frozenset()  # Namibia


def test_day_and_month_are_told_apart_or_nothing_is_claimed() -> None:
    assert common_formats(["13/01/2024", "01/02/2024"]) == ("date", ("%d/%m/%Y",))
    assert common_formats(["01/13/2024", "01/02/2024"]) == ("date", ("%m/%d/%Y",))
    with pytest.raises(AmbiguousError):
        common_formats(["01/02/2024"])


def test_formats_of_one_column_do_not_misread_another(tmp_path: Path) -> None:
    text = "id,a,b\n" + "".join(f"{day},{day:02}/02/2024,02/{day:02}/2024\n" for day in range(10, 20))
    columns = proposed(land(tmp_path, text))
    assert [columns[name]["logicalType"] for name in "ab"].count("date") < 2
    assert converted(tmp_path / "a.csv", tmp_path)["rows_out"] == 10


@pytest.mark.parametrize(
    ("values", "said", "kind"),
    [
        (["1,5", "22,75"], {"decimal_separator": ","}, "decimal(12,2)"),
        (["1.234,50", "7,25"], {"decimal_separator": ",", "thousands_separator": "."}, "decimal(12,2)"),
        (["1,234.50", "12.25"], {"thousands_separator": ","}, "decimal(12,2)"),
        (["1 234 567", "12"], {"thousands_separator": " ", "decimal_separator": ","}, "bigint"),
        (["1,234", "5,678"], {}, None),  # thousands, or thousandths?
        (["1,2,3", "4,5"], {}, None),
    ],
)
def test_numbers_with_other_separators(
    tmp_path: Path, values: list[str], said: dict[str, Any], kind: str | None
) -> None:
    file = land(tmp_path, "id;n\n" + "".join(f"{number};{value}\n" for number, value in enumerate(values)))
    source = source_of(file)
    separators = {key: source[key] for key in source if key.endswith("_separator")}
    assert separators == said
    assert proposed(file)["n"].get("physicalType") == kind
    assert converted(file, tmp_path)["rows_out"] == len(values)


@given(st.lists(st.text(max_size=140), max_size=20))
def test_names_are_identifiers_and_all_different(texts: list[str]) -> None:
    names = column_names(texts)
    assert len(set(names)) == len(names) == len(texts)
    assert not any(map(identifier_fault, names))


PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
NAMES = st.text(string.ascii_letters + string.digits + " _-.é", min_size=1, max_size=12).filter(str.strip)
NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.decimals(-(10**6), 10**6, places=2).map(str),
    st.integers(0, 99).map("{:04}".format),
)
MOMENTS = st.one_of(
    st.dates().map(date.isoformat),
    st.dates(date(1900, 1, 1)).map("{:%d/%m/%Y}".format),
    st.dates(date(1900, 1, 1)).map("{:%m/%d/%Y}".format),
    st.datetimes(datetime(1900, 1, 1)).map("{:%Y-%m-%d %H:%M:%S}".format),  # noqa: DTZ001
    st.datetimes(datetime(1900, 1, 1)).map("{:%Y-%m-%dT%H:%M:%S.%fZ}".format),  # noqa: DTZ001
)
WORDS = st.sampled_from(["", "NA", "NULL", "-", "true", "no", "x@y.z", "+49 170 12345", "nan", "inf", "0x1F", " "])
KINDS = st.sampled_from([PLAIN, NUMBERS, MOMENTS, WORDS, st.one_of(NUMBERS, WORDS), st.one_of(MOMENTS, WORDS)])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """A header, and rows of texts whose columns are each of a kind."""
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    kinds = [draw(KINDS) for _ in names]
    return names, draw(st.lists(st.tuples(*kinds).map(list), min_size=1, max_size=12))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables(), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]))
def test_any_table_is_converted_by_what_is_proposed_for_it(
    table: tuple[list[str], list[list[str]]], delimiter: str, line_end: str
) -> None:
    names, rows = table
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    with tempfile.TemporaryDirectory() as folder:
        file = land(Path(folder), text.getvalue())
        told = converted(file, Path(folder))
    assert told["rows_quarantined"] == 0, told
    assert told["rows_out"] in (len(rows), len(rows) + 1), told  # without a header that is one, it is a row


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), PLAIN, MOMENTS
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(st.sampled_from(["id", "b", "Some Name", "c.d"]), VALUES, min_size=1), min_size=1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OBJECTS, st.booleans())
def test_any_objects_are_converted_by_what_is_proposed_for_them(objects: list[dict[str, Any]], lines: bool) -> None:
    text = "\n".join(map(json.dumps, objects)) if lines else json.dumps(objects)
    with tempfile.TemporaryDirectory() as folder:
        file = land(Path(folder), text, "a.json")
        if infer(file).exit_code:
            assert "NoColumnsError" in infer(file).stderr
            return
        told = converted(file, Path(folder))
    assert (told["rows_out"], told["rows_quarantined"]) == (len(objects), 0), told


def test_nested_json_keeps_its_shape(tmp_path: Path) -> None:
    objects = [
        {"id": 1, "who": {"name": "a", "born": "2000-01-01"}, "tags": ["x"], "scores": {"first-half": 1}},
        {"id": 2, "who": {"name": "b", "born": None}, "tags": [], "scores": {"second-half": 2}},
    ]
    columns = proposed(land(tmp_path, json.dumps(objects), "a.json"))
    assert [part["logicalType"] for part in columns["who"]["properties"]] == ["string", "date"]
    assert columns["tags"]["items"] == {"logicalType": "string"}
    assert columns["scores"]["logicalType"] == "map"
    assert converted(tmp_path / "a.json", tmp_path)["rows_out"] == 2


def test_a_column_that_no_type_holds_is_left_out_and_named(tmp_path: Path) -> None:
    file = land(tmp_path, '{"id": 1, "odd": {"a": 1}}\n{"id": 2, "odd": "text"}\n', "a.jsonl")
    assert "# odd was left out" in infer(file).stdout
    assert converted(file, tmp_path)["rows_out"] == 2


def test_parquet_brings_its_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "Id": pa.array([1, 2], pa.uint32()),
            "price": pa.array(["1.10", "2.25"]).cast(pa.decimal128(9, 2)),
            "at": pa.array([1, 2], pa.timestamp("us", "Europe/Berlin")),
            "kind": pa.array(["a", None]).dictionary_encode(),
            "parts": pa.array([[{"n": 1}], None]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    columns = proposed(tmp_path / "a.parquet")
    assert [column.get("physicalType") for column in columns.values()] == ["bigint", "decimal(9,2)", None, None, None]
    assert converted(tmp_path / "a.parquet", tmp_path)["rows_out"] == 2


def test_a_long_file_is_looked_at_in_three_places_only(tmp_path: Path) -> None:
    row = "{},2024-01-01,some text that fills the line to a hundred characters or so, which makes the file a long one\n"
    file = tmp_path / "a.csv"
    with file.open("w") as text:
        text.write("id,day,note,more\n")
        text.writelines(row.format(number) for number in range(80_000))
        text.write("x,2024-01-01,the last row has no number,\n")
    done = infer(file)
    assert "rows of its head, middle and tail" in done.stdout
    assert proposed(file)["id"]["logicalType"] == "string"  # the tail was seen


def test_damage_in_a_sample_says_nothing_of_its_columns(tmp_path: Path) -> None:
    text = "id,day\n" + "".join(f"{number},2024-01-01\n" for number in range(50)) + "51,a,field,more\n"
    done = infer(land(tmp_path, text))
    assert "1 records of the sample could not be read" in done.stdout
    assert proposed(tmp_path / "a.csv")["id"]["physicalType"] == "bigint"
    assert source_of(tmp_path / "a.csv").get("quote", '"') == '"'


def test_a_last_column_that_begins_empty_is_one(tmp_path: Path) -> None:
    file = land(tmp_path, "1,x,\n" * 300 + "2,y,z\n" * 3)
    assert "trailing_delimiter" not in source_of(file)
    assert converted(file, tmp_path)["rows_out"] == 303


@pytest.mark.parametrize("text", ["", "{}", "[]", '"just text"', '[{"a": 1'])
def test_what_holds_no_table_is_refused_by_name_or_proposed(tmp_path: Path, text: str) -> None:
    done = infer(land(tmp_path, text))
    assert done.exit_code in (0, 1)
    assert done.exit_code == 0 or "NoColumnsError" in done.stderr


def test_a_name_that_is_no_table_is_wrong_usage(tmp_path: Path) -> None:
    file = land(tmp_path, ORDERS)
    assert CliRunner().invoke(app, ["infer", str(file), "--dataset", "My Orders"]).exit_code == 2


def test_standard_output_is_the_contract_alone(tmp_path: Path) -> None:
    nightlake = Path(sys.executable).parent / "nightlake"
    command = [nightlake, "infer", land(tmp_path, ORDERS), "--dataset", "orders", "--source", tmp_path / "p.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert yaml.safe_load(done.stdout)["id"] == "orders"
    assert "p.yaml" in done.stderr


def test_a_number_that_no_computer_can_hold_is_an_odd_record(tmp_path: Path) -> None:
    for name, text in (
        ("a.jsonl", '{"a":1e99999999999999999999}\n{"a":1}\n'),
        ("a.json", '[{"a":1},{"a":1e%s}]' % ("9" * 30)),
    ):
        facts = json.loads(infer(land(tmp_path, text, name), "--json").stdout)
        assert (facts["rows"], facts["ok"]) == (1, True)

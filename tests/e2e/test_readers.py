"""The lake as its readers meet it: the notebook in the role of people, the API's formats in programs that read them."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import nbformat
import pyarrow as pa
import pyarrow.parquet as pq
import pyathena
import pytest
import urllib3
from nightlake.core import layout

from local.aws import REGION, Endpoint

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
README, NOTEBOOK = ROOT / "README.md", ROOT / "notebooks/read_the_lake.ipynb"
DAY = date(2017, 6, 12)
JSON, CSV, JSON_LINES = "application/json", "text/csv", "application/x-ndjson"
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
VALUES: dict[str, Callable[[str], Any]] = {
    "bigint": int,
    "int": int,
    "decimal(12,2)": Decimal,
    "timestamp": lambda text: datetime.fromisoformat(text).replace(tzinfo=None),
    "string": str,
}
ASKED = {
    "transactions": ("basket_id,product_id", "basket_id,product_id,store_id,sales_value,sold_at"),
    "products": ("product_id", "product_id,department,product_type,package_size"),
}
"""Dataset -> its key, and the columns that are asked for."""
Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def snapshot(nightlake: Any, cloud: Endpoint, outputs: dict[str, str]) -> dict[str, Any]:
    """What is published of the shop; a night is run only where no other test has."""
    lake = outputs["LakeBucket"]
    s3 = cloud.client("s3")
    if not s3.list_objects_v2(Bucket=lake, Prefix=layout.head("sales")).get("Contents"):
        assert nightlake("seed", "sales", "--from", DAY.isoformat()).returncode == 0
        done = nightlake("run", "sales", "--date", DAY.isoformat())
        assert done.returncode == 0, done.stdout
    head = json.load(s3.get_object(Bucket=lake, Key=layout.head("sales"))["Body"])
    published: dict[str, Any] = json.load(s3.get_object(Bucket=lake, Key=head["key"])["Body"])
    return published


@pytest.fixture(scope="module")
def newest(snapshot: dict[str, Any]) -> dict[str, Any]:
    """The newest partition of the transactions."""
    (transactions,) = (table for table in snapshot["tables"] if table["table"] == "transactions")
    found: dict[str, Any] = max(
        (each for each in transactions["partitions"] if each["day"] <= snapshot["date"]), key=lambda each: each["day"]
    )
    return found


# The notebook


@pytest.fixture
def execute(cloud: Endpoint, outputs: dict[str, str], home: Path, tmp_path: Path) -> Callable[..., list[Any]]:
    """execute(one, another): the outputs of the notebook and of these cells behind it, run in the role of people."""
    (block,) = re.findall(
        r"tests/e2e/test_readers\.py runs this block -->\n```sh\n(.*?)```", README.read_text(), re.DOTALL
    )
    find_stage, run_notebook = block.splitlines()
    session = cloud.client("sts").assume_role(RoleArn=outputs["BiReaderRole"], RoleSessionName="notebook")
    keys = session["Credentials"]
    as_reader = (
        f"export AWS_ACCESS_KEY_ID={keys['AccessKeyId']} AWS_SECRET_ACCESS_KEY={keys['SecretAccessKey']} "
        f"AWS_SESSION_TOKEN={keys['SessionToken']}"
    )
    for folder in ("notebooks", ".build"):
        (tmp_path / folder).mkdir()
    script = "\n".join([find_stage, as_reader, run_notebook.replace("notebooks/", f"{tmp_path}/notebooks/")])
    # Nothing of this user's Jupyter is read, and nothing is left in it.
    own = {name: str(tmp_path) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    environment = {**os.environ, **own, "NIGHTLAKE_HOME": str(home)}

    def run(*sources: str) -> list[Any]:
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        notebook.cells += [nbformat.v4.new_code_cell(source) for source in sources]
        notebook.cells[-1].metadata["tags"] = ["raises-exception"]
        nbformat.write(notebook, tmp_path / "notebooks" / NOTEBOOK.name)
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr  # which shows the cell
        cells = nbformat.read(tmp_path / ".build" / NOTEBOOK.name, as_version=4).cells
        return [cell.outputs for cell in cells if cell.cell_type == "code"]

    return run


def test_the_notebook_reads_what_the_night_counted_and_nothing_personal(
    execute: Callable[..., list[Any]],
    snapshot: dict[str, Any],
    newest: dict[str, Any],
    cloud: Endpoint,
    outputs: dict[str, str],
) -> None:
    kept = {"Bucket": outputs["LakeBucket"], "Key": layout.record("sales", newest["run_id"])}
    record = json.load(cloud.client("s3").get_object(**kept)["Body"])
    (counted,) = (source["rows"] for source in record["sources"] if source["dataset"] == "transactions")

    *shown, (told,), (refused,) = execute(
        "told = [snapshot['number'], str(day), len(sales), len(pinned), str(sales['sales_value'].sum())]\n"
        "print(json.dumps([*told, str(departments['revenue'].sum())]))",
        "private = next(table for table in snapshot['tables'] if table['table'] == 'customers_private')\n"
        "read(private['partitions'][0]['manifest'])",
    )

    number, day, *rows, revenue, by_department = json.loads(told["text"])
    assert (number, day, rows) == (snapshot["number"], newest["day"], [counted, counted])
    assert Decimal(revenue) == Decimal(by_department) > 0
    assert "AccessDenied" in refused["evalue"]
    seen = [output for cell in shown for output in cell]
    assert [output for output in seen if "image/png" in output.get("data", {})], "the plot is there"
    assert not [output for output in seen if output.get("name") == "stderr"], "nothing warns a reader"


def test_the_notebook_is_kept_without_what_it_printed() -> None:
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert not [cell.id for cell in cells if cell.outputs or cell.execution_count], "clear all outputs"


def test_a_shell_takes_the_environment_of_a_stage(cloud: Endpoint, home: Path) -> None:
    shell = ["bash", "-euc", 'eval "$("$0" env)"; exec env -0', Path(sys.executable).parent / "nightlake"]
    mine = {**os.environ, "AWS_PROFILE": "my-own", "NIGHTLAKE_HOME": str(home)}
    done = subprocess.run(shell, env=mine, capture_output=True, text=True, check=True)
    variables = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert variables.items() >= cloud.environment().items() | {("NIGHTLAKE_STAGE", "local")}
    assert "AWS_PROFILE" not in variables


# The API's formats


def of_day(day: str) -> str:
    """The condition on a day's partition keys."""
    values = layout.partition_values(date.fromisoformat(day))
    return " AND ".join(f"{name} = '{value}'" for name, value in zip(("year", "month", "day"), values, strict=True))


@pytest.fixture(scope="module")
def ask(cloud: Endpoint, outputs: dict[str, str], api_key: str) -> Callable[..., urllib3.BaseHTTPResponse]:
    """ask(path, Accept=...): the API's answer, unzipped; who follows where it leads must do so himself."""
    base = f"{cloud.url}/restapis/{outputs['ApiId']}/{outputs['ApiStage']}/_user_request_"
    pool = urllib3.PoolManager(ca_certs=str(cloud.ca_bundle), retries=False)

    def get(path: str, **headers: str) -> urllib3.BaseHTTPResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return pool.request("GET", base + path, headers={"x-api-key": api_key, **named}, redirect=False)

    return get


@pytest.fixture(scope="module")
def by_athena(cloud: Endpoint, outputs: dict[str, str]) -> Callable[[str], Rows]:
    """by_athena(sql): the rows that PyAthena reads."""
    known = cloud.environment()

    def run(sql: str) -> Rows:
        with pyathena.connect(
            work_group=outputs["BiWorkgroup"],
            schema_name=outputs["Database"],
            region_name=REGION,
            endpoint_url=cloud.url,
            verify=str(cloud.ca_bundle),
            aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
        ) as connection:
            return [tuple(row) for row in connection.cursor().execute(sql).fetchall()]

    return run


def read(body: bytes, kind: str, types: dict[str, str]) -> Rows:
    """The rows of an answer, by the reader that its format has."""
    if kind in (ARROW, PARQUET):
        table = pa.ipc.open_stream(body).read_all() if kind == ARROW else pq.read_table(io.BytesIO(body))
        assert list(table.column_names) == list(types)
        return [tuple(_without_zone(value) for value in row.values()) for row in table.to_pylist()]
    if kind == CSV:
        header, *lines = csv.reader(io.StringIO(body.decode(), newline=""))
        assert header == list(types)
        rows = [dict(zip(header, (text or None for text in line), strict=True)) for line in lines]
    else:
        rows = json.loads(body)["rows"] if kind == JSON else [json.loads(line) for line in body.splitlines()]
    return [
        tuple(None if row[name] is None else VALUES[kind](row[name]) for name, kind in types.items()) for row in rows
    ]


def _without_zone(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


@pytest.mark.parametrize("dataset", ASKED)
def test_every_format_has_the_rows_that_athena_has(
    dataset: str,
    newest: dict[str, Any],
    ask: Callable[..., urllib3.BaseHTTPResponse],
    by_athena: Callable[[str], Rows],
) -> None:
    (key, columns), day = ASKED[dataset], newest["day"]
    path = f"/v1/datasets/{dataset}/rows?date={day}&select={columns}&order_by={key}&limit=500"
    types = {column["name"]: column["type"] for column in json.loads(ask(path, Accept=JSON).data)["columns"]}
    expected = by_athena(f"SELECT {columns} FROM {dataset} WHERE {of_day(day)} ORDER BY {key} LIMIT 500")  # noqa: S608
    assert len(expected) == 500

    for kind in (JSON, CSV, JSON_LINES, ARROW, PARQUET):
        answer = ask(path, Accept=kind, Accept_Encoding="gzip")
        assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, kind)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert read(answer.data, kind, types) == expected, kind
        again = ask(path, Accept=kind, If_None_Match=answer.headers["ETag"])
        assert (again.status, again.data) == (304, b"")


def test_an_answer_too_long_for_lambda_is_downloaded_where_the_api_leads(
    newest: dict[str, Any],
    ask: Callable[..., urllib3.BaseHTTPResponse],
    by_athena: Callable[[str], Rows],
    cloud: Endpoint,
) -> None:
    departments, day = ("COSMETICS", "NUTRITION", "MEAT"), newest["day"]
    texts = ("department", "brand", "product_category", "product_type", "package_size", "_source", "_run_id")
    measures = ["count", *(f"{measure}({column})" for column in texts for measure in ("min", "max"))]
    asked = f"date={day}&department.in={','.join(departments)}&group_by=product_id,_loaded_at"
    path = f"/v1/datasets/products/aggregate?{asked}&measures={','.join(measures)}"
    expected = by_athena(f"SELECT product_id, brand FROM products WHERE {of_day(day)} AND department IN {departments}")  # noqa: S608
    led = ask(path, Accept=JSON)
    assert led.status == 303

    # The link is all that it takes: no key of the API's goes to S3.
    downloaded = urllib3.PoolManager(ca_certs=str(cloud.ca_bundle), retries=False).request(
        "GET", led.headers["Location"]
    )
    assert (downloaded.status, downloaded.headers["Content-Type"]) == (200, JSON)
    rows = json.loads(downloaded.data)["rows"]
    assert sorted((row["product_id"], row["min(brand)"]) for row in rows) == sorted(expected)
    zipped = ask(path, Accept=JSON, Accept_Encoding="gzip")
    assert (zipped.status, json.loads(zipped.data)["rows"]) == (200, rows)

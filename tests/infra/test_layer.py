"""The layer that is deployed: complete, for the right processor, small enough, and not broken by its trimming."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest
from cryptography import x509
from nightlake.adapters.postgres import RDS_CERTIFICATES
from nightlake.core.pipeline import Pipeline
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.tags import parse_tag, platform_tags
from packaging.utils import canonicalize_name

from infra.lambda_code import lambda_code
from infra.layer import CERTIFICATES, LayerError, Target, layer, token_layer

ROOT = Path(__file__).parents[2]

LIMIT_BYTES = 262_144_000  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
BUDGET_BYTES = 190_000_000  # ours: what it grows to is decided here and not found out by a deployment

LAMBDA_ENVIRONMENT = {
    **default_environment(),
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "aarch64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}


@pytest.fixture(scope="module")
def packages() -> Path:
    return layer() / "python"


@pytest.fixture(scope="module")
def distributions(packages: Path) -> dict[str, metadata.Distribution]:
    return {canonicalize_name(found.metadata["Name"]): found for found in metadata.distributions(path=[str(packages)])}


def requirements(name: str) -> Iterator[Requirement]:
    for line in (ROOT / name).read_text().splitlines():
        if line and not line.startswith("#"):
            yield Requirement(line)


def size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def test_it_holds_what_we_ask_for_and_all_that_those_packages_require(
    distributions: dict[str, metadata.Distribution],
) -> None:
    waiting = list(requirements("requirements-lambda.in"))
    seen: set[tuple[str, str]] = set()
    missing = []
    while waiting:
        wanted = waiting.pop()
        found = distributions.get(canonicalize_name(wanted.name))
        if found is None or found.version not in wanted.specifier:
            missing.append(str(wanted))
            continue
        for extra in ("", *wanted.extras):
            if (found.name, extra) not in seen:
                seen.add((found.name, extra))
                waiting += [
                    required
                    for required in map(Requirement, found.requires or ())
                    if required.marker is None or required.marker.evaluate({**LAMBDA_ENVIRONMENT, "extra": extra})
                ]
    assert missing == []
    assert {canonicalize_name(name) for name, _ in seen} == set(distributions), "nothing lies in it unasked"


def test_its_versions_are_those_that_the_tests_run_with(distributions: dict[str, metadata.Distribution]) -> None:
    tested = {canonicalize_name(pin.name): str(pin.specifier) for pin in requirements("requirements.txt")}
    assert {name: f"=={found.version}" for name, found in distributions.items()}.items() <= tested.items()


def test_every_wheel_is_for_arm_linux_or_for_any_machine(distributions: dict[str, metadata.Distribution]) -> None:
    for name, found in distributions.items():
        lines = (found.read_text("WHEEL") or "").splitlines()
        tags = {tag for line in lines if line.startswith("Tag: ") for tag in parse_tag(line.removeprefix("Tag: "))}
        assert any(
            tag.platform == "any" or (tag.platform.startswith("manylinux") and tag.platform.endswith("_aarch64"))
            for tag in tags
        ), name


def test_every_shared_library_is_machine_code_for_arm(packages: Path) -> None:
    libraries = list(packages.rglob("*.so*"))
    assert libraries
    for library in libraries:
        header = library.read_bytes()[:20]
        assert header[:4] == b"\x7fELF", library
        assert int.from_bytes(header[18:20], "little") == 183, f"{library} is not for AArch64"


def test_it_describes_every_service_that_a_function_calls(packages: Path) -> None:
    called = {
        service
        for file in (ROOT / "lambdas").rglob("*.py")
        for service in re.findall(r"boto3\.client\(\s*\"(\w+)\"", file.read_text())
    }
    assert called
    assert called <= {path.name for path in (packages / "botocore" / "data").iterdir()}


def test_it_carries_the_certificates_of_rds_in_every_region_and_of_its_proxies(packages: Path) -> None:
    assert Path("/opt", CERTIFICATES) == Path(RDS_CERTIFICATES)
    packed = x509.load_pem_x509_certificates((packages.parent / CERTIFICATES).read_bytes())
    now = datetime.now(UTC)
    names = {
        each.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        for each in packed
        if each.not_valid_before_utc < now < each.not_valid_after_utc
    }
    current = {name for name in names if re.search(r"Root CA (RSA2048|RSA4096|ECC384) G1$", str(name))}
    regions = {str(name).removeprefix("Amazon RDS ").partition(" ")[0] for name in current}
    assert {"us-east-1", "eu-central-1", "ap-southeast-2", "sa-east-1"} <= regions
    assert len(packed) == 3 * len(regions) + 4
    assert {f"Amazon Root CA {number}" for number in range(1, 5)} <= names


def test_layer_and_code_fit_into_a_function(packages: Path, pipelines: tuple[Pipeline, ...]) -> None:
    total = size(packages) + size(lambda_code(pipelines))
    assert total < BUDGET_BYTES < LIMIT_BYTES


def test_an_authorizer_of_tokens_has_room_for_what_proves_them(packages: Path, pipelines: tuple[Pipeline, ...]) -> None:
    tokens = token_layer() / "python"
    assert {"jwt", "cryptography"} <= {path.name for path in tokens.iterdir()}
    assert any("aarch64" in path.name or path.suffix == ".so" for path in tokens.rglob("_rust*"))
    assert size(packages) + size(tokens) + size(lambda_code(pipelines)) < LIMIT_BYTES
    tested = {line.partition(" ;")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()}
    assert set((ROOT / "requirements-tokens.txt").read_text().splitlines()) <= tested


IMPORTS_OF_A_WORKER = """
import io, pkgutil, importlib, zoneinfo, datetime
import pyarrow as pa, pyarrow.compute, pyarrow.csv, pyarrow.dataset, pyarrow.json, pyarrow.parquet
import boto3, pydantic, sqlglot
from adbc_driver_postgresql import dbapi
from aws_lambda_powertools import Logger, Metrics
import nightlake.handlers

for found in pkgutil.iter_modules(nightlake.handlers.__path__, "nightlake.handlers."):
    importlib.import_module(found.name)

table = pyarrow.csv.read_csv(io.BytesIO(b"a,at\\n1,2026-11-21 03:00:00\\n"))
file = io.BytesIO()
pyarrow.parquet.write_table(table, file, compression="snappy", coerce_timestamps="ms")
assert pyarrow.parquet.ParquetFile(file).metadata.row_group(0).column(0).compression == "SNAPPY"
assert pyarrow.parquet.read_table(file)["a"].to_pylist() == [1]
assert pyarrow.json.read_json(io.BytesIO(b'{"a": 1}')).num_rows == 1
assert pyarrow.compute.sum(table["a"]).as_py() == 1
assert pyarrow.dataset.dataset(table).count_rows(filter=pyarrow.dataset.field("a") > 0) == 1
zone = zoneinfo.ZoneInfo("Europe/Athens")
assert datetime.datetime(2026, 7, 1, tzinfo=zone).utcoffset() == datetime.timedelta(hours=3)
try:
    dbapi.connect("postgresql://127.0.0.1:1/nothing?connect_timeout=1")
except dbapi.Error as error:
    assert "onnection" in str(error), error
print("all there")
"""


A_TASK_AND_A_CALL = """
import datetime, json, sys
from types import SimpleNamespace

sys.path.append(sys.argv[2])
from nightlake.core.api import formats
from nightlake.handlers import define_table, query
from nightlake.handlers.api import asked
from nightlake.handlers.contracts import pipelines
from published_lake import PublishedLake

context = SimpleNamespace(
    function_name="f",
    function_version="1",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:x:1:function:f",
    aws_request_id="1",
)
wanted = {"pipeline": "sales", "database": "served", "table": "products", "found": {}}
table = define_table.handler(wanted, context)["input"]
lake = PublishedLake()
products = pipelines()["sales"].datasets[1].columns
lake.publish("products", products, {datetime.date(2017, 6, 12): [[{"product_id": 7}, {"product_id": 8}]]})
asked.lake = lambda: lake.store
call = json.load(open(sys.argv[1])) | {
    "path": "/v1/datasets/products/rows",
    "multiValueQueryStringParameters": {"product_id.gt": ["7"], "select": ["product_id,department"]},
}
bare = {"headers": {}, "multiValueHeaders": {}}
for kind in formats.FORMATS:
    written = query.handler(call | {"headers": {}, "multiValueHeaders": {"accept": [kind]}}, context)
    assert (written["statusCode"], written["multiValueHeaders"]["Content-Type"]) == (200, [kind]), written
for path in ("/v1/openapi.json", "/v1/docs"):
    told = query.handler(call | {"path": path, "multiValueQueryStringParameters": None} | bare, context)
    assert told["statusCode"] == 200, told
print(table["Name"], *json.loads(query.handler(call, context)["body"])["rows"])
"""


def run_as_lambda(pipelines: tuple[Pipeline, ...], program: str, *arguments: str | Path, **variables: str) -> str:
    """The last line that the program prints when it finds nothing but layer and code.

    The same wheels, trimmed the same way, for the interpreter of this test, which sees nothing else (`-S`).
    """
    here = Target(python=".".join(map(str, sys.version_info[:2])), platforms=tuple(platform_tags()))
    path = os.pathsep.join((str(layer(here) / "python"), str(lambda_code(pipelines))))
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", program, *arguments],
        env={"PYTHONPATH": path, "PYTHONTZPATH": "", "AWS_DEFAULT_REGION": "us-east-1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_trimmed_packages_and_code_are_all_that_the_handlers_need(pipelines: tuple[Pipeline, ...]) -> None:
    assert run_as_lambda(pipelines, IMPORTS_OF_A_WORKER) == "all there"


def test_with_them_a_task_runs_and_the_api_reads_parquet_under_tracing(pipelines: tuple[Pipeline, ...]) -> None:
    printed = run_as_lambda(
        pipelines,
        A_TASK_AND_A_CALL,
        ROOT / "tests" / "events" / "api_get.json",
        ROOT / "tests" / "unit",
        STAGE="dev",
        RAW_BUCKET="raw",
        LAKE_BUCKET="lake",
        QUARANTINE_BUCKET="quarantine",
        DATABASE="served",
        STAGING_DATABASE="staging",
        QUARANTINE_DATABASE="quarantine",
        LAMBDA_TASK_ROOT="/var/task",
        _X_AMZN_TRACE_ID="Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    )
    assert printed == "products {'product_id': 8, 'department': None}"


def test_a_layer_that_cannot_be_fetched_says_what_to_do_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(LayerError, match=r"(?s)make setup.*No matching distribution"):
        layer(build=tmp_path)
    assert list((tmp_path / "layer").iterdir()) == []


def test_a_built_layer_is_found_again_without_a_package_index(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert layer() / "python" == packages

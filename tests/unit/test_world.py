"""The world beside the local AWS: only what pipelines read is started, kept where it was, and forgotten whole."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from moto import mock_aws
from nightlake.core.contract import load_pipeline
from nightlake.core.pipeline import Pipeline

from local import world
from local.errors import ServiceFailedError

CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: outside
version: 1.0.0
status: active
schema:
  - name: hours
    physicalType: table
    properties: [{name: time, logicalType: string, required: true}]
  - name: logs
    physicalType: table
    properties: [{name: id, logicalType: integer, required: true}]
"""
PIPELINE = """
sources:
  hours: {from: http, url: "https://archive-api.open-meteo.com/v1/archive", records: hourly, layout: columns}
  logs: {from: postgres, database: app, table: public.app_logs, watermark: logged_at}
"""


@pytest.fixture
def secrets() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="us-east-1")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    home.mkdir()
    yield home
    world.forget(home)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("pipelines") / "outside"
    folder.mkdir()
    (folder / "contract.odcs.yaml").write_text(CONTRACT)
    (folder / "pipeline.yaml").write_text(PIPELINE)
    return load_pipeline(folder)


def test_a_world_that_nobody_reads_is_empty(home: Path, sales: Pipeline, secrets: Any) -> None:
    assert world.start(home, [sales], secrets) == world.World()
    assert world.parts(home) == []
    assert world.stop(home) == []


def test_what_sources_read_is_there_each_time_at_the_same_place(home: Path, outside: Pipeline, secrets: Any) -> None:
    def version() -> Any:
        return secrets.get_secret_value(SecretId="nightlake/local/app")["VersionId"]

    started = world.start(home, [outside], secrets)
    first = version()
    assert json.loads((home / "sources.json").read_text()) == {
        "endpoints": {"https://archive-api.open-meteo.com": started.endpoints["https://archive-api.open-meteo.com"]},
        "databases": {"app": {"secret_name": "nightlake/local/app"}},
    }
    assert [(part.name, part.running) for part in world.parts(home)] == [("weather", True), ("postgres", True)]
    assert world.stop(home) == ["weather", "postgres"]
    assert [part.running for part in world.parts(home)] == [False, False]
    assert world.start(home, [outside], secrets) == started
    assert version() == first, "a secret that is as it should be gets no new version"

    (url,) = started.endpoints.values()
    with urllib.request.urlopen(f"{url}/control") as response:  # noqa: S310 - ours
        assert json.load(response) == {"faults": [], "asked": []}
    told = json.loads(secrets.get_secret_value(SecretId="nightlake/local/app")["SecretString"])
    fields = {name: told[name] for name in ("host", "port", "dbname", "password", "sslmode")}
    with psycopg.connect(**fields, user=told["username"]) as connection:
        assert connection.execute("SELECT count(*) FROM app_logs").fetchone() == (0,)


def test_what_is_forgotten_leaves_nothing(home: Path, outside: Pipeline, secrets: Any) -> None:
    world.start(home, [outside], secrets)
    world.forget(home)
    assert not any(home.iterdir())
    assert world.recorded(home) == world.World()


def test_a_service_of_one_s_own_takes_the_place_of_ours(
    home: Path, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    music = load_pipeline(Path(__file__).resolve().parents[2] / "pipelines/music")
    monkeypatch.setenv("NIGHTLAKE_MUSIC_URL", "http://127.0.0.1:8000/")
    assert world.start(home, [music], secrets).endpoints == {"https://api.moovitamix.example": "http://127.0.0.1:8000"}
    (part,) = world.parts(home)
    assert (part.name, part.running) == ("music", True)
    assert world.stop(home) == []
    for strange in ("https://api.example.com", "http://10.0.0.1:8000", "127.0.0.1:8000"):
        monkeypatch.setenv("NIGHTLAKE_MUSIC_URL", strange)
        with pytest.raises(ServiceFailedError, match="write a service on this machine"):
            world.start(home, [music], secrets)

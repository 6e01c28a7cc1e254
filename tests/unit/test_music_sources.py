"""The sources of the pipeline music, asked over a socket: every record is a row or is set aside, or there is no day."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from http_world import World
from nightlake.adapters.http_api import Http
from nightlake.core.contract import load_pipeline
from nightlake.core.errors import ApiUnavailableError
from nightlake.core.http_source import HttpSource
from serving import serving

from local.sources import music
from local.sources.faults import Fault, State
from local.sources.stand_in import StandIn

PIPELINE = load_pipeline(Path(__file__).resolve().parents[2] / "pipelines/music")
DAY = date(2026, 2, 28)
SMALL: dict[str, Any] = {"day": str(DAY), "users": 500, "tracks": 250, "listens_a_day": 0.05}


class NoSecrets:
    def read(self, name: str, *, again: bool = False) -> str:
        raise AssertionError(name, again)


@pytest.fixture
def app() -> Iterator[StandIn]:
    with serving(music.server()) as server:
        tell(server, settings=SMALL)
        yield server


def tell(app: StandIn, *faults: Fault, settings: dict[str, Any] | None = None) -> None:
    if settings is not None and app.configure is not None:
        app.configure(settings)
    app.control.tell(State(faults=list(faults), settings=settings))


@contextmanager
def asking(app: StandIn, name: str) -> Iterator[World]:
    """The source, the app in place of its address, and buckets in memory."""
    source = PIPELINE.source(name)
    assert isinstance(source, HttpSource)
    dataset = PIPELINE.dataset(name).model_copy(update={"name": "t", "relationships": ()})
    with Http(source, NoSecrets(), {music.ORIGIN: f"http://127.0.0.1:{app.server_port}"}) as http:
        yield World(source.model_copy(update={"dataset": "t"}), http, dataset)  # type: ignore[arg-type]


def refused(world: World) -> list[dict[str, Any]]:
    files = (pq.read_table(BytesIO(world.quarantine.get(info.key))) for info in world.quarantine.list(""))
    return [row for file in files for row in file.to_pylist()]


def whole(app: StandIn, path: str) -> list[dict[str, Any]]:
    pages = range(1, app.answer(path, {})["pages"] + 1)
    return [item for page in pages for item in app.answer(path, {"page": [str(page)]})["items"]]


@pytest.mark.parametrize("kind", ["listening", "random"])
@pytest.mark.parametrize(
    ("name", "path", "strange"),
    [("tracks", "/tracks", 1), ("listeners", "/users", 0), ("listens", "/listen_history", 1)],
)
def test_every_record_is_a_row_or_is_set_aside(app: StandIn, name: str, path: str, strange: int, kind: str) -> None:
    tell(app, settings=SMALL | {"kind": kind})
    items = whole(app, path)
    records = sum(len(item["items"] or []) for item in items) if name == "listens" else len(items)
    with asking(app, name) as world:
        receipts = world.receipts(world.extract())
        assert sum(receipt.rows for receipt in receipts) == records - (strange if kind == "listening" else 0)
        assert len(refused(world)) == (strange if kind == "listening" else 0)


def test_a_history_is_read_place_by_place(app: StandIn) -> None:
    with asking(app, "listens") as world:
        delivery = world.extract()
        assert all(receipt.quarantined <= 1 for receipt in world.receipts(delivery))
        names = [column.name for column in world.dataset.columns]
        rows = [dict(zip(names, row, strict=True)) for row in world.rows(delivery)]
    items = {item["user_id"]: item["items"] or [] for item in whole(app, "/listen_history")}
    read: dict[int, list[int]] = {user: [] for user in items}
    for row in rows:
        assert row["position"] == len(read[row["user_id"]])
        read[row["user_id"]].append(row["track_id"])
    assert read == items


def test_half_an_app_is_no_day_and_goes_on_where_it_failed(app: StandIn) -> None:
    tell(app, Fault(kind="fail", match="page=4"), settings=SMALL)
    with asking(app, "listens") as world:
        with pytest.raises(ApiUnavailableError):
            world.extract()
        assert [info.key for info in world.raw.list("") if info.key.endswith("manifest.json")] == []
        tell(app)
        delivery = world.extract()
        assert sum(delivery.records) == sum(len(item["items"] or []) for item in whole(app, "/listen_history"))
        again = app.control.state().asked
    assert not any("page=1&" in path for path in again)


def test_an_app_that_goes_on_to_the_next_day_while_it_is_read_is_read_anew(app: StandIn) -> None:
    """A user more: the total says so."""
    before = whole(app, "/users")
    real, asks = app.answer, []

    def moving(path: str, query: Any) -> Any:
        asks.append(query["page"][0])
        if len(asks) == 4 and app.configure is not None:
            app.configure(SMALL | {"day": "2026-03-02"})
        return real(path, query)

    app.answer = moving
    with asking(app, "listeners") as world:
        rows = world.rows(world.extract())
    app.answer = real
    assert len(rows) == len(whole(app, "/users")) == len(before) + 1
    assert asks[:2] == ["1", "6"]


def test_a_record_that_is_set_aside_does_not_say_who_it_is(app: StandIn) -> None:
    tell(app, Fault(kind="missing_field", field="created_at", match="/users"), settings=SMALL)
    with asking(app, "listeners") as world:
        world.receipts(world.extract())
        rows = refused(world)
    assert len(rows) == len(whole(app, "/users"))
    people = whole(app, "/users")
    for row, person in zip(rows[:20], people[:20], strict=True):
        assert str(person["id"]) in row["raw"]
        assert not [
            name for name in ("first_name", "last_name", "email", "gender") if f'"{person[name]}"' in row["raw"]
        ]

"""The music service of this machine: MooVitamix's pages and refusals, tastes that can be learned, days that grow."""

import json
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from nightlake.core.contract import load_pipeline
from nightlake.core.http_source import HttpSource
from serving import serving

from local.errors import DayNotSeedableError
from local.sources import music, service
from local.sources.listening import FIRST, UNKNOWN, App
from local.sources.mixed_up import mixed

DAY = date(2026, 2, 28)
TODAY = date(2026, 3, 1)
TRACK = ["id", "name", "artist", "songwriters", "duration", "genres", "album", "created_at", "updated_at"]
USER = ["id", "first_name", "last_name", "email", "gender", "favorite_genres", "created_at", "updated_at"]
HISTORY = ["user_id", "items", "created_at", "updated_at"]

Ask = Callable[[str], Any]


def fetch(url: str, body: Any = None) -> Any:
    """The JSON of a GET, or of a PUT of the body."""
    said = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, said, method="GET" if said is None else "PUT")  # noqa: S310 - ours
    with urllib.request.urlopen(request) as response:  # noqa: S310
        return json.load(response)


@pytest.fixture
def url() -> Iterator[str]:
    with serving(music.server(today=lambda: TODAY)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def ask(url: str) -> Ask:
    return lambda path: fetch(f"{url}/{path}")


def whole(ask: Ask, name: str) -> list[dict[str, Any]]:
    pages = ask(name)["pages"]
    return [item for page in range(1, pages + 1) for item in ask(f"{name}?page={page}&size=100")["items"]]


@pytest.mark.parametrize("kind", ["listening", "random"])
@pytest.mark.parametrize(("name", "fields"), [("tracks", TRACK), ("users", USER), ("listen_history", HISTORY)])
def test_pages_are_those_of_moovitamix(url: str, ask: Ask, kind: str, name: str, fields: list[str]) -> None:
    fetch(f"{url}/control", {"settings": {"kind": kind}})
    first = ask(name)
    assert list(first) == ["items", "total", "page", "size", "pages"]
    assert (len(first["items"]), first["page"], first["size"]) == (100, 1, 100)
    assert list(first["items"][0]) == fields
    assert first["pages"] == -(-first["total"] // 100)
    items = whole(ask, name)
    keys = [item[fields[0]] for item in items]
    assert len(items) == len(set(keys)) == first["total"]
    past = ask(f"{name}?page={first['pages'] + 1}&size=100")
    assert (past["items"], past["total"]) == ([], first["total"])
    assert ask(f"{name}?page=2&size=3")["items"] == items[3:6]


@pytest.mark.parametrize("query", ["size=101", "size=0", "page=0", "page=x", "page=-1", "size="])
def test_a_page_that_is_none_is_refused_with_422(ask: Ask, query: str) -> None:
    with pytest.raises(HTTPError) as raised:
        ask(f"tracks?{query}")
    with raised.value as answer:
        assert answer.code == 422
        assert "detail" in json.load(answer)


def test_what_is_so_on_one_day_is_the_beginning_of_the_next(url: str, ask: Ask) -> None:
    before, users = whole(ask, "listen_history"), whole(ask, "users")
    fetch(f"{url}/control", {"settings": {"day": "2026-03-09"}})
    after = {history["user_id"]: history["items"] for history in whole(ask, "listen_history")}
    for history in before:
        items = history["items"] or []
        assert after[history["user_id"]][: len(items)] == items
    listens = [sum(len(items or []) for items in each) for each in ((h["items"] for h in before), after.values())]
    assert listens[0] + 8 * 80 < listens[1] < listens[0] * 1.2
    assert whole(ask, "users")[: len(users)] == users
    assert len(whole(ask, "users")) == len(users) + 4


def test_it_is_yesterday_there_unless_it_is_told_the_day(url: str, ask: Ask) -> None:
    here = ask("listen_history?page=2")
    fetch(f"{url}/control", {"settings": {"day": str(DAY)}})
    assert ask("listen_history?page=2") == here


def test_listening_shifts_on_command_and_only_from_that_day_on() -> None:
    app, moved = App(users=200, tracks=600), App(users=200, tracks=600, shift_from=DAY)
    late = DAY + timedelta(days=60)
    for user in range(1, 201):
        assert app.history(user, DAY - timedelta(days=1)) == moved.history(user, DAY - timedelta(days=1))

    def genres(of: App) -> Counter[str]:
        new = (of.history(user, late)["items"][len(of.history(user, DAY)["items"] or []) :] for user in range(1, 180))
        return Counter(of.track(track)["genres"] for items in new for track in items)

    stayed, shifted = genres(app), genres(moved)
    most = [genre for genre, _ in shifted.most_common(6)]
    assert sum(shifted[genre] for genre in most) > 0.8 * shifted.total()
    assert sum(stayed[genre] for genre in most) < 0.7 * stayed.total()


def test_the_users_are_as_many_as_have_come() -> None:
    for app in (App(), App(users=3000)):
        for days in (0, 1, 60, 119, 120, 121, 122, 123, 200):
            day = FIRST + timedelta(days=days)
            count = app.user_count(day)
            assert app.user(count)["created_at"][:10] <= str(day)
            assert app.user(count + 1)["created_at"][:10] > str(day)


def test_a_little_is_wrong_as_it_is_anywhere(ask: Ask) -> None:
    tracks, users, histories = (whole(ask, name) for name in ("tracks", "users", "listen_history"))
    assert [track["id"] for track in tracks if int(track["duration"][-2:]) > 59] == [13]
    assert [user["id"] for user in users if "@" not in user["email"]] == [404]
    known = {user["id"] for user in users}
    assert [history["user_id"] for history in histories if history["user_id"] not in known] == [UNKNOWN]
    heard = [track for history in histories for track in history["items"] or []]
    assert (heard.count(None), heard.count(UNKNOWN)) == (1, 1)
    assert any(history["items"] is None for history in histories)


def test_the_original_is_random_and_the_same_every_day(url: str, ask: Ask) -> None:
    assert mixed(1) != mixed(2)
    fetch(f"{url}/control", {"settings": {"kind": "random"}})
    histories = whole(ask, "listen_history")
    fetch(f"{url}/control", {"settings": {"kind": "random", "day": "2026-08-01"}})
    assert whole(ask, "listen_history") == histories
    assert {len(set(history["items"])) for history in histories} == {5}
    tracks = whole(ask, "tracks")
    assert any(track["updated_at"] < track["created_at"] for track in tracks)
    assert max(int(track["duration"][:2]) for track in tracks) == 59


def test_it_lies_and_fails_on_command_and_keeps_its_settings(url: str, ask: Ask) -> None:
    fetch(f"{url}/control", {"settings": {"day": str(DAY), "users": 50}})
    whole_page = ask("tracks?size=3")

    def lies(**fault: Any) -> Any:
        fetch(f"{url}/control", {"faults": [fault]})
        return ask("tracks?size=3")["items"]

    assert [list(item) for item in lies(kind="missing_field", field="name")] == [[n for n in TRACK if n != "name"]] * 3
    assert {item["duration"] for item in lies(kind="text_values", field="duration")} == {"n/a"}
    assert [item["id"] for item in lies(kind="null_tail", hours=1)] == [1, 2, None]
    assert len(lies(kind="unequal_lengths")) == 2
    assert isinstance(lies(kind="wrong_schema"), dict)
    with pytest.raises(HTTPError) as raised:
        lies(kind="fail", status=500)
    raised.value.close()
    assert fetch(f"{url}/control", {})["settings"] == {"day": str(DAY), "users": 50}
    assert ask("tracks?size=3") == whole_page


def test_settings_that_cannot_be_are_refused(url: str) -> None:
    for settings in ({"day": "2020-01-01"}, {"users": 0}, {"kind": "jazz"}, {"what": 1}):
        with pytest.raises(HTTPError) as raised:
            fetch(f"{url}/control", {"settings": settings})
        with raised.value as answer:
            assert answer.code == 400


def test_seeding_tells_the_day_and_the_size(tmp_path: Path) -> None:
    try:
        assert music.tell(tmp_path, DAY, 2_000)
        assert not music.tell(tmp_path, DAY, 2_000)
        running = service.recorded(tmp_path, music.NAME)
        assert running is not None
        assert fetch(f"{running.url}/users")["total"] == App(users=50).user_count(DAY)
        fetch(f"{running.url}/control", {"settings": {"seed": 2}})
        assert music.tell(tmp_path, TODAY, 2_000)
        assert fetch(f"{running.url}/control")["settings"] == {
            "seed": 2,
            "day": str(TODAY),
            "users": 50,
            "tracks": 150,
        }
    finally:
        service.forget(tmp_path, music.NAME)
    with pytest.raises(DayNotSeedableError, match="from 2025-09-01 on"):
        music.tell(tmp_path, FIRST - timedelta(days=1), 1)


def test_another_service_that_is_used_instead_is_told_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(music.OWN_URL, "http://127.0.0.1:9")
    assert not music.tell(tmp_path, DAY, 2_000)
    assert list(tmp_path.iterdir()) == []


def test_the_pipeline_asks_this_service() -> None:
    pipeline = load_pipeline(Path(__file__).resolve().parents[2] / "pipelines/music")
    sources = [source for source in pipeline.sources if isinstance(source, HttpSource)]
    assert {source.url for source in sources} == {f"{music.ORIGIN}/{n}" for n in ("tracks", "users", "listen_history")}
    assert {source.pages.size for source in sources} == {music.LARGEST_PAGE}  # type: ignore[union-attr]

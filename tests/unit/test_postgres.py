"""Tables of a real PostgreSQL: each of their rows comes into the lake once, as it is, or what keeps it is named."""

from collections.abc import Iterator

import pytest
from live_table import CREATE, DAY, Live

from local.sources import postgres


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    home = tmp_path_factory.mktemp("postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(postgres.OWN_URL, raising=False)
        yield postgres.start(home)
        postgres.forget(home)


@pytest.fixture
def live(server: postgres.Server, request: pytest.FixtureRequest) -> Iterator[Live]:
    """A database of the test's own with the table `events`, empty."""
    name = f"t{abs(hash(request.node.nodeid))}"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    live = Live(server, name)
    live.run(CREATE)
    yield live
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_day_of_a_table_is_published_row_by_row(live: Live) -> None:
    live.run(
        "INSERT INTO events SELECT i, timestamptz '2026-03-09 23:00Z' + i * interval '10 minutes', 'm' || i "
        "FROM generate_series(0, 200) i"
    )

    verdict = live.night()

    assert verdict.status == "good", verdict
    assert live.ids() == dict.fromkeys(range(6, 150), 1)
    assert {row["day"] for row in live.published()} == {DAY}
    assert {row["_source"] for row in live.published()} == {"postgres://app/public.events"}

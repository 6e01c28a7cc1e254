"""The oracle's client of Trino against a stand-in for its protocol: pages, values as Athena prints them, errors."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

VALUES = [
    ("bigint", 9, "9"),
    ("boolean", True, "true"),
    ("decimal(5,2)", "1.50", "1.50"),
    ("double", 1e10, "1.0E10"),
    ("double", 0.1, "0.1"),
    ("double", -1.25e-7, "-1.25E-7"),
    ("double", "NaN", "NaN"),
    ("real", 1.5, "1.5"),
    ("varchar(3)", None, None),
    ("varchar(3)", "", ""),
    ("varbinary", "q80=", "ab cd"),
    ("timestamp(3)", "2020-01-01 00:00:00", "2020-01-01 00:00:00.000"),
    ("timestamp(3) with time zone", "2020-01-01 00:00:00.120 UTC", "2020-01-01 00:00:00.120 UTC"),
    ("array(integer)", [1, None], "[1, null]"),
    ("map(varchar(1), boolean)", {"a": False}, "{a=false}"),
    ("row(x integer, y array(varchar))", [1, ["b", ""]], "{x=1, y=[b, ]}"),
]


class Stand(BaseHTTPRequestHandler):
    """First a page without rows, then the pages of its server."""

    server: "StandServer"

    def do_POST(self) -> None:
        self.server.asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert self.headers["X-Trino-User"]
        self._send({"id": "q", "nextUri": f"{self.server.url}/v1/statement/executing/q/0"})

    def do_GET(self) -> None:
        place = int(self.path.rsplit("/", 1)[1])
        more = place + 1 < len(self.server.pages)
        following = {"nextUri": f"{self.server.url}/v1/statement/executing/q/{place + 1}"} if more else {}
        self._send(self.server.pages[place] | following)

    def _send(self, page: dict[str, Any]) -> None:
        body = json.dumps({"stats": {"state": "RUNNING"}, **page}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests are silent."""


class StandServer(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Stand)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[str] = []
        self.pages: list[dict[str, Any]] = []


@pytest.fixture
def stand() -> Iterator[StandServer]:
    with StandServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_pages_are_read_and_values_printed(ask_trino: Any, stand: StandServer) -> None:
    columns = [{"name": f"c{place}", "type": kind} for place, (kind, _, _) in enumerate(VALUES)]
    stand.pages = [{"columns": columns}, {"columns": columns, "data": [[value for _, value, _ in VALUES]] * 2}, {}]

    answered = ask_trino(stand.url, "SELECT 'é'")

    assert stand.asked == ["SELECT 'é'"]
    assert answered.kinds == [kind for kind, _, _ in VALUES]
    assert answered.rows == [[shown for _, _, shown in VALUES]] * 2


def test_times_are_of_milliseconds(ask_trino: Any, stand: StandServer) -> None:
    columns = [{"name": "t", "type": "timestamp(0)"}, {"name": "u", "type": "time(6)"}]
    stand.pages = [{"columns": columns, "data": [["2020-01-01 00:00:00", "01:02:03.5"]]}]

    answered = ask_trino(stand.url, "SELECT 1")

    assert answered.kinds == ["timestamp(3)", "time(3)"]
    assert answered.rows == [["2020-01-01 00:00:00.000", "01:02:03.500"]]


def test_an_error_is_told_by_its_name(ask_trino: Any, stand: StandServer) -> None:
    stand.pages = [{"error": {"errorName": "DIVISION_BY_ZERO", "message": "Division by zero"}}]

    assert ask_trino(stand.url, "SELECT 1/0").error == "DIVISION_BY_ZERO"

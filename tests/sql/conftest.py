"""What tests of SQL share: the tables of their pipeline, and how a Trino is asked and its answer printed as Athena's.

https://trino.io/docs/current/develop/client-protocol.html
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from athena_lake import athena_lake
from athena_shop import SQL, Shop
from nightlake.core.contract import load_pipelines
from nightlake.core.pipeline import Pipeline

from local.athena import types


@dataclass
class Answer:
    """The types and the printed rows of a statement, or the name of its error."""

    kinds: list[str] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    error: str | None = None


@pytest.fixture(scope="session")
def pipelines() -> dict[str, Pipeline]:
    return {each.name: each for each in load_pipelines(SQL.parent / "pipelines")}


@pytest.fixture
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipelines: dict[str, Pipeline]
) -> Iterator[Shop]:
    """The tables of the pipeline that the test's folder is named after, empty, and its SQL to run on them."""
    with athena_lake(tmp_path, monkeypatch) as lake:
        yield Shop(lake, pipelines[request.path.parent.name])


@pytest.fixture(scope="session")
def ask_trino() -> Callable[[str, str], Answer]:
    """ask_trino(url, statement): times are of milliseconds, as Athena's are."""
    return _ask


def _ask(url: str, statement: str) -> Answer:
    page = _page(f"{url.rstrip('/')}/v1/statement", statement.encode())
    columns, rows = [], []
    while True:
        if "error" in page:
            return Answer(error=page["error"]["errorName"])
        columns = page.get("columns") or columns
        rows += page.get("data") or []
        if "nextUri" not in page:
            break
        page = _page(page["nextUri"])
    named = [re.sub(r"\b(time|timestamp)\(\d+\)", r"\1(3)", column["type"]) for column in columns]
    kinds = [types.parse_type(kind) for kind in named]
    shown = [[_printed(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in rows]
    return Answer([str(kind) for kind in kinds], shown)


def _page(url: str, body: bytes | None = None) -> dict[str, Any]:
    request = Request(url, body, {"X-Trino-User": "oracle", "X-Trino-Time-Zone": "UTC"})  # noqa: S310 (the caller's)
    with urlopen(request, timeout=60) as response:  # noqa: S310
        found: dict[str, Any] = json.load(response)
    return found


def _printed(value: Any, kind: types.Type) -> str | None:
    if value is None:
        return None
    match kind:
        case types.Array():
            return f"[{', '.join(_inner(each, kind.element) for each in value)}]"
        case types.Map():
            return f"{{{', '.join(f'{key}={_inner(each, kind.value)}' for key, each in value.items())}}}"
        case types.Row():
            names = (name or f"field{place}" for place, (name, _) in enumerate(kind.fields))
            texts = (_inner(each, held) for each, (_, held) in zip(value, kind.fields, strict=True))
            return f"{{{', '.join(map('='.join, zip(names, texts, strict=True)))}}}"
    return _scalar(value, kind)


def _inner(value: Any, kind: types.Type) -> str:
    return _printed(value, kind) or ("null" if value is None else "")


def _scalar(value: Any, kind: types.Type) -> str:
    if kind in (types.REAL, types.DOUBLE) and not isinstance(value, str):
        return _as_java(float(value))
    if kind == types.VARBINARY:
        return base64.b64decode(value).hex(" ")
    if isinstance(kind, types.Temporal):
        return re.sub(r"(\d\d:\d\d:\d\d)(?:\.(\d*))?", lambda at: f"{at[1]}.{at[2] or '':0<3}", value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_java(number: float) -> str:
    """Double.toString: plain from 0.001 to 10,000,000, else with an exponent."""
    if number == 0 or 0.001 <= abs(number) < 10_000_000:
        return f"{Decimal(repr(number)):f}"
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    first, *rest = map(str, digits)
    assert isinstance(exponent, int)
    return f"{'-' * sign}{first}.{''.join(rest) or '0'}E{exponent + len(rest)}"

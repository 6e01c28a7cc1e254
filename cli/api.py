"""`nightlake api`: asks a stage's HTTPS API, and makes the keys that it is asked with."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from nightlake.core.api_key import ApiKey
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli import api_access, api_keys
from cli.cloud import OfStage, Stage, connect
from cli.output import FAILED, Json, answer, errors_told, facts_table, progress, screen

_JSON: Final = "application/json"
_SHOWN_DEPTH: Final = 200
"""Characters of a value inside a value that a table shows."""
_LEAST_WIDTH: Final = 12
"""Characters that a column needs beside others."""

app = typer.Typer(no_args_is_help=True, add_completion=False)
keys = typer.Typer(help="The keys of the API: who may ask it, and for what.", no_args_is_help=True)
app.add_typer(keys, name="keys")


@app.callback()
def api() -> None:
    """Ask a stage's HTTPS API; make and revoke its keys."""


@app.command()
def get(
    path: Annotated[str, typer.Argument(help="A path with its query, like /v1/datasets.")],
    *,
    accept: Annotated[str, typer.Option(help="The format; anything but JSON is written out as it came.")] = _JSON,
    stage: OfStage = Stage.LOCAL,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer's body as it came.")] = False,
) -> None:
    """Ask the API by GET and show the answer. Ends with 1 where the API refuses."""
    if not path.startswith("/"):
        path = f"/{path}"
    with errors_told(as_json=as_json):
        answered = api_access.get(connect(stage), path, accept)
    if as_json or (answered.is_good and not answered.media_type.endswith("json")):
        sys.stdout.buffer.write(answered.body)
        sys.stdout.buffer.write(b"" if answered.body.endswith(b"\n") or not as_json else b"\n")
        sys.stdout.flush()
    elif answered.is_good:
        screen.print(_view(json.loads(answered.body)))
    else:
        progress.print(f"[red]{answered.status}[/] {escape(_detail(answered.body))}", soft_wrap=True)
    if not answered.is_good:
        raise typer.Exit(FAILED)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is; keys of one name are one caller's.")],
    *,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, private, query or operate, a colon, and a pipeline or *. Give it again for more."),
    ] = None,
    days: Annotated[
        int | None, typer.Option(help="How long it opens anything.", show_default="for good", min=1)
    ] = None,
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Make a key and show it, this once: only its hash is kept."""
    with errors_told(as_json=as_json):
        cloud = connect(stage)
        expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
        key, kept = api_keys.create(
            cloud, cloud.outputs(), name=name, scopes=scope or ["read:*"], expires_at=expires_at
        )
    told = facts_table([("key", key), *_facts(kept).items()])
    hint = f"[dim]It is not shown again. Set {api_access.KEY} to it, or send it as the header x-api-key.[/]"
    answer({"key": key, **_facts(kept)}, view=Group(told, hint), as_json=as_json)


@keys.command(name="list")
def list_keys(stage: OfStage = Stage.LOCAL, as_json: Json = False) -> None:
    """List every key that was ever made, never the keys themselves."""
    with errors_told(as_json=as_json):
        cloud = connect(stage)
        found = api_keys.listed(cloud, cloud.outputs())
    facts = [_facts(key) for key in found]
    answer({"keys": facts}, view=_table(facts) if facts else "There is no key yet.", as_json=as_json)


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The id of a key, or a name: then all keys of that name.")],
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Revoke a key: within a minute it opens nothing any more."""
    with errors_told(as_json=as_json):
        cloud = connect(stage)
        revoked = api_keys.revoke(cloud, cloud.outputs(), key)
    facts = [_facts(each) for each in revoked]
    answer({"revoked": facts}, view=_table(facts), as_json=as_json)


def _facts(key: ApiKey) -> dict[str, str]:
    over = "revoked" if key.disabled else "" if key.is_valid(datetime.now(UTC)) else "expired"
    return {
        "id": key.id,
        "name": key.name,
        "scopes": " ".join(sorted(key.scopes)),
        "created": f"{key.created_at:%Y-%m-%d %H:%M}",
        "expires": f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "never",
        "state": over or "valid",
    }


def _detail(body: bytes) -> str:
    """What a problem document says, or whatever else was answered."""
    try:
        problem = json.loads(body)
        return f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")


def _view(body: Any) -> RenderableType:
    """The list that an answer is about as a table, and beneath it what else it says; else all of it by name."""
    if not isinstance(body, dict):
        return escape(json.dumps(body))
    name = next((each for each in ("rows", *body) if _is_listing(body.get(each))), None)
    told = [(key, _text(value)) for key, value in body.items() if key != name and not (name and key == "columns")]
    if name is None:
        return facts_table(told)
    return Group(_table(body[name]), facts_table(told))


def _is_listing(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _table(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The rows below each other; where their columns do not fit beside each other, each row by its names."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    if len(names) * _LEAST_WIDTH > screen.width:
        titled = ((f"{place:,}", [(name, _text(row.get(name))) for name in names]) for place, row in enumerate(rows, 1))
        return Group(*(facts_table(told, title=title) for title, told in titled))
    table = Table()
    for name in names:
        table.add_column(escape(name), overflow="fold")
    for row in rows:
        table.add_row(*(escape(_text(row.get(name))) for name in names))
    return table


def _text(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if isinstance(value, str) or len(text) <= _SHOWN_DEPTH else f"{text[:_SHOWN_DEPTH]}…"

"""The OpenAPI document as one HTML page: readable without scripts, and without anything from elsewhere."""

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:0 auto;padding:1rem}
h2{margin-top:2.5rem;border-bottom:1px solid #8886}
summary{cursor:pointer;padding:.4rem 0;overflow-wrap:anywhere}
code{font:.9em/1.4 ui-monospace,monospace}
pre{overflow:auto;padding:.8rem;border:1px solid #8886;border-radius:.4rem}
table{border-collapse:collapse;width:100%;display:block;overflow-x:auto}
th,td{text-align:left;vertical-align:top;padding:.25rem .8rem .25rem 0;border-top:1px solid #8884}
.method{display:inline-block;min-width:3.2em;font-weight:600}
"""


def page(document: Mapping[str, Any]) -> str:
    """The page: operations by tag, what each takes and answers, and the schemas."""
    info = document["info"]
    tags: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append("".join(_operation(path, method, operation)))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(operations)}" for tag, operations in tags.items())
    schemas = "".join(_folded(name, schema) for name, schema in document["components"]["schemas"].items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])} API</h1><p>{escape(info['description'])}</p>"
        "<p>For programs, the same is at <code>/v1/openapi.json</code>.</p>"
        f"{body}<h2>Schemas</h2>{schemas}</body></html>"
    )


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<details><summary><span class="method">{escape(method.upper())}</span> <code>{escape(path)}</code> '
    yield f"{escape(operation['summary'])}</summary>"
    if operation.get("description"):
        yield f"<p>{escape(operation['description'])}</p>"
    if operation["parameters"]:
        yield from _table(
            ("parameter", "in", "takes", ""),
            (
                (each["name"], each["in"], _takes(each["schema"]), each.get("description", ""))
                for each in operation["parameters"]
            ),
        )
    if "requestBody" in operation:
        yield _folded("body", operation["requestBody"]["content"])
    yield from _table(
        ("answer", "as", ""),
        (
            (status, ", ".join(told.get("content", ())), told["description"])
            for status, told in operation["responses"].items()
        ),
    )
    yield "</details>"


def _takes(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return "a list"
    limits = [f"{word} {schema[word]}" for word in ("minimum", "maximum") if word in schema]
    return ", ".join([str(schema.get("format", schema.get("type", ""))), *limits])


def _folded(name: str, content: object) -> str:
    text = escape(json.dumps(content, indent=2))
    return f"<details><summary><code>{escape(name)}</code></summary><pre>{text}</pre></details>"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"<table><tr>{''.join(f'<th>{escape(each)}</th>' for each in head)}</tr>"
    for row in rows:
        first, *others = row
        cells = "".join(f"<td>{escape(each)}</td>" for each in others)
        yield f"<tr><td><code>{escape(first)}</code></td>{cells}</tr>"
    yield "</table>"

"""The page as HTML. Every text of the data goes through `escape`; scripts and styles run by their hashes alone."""

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from itertools import chain
from typing import Final

from nightlake.core.brief import shorten
from nightlake.core.page.assets import Assets
from nightlake.core.page.contents import Contents, Table
from nightlake.core.page.plot import Kind, Plot, is_name, kind_of
from nightlake.core.report import Json

MAX_ROWS: Final = 1_000
# Of all tables together; the libraries take half a megabyte, and a page stays below 1.5.
_TABLES_BYTES: Final = 800_000
_CELL_LENGTH: Final = 300
_LONG: Final = 32
# What Plot puts into each of its drawings; the policy must know it.
PLOT_STYLE: Final = """:where(.plot-d6a7b5) {
  --plot-background: white;
  display: block;
  height: auto;
  height: intrinsic;
  max-width: 100%;
}
:where(.plot-d6a7b5 text),
:where(.plot-d6a7b5 tspan) {
  white-space: pre;
}"""


def page(contents: Contents, assets: Assets) -> str:
    """The page of a run. Equal contents and assets give equal texts."""
    scripts = (*assets.libraries, assets.script)
    title = f"{contents.pipeline} {contents.date or ''}".strip()
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(_policy(scripts, assets.style))}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="referrer" content="no-referrer">',
            '<link rel="icon" href="data:,">',
            f"<title>{escape(title)} - Nightlake</title>",
            f"<style>{assets.style}</style>",
            "</head>",
            "<body>",
            *_head(contents, title),
            "<main>",
            *_section("Reports", contents.reports),
            *_section("The run", contents.tables),
            "</main>",
            f"<footer>Written by run {escape(contents.run_id)}. It holds all that it shows.</footer>",
            *(f"<script>{script}</script>" for script in scripts),
            "</body>",
            "</html>",
            "",
        )
    )


def _policy(scripts: tuple[str, ...], style: str) -> str:
    """Nothing is loaded, sent or framed; only these scripts and styles, by what they are."""
    allowed = " ".join(dict.fromkeys(_hash(script) for script in scripts))
    styles = " ".join((_hash(style), _hash(PLOT_STYLE)))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {styles}; img-src data:; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _head(contents: Contents, title: str) -> Iterator[str]:
    outcome = ("good", "Succeeded") if contents.good else ("bad", "Failed")
    ended = contents.ended_at
    yield "<header>"
    yield f'<h1><bdi>{escape(title)}</bdi> <span class="outcome {outcome[0]}">{outcome[1]}</span></h1>'
    yield f'<p>Ended <time datetime="{ended.isoformat()}">{ended:%Y-%m-%d %H:%M} UTC</time></p>'
    if contents.trouble is not None:
        yield '<section class="trouble" aria-labelledby="trouble">'
        yield f'<h2 id="trouble">{escape(contents.trouble.error)}</h2>'
        yield from (f'<p class="cause">{escape(cause)}</p>' for cause in contents.trouble.causes)
        yield f"<p><strong>What to do:</strong> {escape(contents.trouble.advice)}</p>"
        yield "</section>"
    yield "<dl>"
    for name, text in contents.facts:
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>"
    yield "</dl>"
    tables = (*contents.reports, *contents.tables)
    links = (f'<li><a href="#{escape(table.name)}">{escape(table.title)}</a></li>' for table in tables)
    yield f'<nav aria-label="On this page"><ul>{"".join(links)}</ul></nav>'
    yield "</header>"


def _section(title: str, tables: tuple[Table, ...]) -> Iterator[str]:
    if not tables:
        return
    yield f"<h2>{title}</h2>"
    share = _TABLES_BYTES // 2 // len(tables)
    yield from chain.from_iterable(_table(table, share) for table in tables)


def _table(table: Table, share: int) -> Iterator[str]:
    name, kinds = escape(table.name), [kind_of(column.type) for column in table.columns]
    rows = _rows(table, kinds, share)
    yield f'<section id="{name}" aria-labelledby="{name}-title">'
    yield f'<h3 id="{name}-title">{escape(table.title)}</h3>'
    if table.note:
        yield f'<p class="note">{escape(table.note)}</p>'
    if len(rows) < len(table.rows):
        yield f'<p class="note">The first {len(rows):,} of {len(table.rows):,} rows; the query API has them all.</p>'
    if table.plot is not None and rows:
        yield _figure(table.plot, table.title)
    if not rows:
        yield '<p class="note">It has no rows.</p>'
    else:
        yield f'<div class="scroll" role="region" aria-labelledby="{name}-title" tabindex="0">'
        yield f'<table data-name="{name}">'
        heads = (
            f'<th scope="col" data-kind="{kind}" data-name="{escape(column.name)}">'
            f"{escape(column.name.replace('_', ' '))}</th>"
            for column, kind in zip(table.columns, kinds, strict=True)
        )
        yield f"<thead><tr>{''.join(heads)}</tr></thead>"
        yield "<tbody>"
        yield from rows
        yield "</tbody></table></div>"
    yield "</section>"


def _figure(plot: Plot, title: str) -> str:
    given = {"by": plot.by, "total": plot.total}
    more = "".join(f' data-{name}="{escape(value)}"' for name, value in given.items() if value)
    return (
        f'<figure data-plot="{plot.kind}" data-x="{escape(plot.x)}" data-y="{escape(",".join(plot.y))}"{more} '
        f'data-title="{escape(title)}"></figure>'
    )


def _rows(table: Table, kinds: list[Kind], share: int) -> list[str]:
    rows: list[str] = []
    named = [is_name(column.name) for column in table.columns]
    for values in table.rows[:MAX_ROWS]:
        row = f"<tr>{''.join(_cell(*each) for each in zip(values, kinds, named, strict=True))}</tr>"
        share -= len(row.encode(errors="replace"))
        if share < 0 and rows:
            break
        rows.append(row)
    return rows


def _cell(value: Json, kind: Kind, named: bool) -> str:
    if value is None:
        return f'<td class="null{" number" if kind == "number" else ""}"></td>'
    if kind == "number":
        return f'<td class="number">{escape(str(value) if named else _grouped(str(value)))}</td>'
    text = str(value).lower() if isinstance(value, bool) else str(value)
    long = ' class="long"' if len(text) > _LONG else ""
    return f"<td{long}>{escape(shorten(text, _CELL_LENGTH))}</td>"


def _grouped(number: str) -> str:
    """A number with commas between thousands; the page's script takes them away again."""
    whole, point, rest = number.partition(".")
    digits = whole.lstrip("-")
    if not (digits.isascii() and digits.isdigit()):
        return number
    return f"{'-' if whole.startswith('-') else ''}{int(digits):,}{point}{rest}"

"""Draws a graph in the language of Graphviz, and finishes the SVG that Graphviz makes of it for light and dark."""

import math
import re
import textwrap
from collections.abc import Iterator, Mapping
from html import escape
from typing import Final, NamedTuple

from nightlake.core.graph import Edge, Graph, Node, Part, Policy


class Ink(NamedTuple):
    """One colour by day and by night."""

    light: str
    dark: str


PAPER: Final = Ink("#fefefe", "#0d1117")
TEXT: Final = Ink("#1f2933", "#e6edf3")
QUIET: Final = Ink("#5f6b7a", "#9aa7b5")
GOOD: Final = Ink("#0b7285", "#3bc9db")
TASK: Final = Ink("#e3fafc", "#0b3a44")
PLAIN: Final = Ink("#f1f3f5", "#21262d")
EDGE_OF_PLAIN: Final = Ink("#adb5bd", "#6e7681")
CHOICE: Final = Ink("#fff3bf", "#4d3d00")
EDGE_OF_CHOICE: Final = Ink("#e8a200", "#d9a514")
WAIT: Final = Ink("#e5dbff", "#3b2a70")
EDGE_OF_WAIT: Final = Ink("#845ef7", "#a58bff")
DONE: Final = Ink("#2b8a3e", "#238636")
BAD: Final = Ink("#e03131", "#ff7b72")
BAD_TASK: Final = Ink("#ffe3e3", "#4a1a1c")
GROUP: Final = Ink("#f8fafb", "#131a22")
BRANCH: Final = Ink("#eef7f9", "#10242b")
EDGE_OF_GROUP: Final = Ink("#c9d3dc", "#3a4653")
ON_FULL: Final = Ink("#fffffe", "#fffffe")
INKS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Ink))

_FONT: Final = "Helvetica"
_WRAPPED: Final = 30
_COLUMNS: Final = 3
_LEGEND_WRAPPED: Final = 62
_CHAIN: Final = 3  # so many states one after the other within a Map stand side by side
_SHAPES: Final = {"Choice": ("hexagon", "filled")}
_WHOLE: Final = (
    f'rankdir=TB, compound=true, newrank=true, nodesep=0.3, ranksep=0.32, pad=0.3, bgcolor="{PAPER.light}", '
    f'fontname="{_FONT}", labelloc=t, labeljust=l, tooltip=" "'
)
_NODE: Final = f'fontname="{_FONT}", fontsize=12, fontcolor="{TEXT.light}", margin="0.13,0.05", height=0.3, width=0.3'
_EDGE: Final = f'fontname="{_FONT}", fontsize=9, fontcolor="{QUIET.light}", arrowsize=0.7'
_FILLS: Final = {
    "Task": (TASK, GOOD),
    "Choice": (CHOICE, EDGE_OF_CHOICE),
    "Wait": (WAIT, EDGE_OF_WAIT),
}


def dot(graph: Graph) -> str:
    """The graph in Graphviz's language."""
    ids = {node.name: f"n{number}" for number, node in enumerate(_nodes(graph.whole))}
    lines = [
        "digraph night {",
        f"  graph [{_WHOLE}, label={_head(graph)}]",
        f"  node [{_NODE}]",
        f"  edge [{_EDGE}]",
        *_part(graph.whole, ids, depth=1),
        "}",
    ]
    return "\n".join(lines) + "\n"


def finished(svg: str, *, title: str) -> str:
    """Graphviz's SVG as a page shows it: named, without its comments, and dark where the reader's page is."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<title>[^<]*</title>\n", "", svg)
    rules = "".join(
        f'[{where}="{ink.light}"]{{{where}:{ink.dark}}}'
        for ink in INKS
        if ink.light != ink.dark
        for where in ("fill", "stroke")
    )
    head, _, rest = svg.partition(">\n")
    style = f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"
    return f'{head} role="img">\n<title>{escape(title)}</title>\n{style}\n{rest}'


def _nodes(part: Part) -> Iterator[Node]:
    for inner in part.walk():
        yield from inner.nodes


def _head(graph: Graph) -> str:
    """The title, what the colours say, and the retry policies in columns."""
    rows = math.ceil(len(graph.policies) / _COLUMNS)
    columns = [graph.policies[start : start + rows] for start in range(0, len(graph.policies), rows or 1)]
    cells = "".join(f'<TD ALIGN="LEFT" VALIGN="TOP" BALIGN="LEFT">{_policies(column)}</TD>' for column in columns)
    table = f"<TR>{cells}</TR>" if cells else ""
    span = f'COLSPAN="{max(1, len(columns))}" ALIGN="LEFT" BALIGN="LEFT"'
    return (
        '<<TABLE BORDER="0" CELLSPACING="8" CELLPADDING="0">'
        f'<TR><TD {span}><FONT POINT-SIZE="26" COLOR="{TEXT.light}"><B>{escape(graph.title)}</B></FONT></TD></TR>'
        f'<TR><TD {span}><FONT POINT-SIZE="12" COLOR="{QUIET.light}">{escape(graph.comment)}<BR/>'
        f'<FONT COLOR="{GOOD.light}"><B>A good night</B></FONT>, and <FONT COLOR="{BAD.light}">what becomes of trouble'
        f"</FONT>; dashed: an error is caught; a letter after retry: tried again as said here.</FONT></TD></TR>"
        f"{table}</TABLE>>"
    )


def _policies(policies: tuple[Policy, ...]) -> str:
    return "<BR/>".join(
        f'<FONT POINT-SIZE="10" COLOR="{TEXT.light}"><B>{policy.letter}</B>  {escape(policy.tries)}</FONT><BR/>'
        f'<FONT POINT-SIZE="9" COLOR="{QUIET.light}">'
        f"{'<BR/>'.join(map(escape, textwrap.wrap(policy.errors, _LEGEND_WRAPPED)))}</FONT>"
        for policy in policies
    )


def _left(lines: list[str]) -> str:
    return "".join(f'{line}<BR ALIGN="LEFT"/>' for line in lines)


def _part(part: Part, ids: Mapping[str, str], *, depth: int) -> Iterator[str]:
    pad = "  " * depth
    nodes = {node.name: node for node in part.nodes}
    for node in part.nodes:
        if node.parts:
            yield from (f"{pad}{line}" for line in _group(node, part, ids))
        else:
            yield f"{pad}{ids[node.name]} [{_look(node, part)}]"
    for lines in _bundled(part.edges):
        yield f"{pad}{_edge(lines, nodes, ids)}"
    for edge in part.edges:
        yield from (f"{pad}{line}" for line in _kept_apart(edge, nodes, ids))
    if depth > 1 and _is_chain(part):
        yield f"{pad}{{rank=same; {'; '.join(ids[node.name] for node in part.nodes)}}}"


def _is_chain(part: Part) -> bool:
    return (
        1 < len(part.nodes) <= _CHAIN
        and len(part.edges) == len(part.nodes) - 1
        and not any(node.parts for node in part.nodes)
    )


def _group(node: Node, part: Part, ids: Mapping[str, str]) -> Iterator[str]:
    yield f"subgraph cluster_{ids[node.name]} {{"
    border = BAD if node.trouble else EDGE_OF_GROUP
    yield (
        f'  graph [style="rounded,filled", fillcolor="{GROUP.light}", color="{border.light}", margin=12,'
        f" labeljust=l, tooltip={_quoted(node.comment or node.name)}, label={_words(node, part)}]"
    )
    for number, inner in enumerate(node.parts):
        if inner.title:
            yield f"  subgraph cluster_{ids[node.name]}_{number} {{"
            yield f'    graph [style="rounded,filled", fillcolor="{BRANCH.light}", color="{GOOD.light}", margin=12,'
            yield f"      label={_branch_words(inner)}]"
            yield from _part(inner, ids, depth=2)
            yield "  }"
        else:
            yield from _part(inner, ids, depth=2)
    yield "}"


def _branch_words(part: Part) -> str:
    words = f'<FONT POINT-SIZE="15" COLOR="{GOOD.light}"><B>{escape(part.title)}</B></FONT>'
    if not part.like:
        return f"<{_left([words])}>"
    same = f"what may go wrong: as in {escape(part.like)}"
    return f'<{_left([words, f"""<FONT POINT-SIZE="9" COLOR="{QUIET.light}">{same}</FONT>"""])}>'


def _look(node: Node, part: Part) -> str:
    shape, style = _SHAPES.get(node.kind, ("box", "rounded,filled"))
    fill, border = _FILLS.get(node.kind, (PLAIN, EDGE_OF_PLAIN))
    if node.trouble:
        fill, border = (BAD_TASK if node.kind == "Task" else fill), BAD
    if node.kind == "Succeed" or (node.ends and node.kind == "Pass" and not node.trouble):
        fill = border = DONE
    if node.kind == "Fail" or (node.ends and node.kind == "Pass" and node.trouble):
        fill = border = BAD
    width = 1.6 if not node.trouble and node.kind == "Task" else 1
    return (
        f'shape={shape}, style="{style}", fillcolor="{fill.light}", color="{border.light}", penwidth={width}, '
        f"tooltip={_quoted(node.comment or node.name)}, label={_words(node, part, full=fill == border)}"
    )


def _words(node: Node, part: Part, *, full: bool = False) -> str:
    ink = ON_FULL if full else TEXT
    lines = [f'<FONT COLOR="{ink.light}"><B>{escape(node.title)}</B></FONT>']
    facts = list(node.facts)
    if node.retries:
        facts.append(f"retry {' '.join(node.retries)}")
    lines += [f'<FONT POINT-SIZE="9" COLOR="{QUIET.light}">{escape(fact)}</FONT>' for fact in facts]
    lines += [
        f'<FONT POINT-SIZE="9" COLOR="{BAD.light}">{escape(edge.label)} → {escape(edge.target)}</FONT>'
        for edge in part.edges
        if edge.told and edge.source == node.name
    ]
    return f"<{_left(lines) if node.parts else '<BR/>'.join(lines)}>"


def _bundled(edges: tuple[Edge, ...]) -> list[list[Edge]]:
    """The transitions to draw: those between the same two states are one line."""
    bundles: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges:
        if not edge.told:
            bundles.setdefault((edge.source, edge.target), []).append(edge)
    return list(bundles.values())


def _edge(lines: list[Edge], nodes: Mapping[str, Node], ids: Mapping[str, str]) -> str:
    first = lines[0]
    source, target = nodes[first.source], nodes[first.target]
    tail, head = _last(source), _first(target)
    looks = [_colour(lines, back=[*nodes].index(first.target) <= [*nodes].index(first.source))]
    if words := [_label(edge) for edge in lines if edge.label]:
        looks.append(f"label={_quoted(' '.join(words))}".replace("\n", "\\n"))
    if source.parts:
        looks.append(f"ltail=cluster_{ids[source.name]}")
    if target.parts:
        looks.append(f"lhead=cluster_{ids[target.name]}")
    return f"{ids[tail]} -> {ids[head]} [{', '.join(looks)}]"


def _colour(lines: list[Edge], *, back: bool) -> str:
    if not all(edge.trouble for edge in lines):
        return f'color="{GOOD.light}", ' + ("penwidth=1.2" if back else "penwidth=2.2, weight=8")
    style = "dashed" if all(edge.way == "catch" for edge in lines) else "solid"
    return f'color="{BAD.light}", fontcolor="{BAD.light}", penwidth=1, style={style}'


def _label(edge: Edge) -> str:
    words = f"on {edge.label}" if edge.way == "catch" else edge.label
    return "\n".join(f" {line} " for line in textwrap.wrap(words, _WRAPPED, break_long_words=False))


def _kept_apart(edge: Edge, nodes: Mapping[str, Node], ids: Mapping[str, str]) -> Iterator[str]:
    """What follows a Parallel stands below all of its branches, and each branch below what comes before."""
    source, target = nodes[edge.source], nodes[edge.target]
    if edge.trouble:
        return
    for part in source.parts[1:]:
        for node in part.nodes:
            if node.ends:
                yield f"{ids[node.name]} -> {ids[_first(target)]} [style=invis]"
    for part in target.parts[1:]:
        yield f"{ids[_last(source)]} -> {ids[part.start]} [style=invis]"


def _first(node: Node) -> str:
    return _first_of(node.parts[0]) if node.parts else node.name


def _first_of(part: Part) -> str:
    if _is_chain(part):
        return part.nodes[len(part.nodes) // 2].name
    return _first(next(node for node in part.nodes if node.name == part.start))


def _last(node: Node) -> str:
    if not node.parts:
        return node.name
    if _is_chain(node.parts[0]):
        return _first(node)
    ends = [inner for inner in node.parts[0].nodes if inner.ends]
    return _last(next((end for end in ends if not end.trouble), ends[0]))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""Draws a graph as Mermaid text, which GitHub and editors show as a picture in any page."""

from collections.abc import Iterator, Mapping
from typing import Final

from nightlake.core.graph import Edge, Graph, Node, Part

_SHAPES: Final = {"Choice": ("{{", "}}"), "Wait": ("([", "])"), "Succeed": ("([", "])"), "Fail": ("([", "])")}
# Half-transparent fills look right on light and on dark pages.
_CLASSES: Final = (
    "classDef task fill:#15aabf33,stroke:#15aabf",
    "classDef plain fill:#adb5bd33,stroke:#adb5bd",
    "classDef choice fill:#fab00533,stroke:#fab005",
    "classDef wait fill:#845ef733,stroke:#845ef7",
    "classDef done fill:#2b8a3e,stroke:#2b8a3e,color:#fff",
    "classDef trouble fill:#fa525233,stroke:#fa5252",
    "classDef failed fill:#e03131,stroke:#e03131,color:#fff",
)
_GROUP: Final = "fill:#adb5bd11,stroke:#adb5bd"
_ENTITIES: Final = {ord(letter): f"#{ord(letter)};" for letter in '#"<>[]{}()|`'}
_GOOD: Final = "stroke:#15aabf,stroke-width:2px"
_TROUBLE: Final = "stroke:#fa5252"


def mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart, with a title and, below it, its retry policies."""
    ids: dict[str, str] = {}
    for part in graph.whole.walk():
        for node in part.nodes:
            ids[node.name] = f"s{len(ids)}"
    drawn = [edge for part in graph.whole.walk() for edge in part.edges if not edge.told]
    lines = [
        "---",
        f"title: {graph.title}",
        "config: {flowchart: {subGraphTitleMargin: {top: 4, bottom: 40}}}",
        "---",
        "flowchart TB",
        *_states(graph.whole, ids, depth=1),
        *(f"  {_arrow(edge, ids)}" for edge in drawn),
        *_retries(graph, below=ids[graph.whole.nodes[-1].name]),
        *(f"  {line}" for line in _CLASSES),
    ]
    for style, trouble in ((_GOOD, False), (_TROUBLE, True)):
        if numbers := [str(number) for number, edge in enumerate(drawn) if edge.trouble is trouble]:
            lines.append(f"  linkStyle {','.join(numbers)} {style}")
    return "\n".join(lines) + "\n"


def _states(part: Part, ids: Mapping[str, str], *, depth: int) -> Iterator[str]:
    pad = "  " * depth
    for node in part.nodes:
        if not node.parts:
            begin, end = _SHAPES.get(node.kind, ("[", "]"))
            yield f"{pad}{ids[node.name]}{begin}{_label(node, part)}{end}:::{_class(node)}"
            continue
        yield f"{pad}subgraph {ids[node.name]} [{_label(node, part)}]"
        yield f"{pad}  direction TB"
        for number, inner in enumerate(node.parts):
            if inner.title:
                yield f'{pad}  subgraph {ids[node.name]}_{number} ["{_text(inner.title)}{_like(inner)}"]'
                yield f"{pad}    direction TB"
                yield from _states(inner, ids, depth=depth + 2)
                yield f"{pad}  end"
                yield f"{pad}  style {ids[node.name]}_{number} {_GROUP}"
            else:
                yield from _states(inner, ids, depth=depth + 1)
        yield f"{pad}end"
        yield f"{pad}style {ids[node.name]} {_GROUP}"


def _label(node: Node, part: Part) -> str:
    facts = [*node.facts, *([f"retry {' '.join(node.retries)}"] if node.retries else [])]
    facts += [f"{edge.label} → {edge.target}" for edge in part.edges if edge.told and edge.source == node.name]
    if node.parts:
        facts = [", ".join(facts)] if facts else []  # Mermaid lays the inside over a longer heading
    lines = [f"<b>{_text(node.title)}</b>", *(f"<small>{_text(fact)}</small>" for fact in facts)]
    return f'"{"<br/>".join(lines)}"'


def _like(part: Part) -> str:
    return f"<br/><small>what may go wrong: as in {_text(part.like)}</small>" if part.like else ""


def _class(node: Node) -> str:
    if node.kind == "Fail" or (node.trouble and node.ends):
        return "failed"
    if node.kind == "Succeed" or (node.ends and node.kind == "Pass"):
        return "done"
    if node.trouble:
        return "trouble"
    return {"Task": "task", "Choice": "choice", "Wait": "wait"}.get(node.kind, "plain")


def _arrow(edge: Edge, ids: Mapping[str, str]) -> str:
    arrow = "-.->" if edge.way == "catch" else "-->"
    label = f'|"{_text(edge.label)}"|' if edge.label else ""
    return f"{ids[edge.source]} {arrow}{label} {ids[edge.target]}"


def _retries(graph: Graph, *, below: str) -> Iterator[str]:
    if graph.policies:
        rows = (
            f"<b>{policy.letter}</b> {_text(policy.tries)}<br/><small>{_text(policy.errors)}</small>"
            for policy in graph.policies
        )
        yield f'  retries["<b>Retries</b><br/>{"<br/>".join(rows)}"]:::plain'
        yield f"  {below} ~~~ retries"


def _text(text: str) -> str:
    return text.translate(_ENTITIES)

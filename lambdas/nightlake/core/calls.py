"""How many state transitions and calls of services a good night has at most, counted on its own state machine."""

from collections import Counter
from collections.abc import Mapping, Sequence

from nightlake.core.graph import Graph, Node, Part

TRANSITIONS = "transitions"
SHARDS = "shard_file"


def calls(graph: Graph, items: Mapping[str, int], shards: Sequence[int]) -> Counter[str]:
    """Transitions, and calls of each service (`lambda`, `glue`, `athena`), on the longest way of a good night.

    `items` are how many a Map goes over, by the last word of where it finds them; `shards` those of each branch of
    sources. Waiting for a delivery and cutting shards anew come on top: their loops are gone through once. The start of
    an execution, and of each child of a distributed Map, is a transition of its own.
    """
    return Counter({TRANSITIONS: 1}) + _part(graph.whole, {**items}, shards)


def _part(part: Part, items: Mapping[str, int], shards: Sequence[int]) -> Counter[str]:
    nodes = {node.name: node for node in part.nodes if not node.trouble}
    ahead: dict[str, list[str]] = {name: [] for name in nodes}
    for edge in part.edges:
        if not edge.trouble:
            ahead[edge.source].append(edge.target)
    costs = {name: _node(node, items, shards) for name, node in nodes.items()}

    def longest(name: str, behind: frozenset[str]) -> Counter[str]:
        behind |= {name}
        ways = (longest(target, behind) for target in dict.fromkeys(ahead[name]) if target not in behind)
        return costs[name] + max(ways, key=lambda way: way[TRANSITIONS], default=Counter())

    return longest(part.start, frozenset())


def _node(node: Node, items: Mapping[str, int], shards: Sequence[int]) -> Counter[str]:
    found = Counter({TRANSITIONS: 1})
    if node.service:
        found[node.service] += 1
    for number, part in enumerate(node.parts):
        if node.kind == "Parallel":
            own = {**items, SHARDS: shards[number]} if len(node.parts) == len(shards) else items
            found += _part(part, own, shards)
        else:
            child = _part(part, items, shards) + Counter({TRANSITIONS: 1 if node.items == SHARDS else 0})
            found += Counter({name: count * items[node.items] for name, count in child.items()})
    return found

"""Has Graphviz lay out a graph of states: a library of package.json, run by node."""

import subprocess

from nightlake.core.graph import Graph
from nightlake.core.graph_dot import dot, finished

from cli.errors import DrawingFailedError
from cli.paths import ROOT
from cli.tools import node_package


def draw(graph: Graph) -> str:
    """The graph as SVG that needs nothing besides itself; equal graphs give equal bytes.

    Raises:
        ToolMissingError: node or the library is not installed.
        DrawingFailedError: Graphviz did not draw it.
    """
    node_package("@viz-js/viz")
    command = ["node", str(ROOT / "cli/draw.mjs")]
    done = subprocess.run(command, input=dot(graph), capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        reason = done.stderr.strip() or f"exit code {done.returncode}"
        raise DrawingFailedError(f"Graphviz did not draw {graph.title}: {reason}. --out FILE.mmd needs no Graphviz.")
    return finished(done.stdout, title=graph.title)

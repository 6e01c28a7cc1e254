"""Draws how fast each contestant converts each file, as docs/benchmarks.svg."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Grouped bars: MB/s of one core, by file and contestant; what could not convert a file has none."""
    measured = [row for row in rows if row["cores"] == 1 and "error" not in row]
    shapes = list(dict.fromkeys(row["shape"] for row in measured))
    names = list(dict.fromkeys(row["contestant"] for row in measured))
    speeds = {(row["shape"], row["contestant"]): row["megabytes_per_second"] for row in measured}
    with plt.rc_context({"svg.hashsalt": "nightlake", "font.family": "sans-serif", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
        width = 0.8 / len(names)
        for number, name in enumerate(names):
            places = [index + (number - (len(names) - 1) / 2) * width for index in range(len(shapes))]
            axes.bar(places, [speeds.get((shape, name), 0) for shape in shapes], width, label=name)
        axes.axhline(78, color="gray", linewidth=1, linestyle=":", label="a Lambda's network card (78 MB/s)")
        axes.set_xticks(range(len(shapes)), shapes)
        axes.set_ylabel("MB/s of text on one core")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, ncols=2)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)

"""Draws what was measured: conversions as docs/benchmarks.svg, questions as docs/api-benchmark.svg."""

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


def draw_pairs(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Bars beside each other: milliseconds of each question by Nightlake and by DuckDB, and the GETs that it took."""
    with plt.rc_context({"svg.hashsalt": "nightlake", "font.family": "sans-serif", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
        places = range(len(rows))
        for shift, key, name in ((0.2, "nightlake_ms", "Nightlake"), (-0.2, "duckdb_ms", "DuckDB, warm")):
            axes.barh([-place + shift for place in places], [row[key] for row in rows], 0.4, label=name)
        axes.set_xscale("log")
        axes.set_xlabel("milliseconds, median")
        requests = [f"{row['question']}\n{row['requests']} GET{'s' * (row['requests'] != 1)}" for row in rows]
        axes.set_yticks([-place for place in places], requests)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def draw_recommenders(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Precision of each model with its bounds, the best above; ours and those of others in two colours."""
    with plt.rc_context({"svg.hashsalt": "nightlake", "font.family": "sans-serif", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(9, 0.28 * len(rows) + 0.8), layout="constrained")
        for by in dict.fromkeys(row["by"] for row in rows):
            own = [(-place, row) for place, row in enumerate(rows) if row["by"] == by]
            values = [row["precision"] for _, row in own]
            errors = [
                [row["precision"] - row["low"] for _, row in own],
                [row["high"] - row["precision"] for _, row in own],
            ]
            axes.barh([place for place, _ in own], values, 0.7, xerr=errors, label=by, error_kw={"linewidth": 0.8})
        axes.set_yticks([-place for place in range(len(rows))], [row["name"] for row in rows])
        axes.set_xlabel(f"precision at {rows[0]['k']}, and where it lies with 95 % confidence")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, loc="lower right")
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)

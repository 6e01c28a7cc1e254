"""Writes the generated parts of the docs from the code they describe: `make docs`; a test says when they are stale."""

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from contract_diagram import contract_diagram
from contract_reference import contract_words, model_keys, pipeline_keys
from nightlake.core.contract import load_pipeline
from nightlake.core.generated import generate
from nightlake.core.graph import folded
from nightlake.core.machine import ModelMachine

from cli.drawing import draw
from cli.graph import model_graph, night_graph
from infra.alarm_list import alarms_table
from infra.differences import differences_table
from infra.settings import load_settings
from local.seams import athena_list, seams_table

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MODEL_MACHINES = get_args(ModelMachine)


def states() -> str:
    """The states of the daily machine, one branch for all sources, as a table: name, type, its own comment."""
    machine, source = (
        json.loads((ROOT / f"statemachines/{name}.asl.json").read_text()) for name in ("daily", "source")
    )
    machine["States"]["IngestSources"]["Branches"] = [source]
    return _states(machine)


def model_states() -> str:
    """The states of each machine of a model."""
    machines = (json.loads((ROOT / f"statemachines/{kind}.asl.json").read_text()) for kind in MODEL_MACHINES)
    return "\n\n".join(f"{machine['Comment']}\n\n{_states(machine)}" for machine in machines)


def _states(machine: Mapping[str, Any]) -> str:
    rows = (f"| {name} | {state['Type']} | {state.get('Comment', '')} |" for name, state in _walk(machine))
    return "\n".join(["| state | type | what it does |", "|---|---|---|", *rows])


def _walk(machine: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, state in machine["States"].items():
        yield "&nbsp;&nbsp;" * depth + name, state
        inner = [state[key] for key in ("ItemProcessor",) if key in state] + state.get("Branches", [])
        for part in inner:
            yield from _walk(part, depth + 1)


def graphs() -> str:
    """The picture of every pipeline's night."""
    return "\n\n".join(f"![A night of {name}: its states and transitions](graphs/{name}.svg)" for name in _pipelines())


def model_graphs() -> str:
    """The picture of each machine of a model."""
    return "\n\n".join(f"![{kind}: its states and transitions](graphs/model-{kind}.svg)" for kind in MODEL_MACHINES)


def _pipelines() -> list[str]:
    return sorted(path.name.removesuffix(".asl.json") for path in (ROOT / "statemachines/rendered").glob("*.asl.json"))


def pictures() -> dict[Path, str]:
    """What `nightlake graph` draws of every pipeline, and of what is done with models, by file."""
    nights = {DOCS / f"graphs/{name}.svg": draw(folded(night_graph(name))) for name in _pipelines()}
    return nights | {DOCS / f"graphs/model-{kind}.svg": draw(model_graph(kind)) for kind in MODEL_MACHINES}


def errors() -> str:
    """The named errors as a table: name and docstring, without the bases that are never raised."""
    tree = ast.parse((ROOT / "lambdas/nightlake/core/errors.py").read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    told = {node.name: " ".join((ast.get_docstring(node) or "").split()) for node in classes if "Error" in node.name}
    rows = (f"| `{name}` | {text} |" for name, text in told.items() if "never raised itself" not in text)
    return "\n".join(["| error | when, and does a retry help |", "|---|---|", *rows])


def api_routes() -> str:
    """The routes of the query API as a table: path, and what the docstring says of the answer."""
    folder = ROOT / "lambdas/nightlake/handlers/api"
    listed = ast.parse((folder / "routes.py").read_text()).body[-1]
    files = [node.id for node in ast.walk(listed) if isinstance(node, ast.Name) and (folder / f"{node.id}.py").exists()]
    functions = [
        node
        for file in files
        for node in ast.parse((folder / f"{file}.py").read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]
    told = {
        route.replace("<", "{").replace(">", "}"): " ".join((ast.get_docstring(function) or "").split())
        for function in functions
        for decorator in function.decorator_list
        for route in _routes(decorator)
    }
    return "\n".join(["| route | answer |", "|---|---|", *(f"| `{route}` | {text} |" for route, text in told.items())])


def _routes(decorator: ast.expr) -> list[str]:
    match decorator:
        case ast.Call(
            func=ast.Attribute(attr="get" | "post" | "delete" as method), args=[ast.Constant(value=str(path))]
        ):
            return [f"{method.upper()} {path}"]
    return []


def settings() -> str:
    """Every setting with its value in each stage, as the code has it."""
    stages = {name: load_settings(name).model_dump(mode="json") for name in ("local", "dev", "prod")}
    keys = [key for key in stages["local"] if key != "stage"]
    rows = (f"| `{key}` | {' | '.join(f'`{json.dumps(values[key])}`' for values in stages.values())} |" for key in keys)
    return "\n".join([f"| setting | {' | '.join(stages)} |", "|---|---|---|---|", *rows])


def benchmark() -> str:
    """What `make bench` measured last, as a table."""
    measured = json.loads((DOCS / "benchmarks.json").read_text())
    head = ["file", "cores", "by", "MB/s", "x pyarrow", "peak MB", "Parquet MB", "rows", "refused"]
    lines = [f"| {' | '.join(head)} |", f"|---|---:|---|{'---:|' * 6}", *map(_measured, measured["rows"])]
    return "\n".join([f"Measured on {measured['measured_on']}: {measured['machine']}.", "", *lines])


def api_benchmark() -> str:
    """What `make bench-api` measured last, as a table."""
    measured = json.loads((DOCS / "api-benchmark.json").read_text())
    head = ["question", "rows", "requests", "ms", "DuckDB ms", "x DuckDB"]
    keys = ("question", "rows", "requests", "nightlake_ms", "duckdb_ms", "ratio")
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * 5}"]
    lines += [f"| {' | '.join(str(line[key]) for key in keys)} |" for line in measured["questions"]]
    size = f"{measured['rows']:,} rows in {measured['partitions']} partitions"
    told = [f"Measured on {measured['measured_on']}: {size}.", "", *lines]
    if load := measured.get("load"):
        statuses = ", ".join(f"{number:,} x {status}" for status, number in load["statuses"].items())
        asked = f"{load['clients']} clients for {load['seconds']:.0f} s before {load['workers']} workers"
        times = ", ".join(f"{part} of 100 within {load[f'p{part}_ms']:,} ms" for part in (50, 95, 99))
        told += ["", f"{asked}: {statuses}; waiting included, {times}; largest worker {load['largest_worker_mb']} MB."]
    return "\n".join(told)


def recommendation_benchmark() -> str:
    """What `benchmarks/recommend.py` measured last, as a table."""
    measured = json.loads((DOCS / "recommendation-benchmark.json").read_text())
    k = measured["k"]
    head = ["model", f"precision@{k}", "95 % within", "recall", "nDCG", "MAP", "coverage", "above popularity", "s"]
    told = f"{measured['interactions']:,} interactions of {measured['users']:,} users and {measured['items']:,} items"
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * 8}"]
    for row in measured["rows"]:
        name = f"**{row['name']}**" if row["by"] == "nightlake" else row["name"]
        figures = (f"{row[key]:.3f}" for key in ("recall", "ndcg", "map", "coverage"))
        above = f"{row['above_low']:+.3f} to {row['above_high']:+.3f}" if row["above_high"] else ""
        cells = [name, f"{row['precision']:.4f}", f"{row['low']:.3f} to {row['high']:.3f}", *figures, above]
        lines.append(f"| {' | '.join([*cells, str(row['seconds'])])} |")
    return "\n".join([f"Measured on {measured['measured_on']}: {measured['data']}, {told}.", "", *lines])


def _measured(row: Mapping[str, Any]) -> str:
    name = f"**{row['contestant']}**" if row["contestant"].startswith("nightlake") else row["contestant"]
    cells = [row["shape"], str(row["cores"]), name]
    if "error" in row:
        return f"| {' | '.join(cells)} | - | - | - | - | cannot | - |"
    keys = ("megabytes_per_second", "to_pyarrow", "rss_megabytes", "parquet_megabytes", "rows", "refused")
    return f"| {' | '.join([*cells, *(f'{row[key]:,}' for key in keys)])} |"


PARTS: Mapping[str, Callable[[], str]] = {
    "alarms": alarms_table,
    "api benchmark": api_benchmark,
    "api routes": api_routes,
    "athena": athena_list,
    "benchmark": benchmark,
    "states": states,
    "errors": errors,
    "graphs": graphs,
    "model graphs": model_graphs,
    "model keys": model_keys,
    "model states": model_states,
    "contract words": contract_words,
    "music tables": lambda: contract_diagram(load_pipeline(ROOT / "pipelines/music")),
    "pipeline keys": pipeline_keys,
    "recommendation benchmark": recommendation_benchmark,
    "seams": seams_table,
    "settings": settings,
    "template differences": differences_table,
}


def render(text: str) -> str:
    """The page with every `<!-- generated: part -->` ... `<!-- end -->` block filled anew."""
    return re.sub(
        r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)",
        lambda block: f"{block[1]}{PARTS[block[2]]().strip()}\n{block[3]}",
        text,
        flags=re.DOTALL,
    )


def main() -> int:
    """Rewrites what is stale; with `--check` only names it and ends with 1."""
    pages = {page: render(page.read_text()) for page in (ROOT / "README.md", *DOCS.glob("*.md"))}
    found = [*pages, *(DOCS / "graphs").glob("*.svg")]
    return generate(ROOT, pages | pictures(), found, check="--check" in sys.argv[1:], tell=sys.stdout.write)


if __name__ == "__main__":
    sys.exit(main())

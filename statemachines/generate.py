"""Writes `statemachines/rendered/*.asl.json` from the templates; `--check` only names what is stale."""

import json
import sys
from pathlib import Path

from nightlake.core.contract import load_pipelines
from nightlake.core.machine import read_templates, render

ROOT = Path(__file__).resolve().parents[1]
RENDERED = ROOT / "statemachines" / "rendered"


def main() -> int:
    """Brings the files in line with templates and pipelines, and removes those of pipelines that are no more."""
    check = "--check" in sys.argv[1:]
    templates = read_templates(ROOT / "statemachines")
    fresh = {
        RENDERED / f"{pipeline.name}.asl.json": json.dumps(render(pipeline, templates), indent=2) + "\n"
        for pipeline in load_pipelines(ROOT / "pipelines")
    }
    found = {path: path.read_text(encoding="utf-8") for path in RENDERED.glob("*.asl.json")}
    stale = sorted(path for path in fresh.keys() | found.keys() if fresh.get(path) != found.get(path))
    for path in stale:
        sys.stdout.write(f"{path.relative_to(ROOT)} {'is stale: make docs' if check else 'brought in line'}\n")
        if check:
            continue
        if path in fresh:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fresh[path], encoding="utf-8")
        else:
            path.unlink()
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

"""Writes `statemachines/rendered/*.asl.json` from the templates; `--check` only names what is stale."""

import json
import sys
from pathlib import Path

from nightlake.core.contract import load_pipelines
from nightlake.core.generated import generate
from nightlake.core.machine import read_templates, render

ROOT = Path(__file__).resolve().parents[1]
RENDERED = ROOT / "statemachines" / "rendered"


def main() -> int:
    """Brings the files in line with templates and pipelines, and removes those of pipelines that are no more."""
    templates = read_templates(ROOT / "statemachines")
    fresh = {
        RENDERED / f"{pipeline.name}.asl.json": json.dumps(render(pipeline, templates), indent=2) + "\n"
        for pipeline in load_pipelines(ROOT / "pipelines")
    }
    found = RENDERED.glob("*.asl.json")
    return generate(ROOT, fresh, found, check="--check" in sys.argv[1:], tell=sys.stdout.write)


if __name__ == "__main__":
    sys.exit(main())

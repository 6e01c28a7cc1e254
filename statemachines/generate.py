"""Writes what lies below `statemachines/rendered` from the templates; `--check` only names what is stale."""

import json
import sys
from pathlib import Path
from typing import get_args

from nightlake.core.contract import load_pipelines
from nightlake.core.generated import generate
from nightlake.core.machine import ModelMachine, read_templates, render, render_of_model

ROOT = Path(__file__).resolve().parents[1]
RENDERED = ROOT / "statemachines" / "rendered"
MODEL = RENDERED / "model"


def main() -> int:
    """Brings the files in line with templates and pipelines, and removes those of pipelines that are no more."""
    templates = read_templates(ROOT / "statemachines")
    definitions = {
        RENDERED / f"{pipeline.name}.asl.json": render(pipeline, templates)
        for pipeline in load_pipelines(ROOT / "pipelines")
    }
    definitions |= {MODEL / f"{kind}.asl.json": render_of_model(kind, templates) for kind in get_args(ModelMachine)}
    fresh = {file: json.dumps(definition, indent=2) + "\n" for file, definition in definitions.items()}
    found = RENDERED.rglob("*.asl.json")
    return generate(ROOT, fresh, found, check="--check" in sys.argv[1:], tell=sys.stdout.write)


if __name__ == "__main__":
    sys.exit(main())

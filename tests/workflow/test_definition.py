"""The committed definitions: fresh, accepted by three linters, and naming only errors that somebody raises."""

import json
import subprocess
import sys
from pathlib import Path

import botocore.session
import pytest
from nightlake.core.asl import SUBSTITUTIONS, lint_asl
from nightlake.core.asl_states import machines
from nightlake.core.machine import LABEL_LENGTH, read_templates, render
from nightlake.core.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "statemachines"
SALES = FOLDER / "rendered" / "sales.asl.json"
DEFINITIONS = [FOLDER / "backfill.asl.json", *sorted((FOLDER / "rendered").rglob("*.asl.json"))]
MEGABYTE = 1_000_000


def asl_validator(definition: Path) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "node_modules/.bin/asl-validator"), "--json-path", str(definition)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_rendered_definitions_are_fresh() -> None:
    command = [sys.executable, "statemachines/generate.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda path: path.name)
def test_our_linter_with_statelint_in_it_and_asl_validator_find_nothing(definition: Path) -> None:
    assert lint_asl(definition) == ()
    done = asl_validator(definition)
    assert done.returncode == 0, done.stdout + done.stderr


def test_asl_validator_finds_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "daily.asl.json"
    broken.write_text(SALES.read_text().replace('"Next": "Prepare"', '"Next": "Nowhere"'))
    done = asl_validator(broken)
    assert done.returncode != 0
    assert "Nowhere" in done.stdout + done.stderr


def test_the_definitions_use_the_names_that_the_linter_knows() -> None:
    text = "".join(definition.read_text() for definition in DEFINITIONS)
    assert [name for name in SUBSTITUTIONS if f"${{{name}}}" not in text] == []


@pytest.mark.parametrize("service", ["glue", "athena"])
def test_the_errors_of_a_service_that_they_name_are_errors_of_the_action(service: str) -> None:
    model = botocore.session.get_session().get_service_model(service)
    prefix = service.capitalize()
    # Every action of an integration can end in these; ThrottlingException is common to all of AWS.
    common = {"GlueException", "AmazonAthenaException", "SdkClientException", "ThrottlingException"}
    named = 0
    for machine in machines(json.loads(SALES.read_text())):
        for state in machine.states.values():
            _, found, action = str(state.body.get("Resource")).removesuffix(".sync").partition(f":{service}:")
            if not found:
                continue
            known = {
                shape.name for shape in model.operation_model(action[0].upper() + action[1:]).error_shapes
            } | common
            handlers = [handler for key in ("Retry", "Catch") for _, handler in state.items(key)]
            names = {name for handler in handlers for name in handler["ErrorEquals"] if name.startswith(prefix)}
            assert {name.removeprefix(f"{prefix}.") for name in names} <= known, state.name
            named += len(names)
    assert named


def test_a_pipeline_of_many_long_names_is_one_definition_that_step_functions_takes(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    source = pipeline.sources[0]
    names = ("a" * 90, "a" * 90 + "_b", *(f"dataset_{number}" for number in range(38)))
    many = tuple(source.model_copy(update={"dataset": name, "required": False}) for name in names)
    definition = render(pipeline.model_copy(update={"sources": many}), read_templates(FOLDER), convert_concurrency=7)
    file = tmp_path / "many.asl.json"
    file.write_text(json.dumps(definition, separators=(",", ":")))
    assert lint_asl(file) == ()
    assert file.stat().st_size < MEGABYTE
    maps = [
        state.body for machine in machines(definition) for state in machine.states.values() if "Label" in state.body
    ]
    assert len({each["Label"] for each in maps}) == len(names)
    assert {len(each["Label"]) <= LABEL_LENGTH for each in maps} == {True}
    assert {each["MaxConcurrency"] for each in maps} == {7}
    (rule,) = definition["States"]["AreAllSourcesGood"]["Choices"]
    assert len(rule["Or"]) == len(names)

"""docs/api-source.md: its examples can be declared, and it names every error of an API."""

import re
from pathlib import Path

import pytest
import yaml
from nightlake.core import errors
from nightlake.core.http_source import HttpSource
from nightlake.handlers import plan_http

PAGE = (Path(__file__).parents[2] / "docs" / "api-source.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_can_be_declared(example: str) -> None:
    said = {**yaml.safe_load(example), "dataset": "t"}
    columns = said.pop("columns", None)
    read = HttpSource.model_validate(
        {**said, "each": tuple(said.get("each", ()))} | ({"columns": columns} if columns else {}), strict=False
    )
    assert read.url in example


def test_every_error_of_an_api_is_explained() -> None:
    raised = set(re.findall(r"\w+Error\b", plan_http.handler.__doc__ or ""))
    explained = set(re.findall(r"^\| `(\w+Error)`", PAGE, re.MULTILINE))
    assert explained == raised - {"PipelineNotDeployedError", "SecretUnreadableError"}
    assert all(hasattr(errors, name) for name in explained)

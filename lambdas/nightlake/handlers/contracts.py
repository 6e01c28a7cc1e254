"""The compiled contracts that the deployment put beside this package, read once."""

from functools import cache

from nightlake.core.errors import PipelineNotDeployedError
from nightlake.core.pipeline import Pipeline
from nightlake.handlers.settings import settings


@cache
def pipelines() -> dict[str, Pipeline]:
    """Every deployed pipeline by its name."""
    files = sorted(settings().contracts.glob("*.json"))
    return {file.stem: Pipeline.model_validate_json(file.read_bytes()) for file in files}


def pipeline(name: str) -> Pipeline:
    """The deployed pipeline of this name. Raises PipelineNotDeployedError."""
    try:
        return pipelines()[name]
    except KeyError:
        known = ", ".join(pipelines()) or "none"
        raise PipelineNotDeployedError(f"Pipeline '{name}' is not in this deployment (it has: {known})") from None

"""What the deployment put beside the handlers, read once: the compiled contracts and the SQL of each pipeline."""

from functools import cache

from nightlake.core.errors import PipelineNotDeployedError
from nightlake.core.pipeline import Pipeline
from nightlake.core.sql_files import Folder
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


@cache
def statements(pipeline: str, folder: Folder) -> dict[str, str]:
    """The SQL files of one folder of a pipeline: name without suffix -> text, in the order of the names."""
    files = sorted((settings().sql / pipeline / folder).glob("*.sql"))
    return {file.stem: file.read_text() for file in files}

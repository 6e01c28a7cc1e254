"""The model that a pipeline declares, and the pipeline that publishes what it recommends."""

from nightlake.core.errors import NoModelDeclaredError
from nightlake.core.model.declaration import Recommender
from nightlake.core.pipeline import Pipeline
from nightlake.handlers.contracts import pipeline


def model_of(name: str) -> tuple[Pipeline, Recommender]:
    """The deployed pipeline and its model. Raises PipelineNotDeployedError or NoModelDeclaredError."""
    deployed = pipeline(name)
    if deployed.model is None:
        raise NoModelDeclaredError(
            f"Pipeline '{name}' has no model: write pipelines/{name}/model.yaml and deploy, or name another pipeline"
        )
    return deployed, deployed.model


def publisher_of(name: str) -> Pipeline:
    """The pipeline that the model delivers to. Raises PipelineNotDeployedError or NoModelDeclaredError."""
    return pipeline(model_of(name)[1].delivers_to)

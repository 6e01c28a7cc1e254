"""The pipelines of this checkout, for commands that name one."""

from datetime import UTC, date, datetime
from typing import Annotated

import typer
from nightlake.core.dates import business_date
from nightlake.core.model.declaration import Recommender
from nightlake.core.pipeline import Pipeline

from cli.errors import NoModelError, PipelineUnknownError
from cli.paths import ROOT

PipelineName = Annotated[str, typer.Argument(help="The pipeline, a folder of pipelines/.")]


def read_pipeline(name: str) -> Pipeline:
    """The pipeline of the folder pipelines/<name>.

    Raises:
        PipelineUnknownError: there is no such folder.
        ContractError: its files have problems.
    """
    from nightlake.core.contract import load_pipeline

    folders = {path.name: path for path in sorted((ROOT / "pipelines").glob("[!.]*")) if path.is_dir()}
    if name not in folders:
        raise PipelineUnknownError(f"pipelines/ has no pipeline {name!r}; it has: {', '.join(folders)}")
    return load_pipeline(folders[name])


def read_model(name: str) -> Recommender:
    """The model of the pipeline of that folder.

    Raises:
        PipelineUnknownError: there is no such folder.
        ContractError: its files have problems.
        NoModelError: it declares no model.
    """
    model = read_pipeline(name).model
    if model is None:
        raise NoModelError(f"Pipeline {name!r} has no model; pipelines/{name}/model.yaml would declare one")
    return model


def due_date(pipeline: Pipeline) -> date:
    """The business date of a night that starts now."""
    rule = pipeline.business_date
    return business_date(datetime.now(UTC), offset_days=rule.offset_days, timezone=rule.timezone)

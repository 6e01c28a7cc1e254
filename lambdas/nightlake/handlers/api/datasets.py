"""The routes about datasets: what they are, never their values."""

from aws_lambda_powertools.event_handler import Response

from nightlake.core.api.caller import READ
from nightlake.core.api.datasets import describe_dataset, list_datasets, newest_run
from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import answer, router


@router.get("/v1/datasets")
def get_datasets() -> Response[str]:
    """Every dataset and merge in short, with what is published of it."""
    asked.parameters_of()
    known = asked.visible(READ).values()
    return answer({"datasets": list_datasets(known, asked.published(), private=asked.private())})


@router.get("/v1/datasets/<name>")
def get_dataset(name: str) -> Response[str]:
    """One dataset with its columns, quality and days; 404 when no contract describes it."""
    asked.parameters_of()
    found = asked.dataset(name)
    pinned = asked.published().newest(found.pipeline.name)
    return answer(describe_dataset(found, pinned, newest_run(asked.lake(), pinned)))

"""The routes about what was run and published."""

from aws_lambda_powertools.event_handler import Response

from nightlake.core.api.caller import OPERATE
from nightlake.core.api.question import read_limit
from nightlake.core.api.runs import DEFAULT_LISTED, MAX_LISTED, find_run, list_runs
from nightlake.core.api.snapshots import list_snapshots
from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import answer, router


@router.get("/v1/runs")
def get_runs() -> Response[str]:
    """The last runs in short."""
    parameters = asked.parameters_of("pipeline", "limit")
    limit = read_limit(parameters, default=DEFAULT_LISTED, most=MAX_LISTED)
    return answer({"runs": list_runs(asked.lake(), asked.pipelines_of(parameters), limit)})


@router.get("/v1/runs/<run_id>")
def get_run(run_id: str) -> Response[str]:
    """The record of one run in full."""
    asked.parameters_of()
    return answer(find_run(asked.lake(), asked.visible(OPERATE), run_id))


@router.get("/v1/snapshots")
def get_snapshots() -> Response[str]:
    """The snapshots that are published or can be again."""
    parameters = asked.parameters_of("pipeline", "limit")
    limit = read_limit(parameters, default=DEFAULT_LISTED, most=MAX_LISTED)
    return answer({"snapshots": list_snapshots(asked.published(), asked.pipelines_of(parameters), limit)})

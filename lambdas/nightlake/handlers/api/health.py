"""Whether the API runs at all."""

from aws_lambda_powertools.event_handler import Response

from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import answer, router
from nightlake.handlers.contracts import pipelines
from nightlake.handlers.settings import settings


@router.get("/v1/health")
def get_health() -> Response[str]:
    """200 when the function runs and reads its contracts."""
    asked.parameters_of()
    known = [each for each in pipelines().values() if asked.caller().knows(each.name)]
    deployed = [{"name": each.name, "version": each.version} for each in known]
    return answer({"status": "ok", "stage": settings().stage, "pipelines": deployed})

"""The route about what is recommended to a user."""

from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response

from nightlake.core.api.caller import READ
from nightlake.core.api.question import read_limit
from nightlake.core.api.recommendations import MAX_LISTED, Lake, find_model, recommend
from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import answer, router


@router.get("/v1/recommendations/<user_id>")
def get_recommendations(user_id: str) -> Response[str]:
    """What the champion recommends to a user; to one it does not know, what is popular in their genre, or anywhere."""
    parameters = asked.parameters_of("limit", "genre", "pipeline")
    limit = read_limit(parameters, default=MAX_LISTED, most=MAX_LISTED)
    found = find_model(asked.visible(READ), parameters.get("pipeline"))
    lake = Lake(asked.lake(), asked.published(), asked.kept())
    return answer(recommend(lake, found, unquote(user_id), limit=limit, genre=parameters.get("genre")))

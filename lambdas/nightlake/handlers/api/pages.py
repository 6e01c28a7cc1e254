"""The route to the pages that runs leave: a link that ends soon, which a browser follows."""

from http import HTTPStatus
from typing import Final

from aws_lambda_powertools.event_handler import Response

from nightlake.adapters.s3 import Objects
from nightlake.core.api.caller import READ
from nightlake.core.api.pages import find_page
from nightlake.core.api.question import read_day
from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import router
from nightlake.handlers.settings import settings

LINK_SECONDS: Final = 300


@router.get("/v1/pages/<pipeline>")
def get_page(pipeline: str) -> Response[str]:
    """303 to the page of the newest run, of a business date if one is given."""
    day = read_day(asked.parameters_of("date"), "date")
    key = find_page(asked.lake(), asked.visible(READ), pipeline, day)
    link = Objects(settings().lake_bucket).link(key, seconds=LINK_SECONDS)
    # The link is a key to the page: nobody between keeps it.
    headers: dict[str, str | list[str]] = {"Location": link, "Cache-Control": "no-store"}
    return Response(status_code=HTTPStatus.SEE_OTHER.value, body="", headers=headers)

"""The route to the pages that runs leave: a link that ends soon, which a browser follows."""

from aws_lambda_powertools.event_handler import Response

from nightlake.core.api.caller import READ
from nightlake.core.api.pages import find_page
from nightlake.core.api.question import read_day
from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import answer_link, router


@router.get("/v1/pages/<pipeline>")
def get_page(pipeline: str) -> Response[str]:
    """303 to the page of the newest run, of a business date if one is given."""
    day = read_day(asked.parameters_of("date"), "date")
    return answer_link(find_page(asked.lake(), asked.visible(READ), pipeline, day))

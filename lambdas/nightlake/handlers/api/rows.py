"""The routes about the rows of a dataset."""

from aws_lambda_powertools.event_handler import Response

from nightlake.core.api import rows
from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import answer_rows, router


@router.get("/v1/datasets/<name>/rows")
def get_rows(name: str) -> Response[str]:
    """A page of a dataset's rows; every query parameter but a few is a condition on a column."""
    found = asked.dataset(name)
    pipeline = found.pipeline
    question = rows.ask(
        asked.published(),
        pipeline.name,
        name,
        router.current_event.multi_value_query_string_parameters,
        private=found.private,
        moment=found.moment,
    )
    snapshot = question.pinned.snapshot
    version = router.lambda_context.function_version
    parts = (pipeline.contract_hash, str(snapshot.number), snapshot.run_id, version)
    return answer_rows(parts, lambda: rows.answer(asked.kept(), question))

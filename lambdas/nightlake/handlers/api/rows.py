"""The routes about the rows of a dataset."""

import json

from aws_lambda_powertools.event_handler import Response

from nightlake.core.api import result, rows
from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import answer_if_new, etag, router


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
    tag = etag((pipeline.contract_hash, str(snapshot.number), snapshot.run_id, version))
    return answer_if_new(tag, lambda: json.dumps(result.body(rows.answer(asked.kept(), question))))

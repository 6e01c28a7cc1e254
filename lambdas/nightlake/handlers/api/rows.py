"""The routes about the rows of a dataset."""

from typing import Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response

from nightlake.core.api import aggregate, row_key, rows
from nightlake.core.api.published import Pinned
from nightlake.core.pipeline import Pipeline
from nightlake.handlers.api import asked
from nightlake.handlers.api.answers import answer_rows, router


@router.get("/v1/datasets/<name>/rows")
def get_rows(name: str) -> Response[Any]:
    """A page of a dataset's rows; every query parameter but a few is a condition on a column."""
    found = asked.dataset(name)
    question = rows.ask(
        asked.published(), found.pipeline.name, name, _parameters(), private=found.private, moment=found.moment
    )
    return answer_rows(_of(found.pipeline, question.pinned), lambda: rows.answer(asked.kept(), question))


@router.get("/v1/datasets/<name>/rows/<key>")
def get_row(name: str, key: str) -> Response[Any]:
    """The row of a primary key, of one day or of the newest that has it."""
    found = asked.dataset(name)
    question = row_key.ask(
        asked.published(),
        found.pipeline.name,
        name,
        _parameters(),
        primary_key=found.dataset.primary_key if found.dataset else (),
        text=unquote(key),
        private=found.private,
        moment=found.moment,
    )
    return answer_rows(_of(found.pipeline, question.pinned), lambda: row_key.answer(asked.kept(), question))


@router.get("/v1/datasets/<name>/aggregate")
def get_aggregate(name: str) -> Response[Any]:
    """Counts, sums and their like of a dataset's rows, grouped by columns and spans of time."""
    found = asked.dataset(name)
    question = aggregate.ask(
        asked.published(), found.pipeline.name, name, _parameters(), private=found.private, moment=found.moment
    )
    return answer_rows(_of(found.pipeline, question.pinned), lambda: aggregate.answer(asked.kept(), question))


def _parameters() -> dict[str, list[str]]:
    return router.current_event.multi_value_query_string_parameters


def _of(pipeline: Pipeline, pinned: Pinned) -> tuple[str, ...]:
    """What an answer depends on besides the question: contract, snapshot and code."""
    snapshot = pinned.snapshot
    return pipeline.contract_hash, str(snapshot.number), snapshot.run_id, router.lambda_context.function_version

"""Which page of a run the API shows: the newest there is, or that of a business date."""

from collections.abc import Collection
from datetime import date

from nightlake.core import layout
from nightlake.core.errors import PageNotFoundError
from nightlake.core.store import Store


def find_page(store: Store, pipelines: Collection[str], pipeline: str, day: date | None) -> str:
    """The key of the page of the newest run of one of these pipelines, of that day if one is given.

    Raises PageNotFoundError.
    """
    if pipeline not in pipelines:
        raise PageNotFoundError(f"There is no pipeline '{pipeline}'; there are: {', '.join(pipelines)}")
    keys = (found.key for found in store.list(layout.pages(pipeline, day)))
    newest = max(keys, key=lambda key: key.rpartition("/")[2], default=None)
    if newest is None:
        of_day = f" for {day}" if day else ""
        raise PageNotFoundError(f"No run of '{pipeline}'{of_day} has left a page; /v1/runs lists those that ended")
    return newest

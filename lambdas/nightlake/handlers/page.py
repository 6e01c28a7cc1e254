"""The page of a run, which Complete writes last: one that fails ends no night, but an alarm tells of it."""

from functools import cache

from nightlake.adapters.s3 import Objects
from nightlake.core.metrics import Measured
from nightlake.core.night_metrics import page_metric
from nightlake.core.page.assets import Assets, load_assets
from nightlake.core.page.write_page import write_page
from nightlake.core.run_record import RunRecord
from nightlake.handlers.contracts import pipeline, statements
from nightlake.handlers.settings import settings
from nightlake.handlers.task import logger


def write(record: RunRecord) -> Measured:
    """Write the page of a run whose record is written; the metric says whether that failed."""
    try:
        key, size = write_page(
            record,
            pipeline(record.pipeline),
            lake=Objects(settings().lake_bucket),
            sql=statements(record.pipeline, "reports"),
            assets=assets(),
        )
    except Exception:  # noqa: BLE001 - whatever it is, the data is published and the night is good
        logger.exception("The page of the run was not written")
        return page_metric(record.pipeline, failed=True)
    logger.info("Page written", key=key, bytes=size)
    return page_metric(record.pipeline, failed=False)


@cache
def assets() -> Assets:
    """What every page carries, read once."""
    return load_assets(settings().libraries)

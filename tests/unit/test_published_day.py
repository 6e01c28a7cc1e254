"""A new day is compared with what the newest day before it delivered, as HEAD has it."""

from datetime import date, timedelta

import pytest
from landed import DATABASES, SHOP, land
from memory_catalog import MemoryCatalog
from memory_objects import MemoryObjects
from nightlake.core import layout, lock
from nightlake.core.lock import Lock, Owner
from nightlake.core.publish import publish
from nightlake.core.published_day import published_before
from nightlake.core.seal import seal

DAY = date(2026, 1, 5)


@pytest.fixture
def lake() -> MemoryObjects:
    return MemoryObjects()


def night(lake: MemoryObjects, day: date, dataset: str, *days: date) -> None:
    """Publish one row of the dataset for each of these days, delivered on `day`."""
    run_id = f"run-{day}"
    verdict = land(lake, dataset, day, run_id, {dataset: [(each, f"{run_id} {each}") for each in days]})
    seal(lake, MemoryCatalog(), SHOP, staging_database=DATABASES.staging, day=day, run_id=run_id, validations=[verdict])
    owner = Owner(execution_id=run_id, run_id=run_id, since="2026-01-05T03:00:00+00:00")
    lake.put_model(layout.date_lock("shop", day), Lock(owner=owner))
    publish(lake, pipeline="shop", day=day, run_id=run_id, contract_hash="c", created_at="now", workers=1)
    lock.release(lake, layout.date_lock("shop", day), run_id)


def test_before_the_first_day_there_is_nothing(lake: MemoryObjects) -> None:
    assert published_before(lake, "shop", "daily", DAY) is None
    night(lake, DAY, "daily", DAY)
    assert published_before(lake, "shop", "daily", DAY) is None
    assert published_before(lake, "shop", "late", DAY + timedelta(days=1)) is None


def test_the_newest_earlier_day_counts_whatever_was_published_last(lake: MemoryObjects) -> None:
    third, first = DAY - timedelta(days=1), DAY - timedelta(days=3)
    night(lake, third, "daily", third, third)
    night(lake, first, "daily", first)
    night(lake, DAY, "daily", DAY, DAY, DAY)
    assert published_before(lake, "shop", "daily", DAY) == (third, 2)
    assert published_before(lake, "shop", "daily", third) == (first, 1)


def test_late_rows_count_for_the_day_that_delivered_them(lake: MemoryObjects) -> None:
    first, second = DAY - timedelta(days=2), DAY - timedelta(days=1)
    night(lake, first, "late", first, first)
    night(lake, second, "late", first, second, second)
    assert published_before(lake, "shop", "late", DAY) == (second, 3)
    assert published_before(lake, "shop", "late", second) == (first, 2)

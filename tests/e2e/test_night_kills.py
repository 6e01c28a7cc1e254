"""A night whose functions are killed from outside, again and again: readers see what was or what is published."""

import json
import random
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import psutil
import pytest
from nightlake.core import layout

from local.aws import Endpoint

pytestmark = pytest.mark.e2e

DAY = date(2017, 7, 3)
HEADER = (
    "household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,coupon_disc,coupon_match_disc,week,"
    "transaction_timestamp"
)
PRODUCT = {"product_id": 1, "manufacturer_id": 1, "department": "GROCERY", "brand": "National"}
CUSTOMERS = (
    "household_id,age,income,home_ownership,marital_status,household_size,household_comp,kids_count\n"
    "1,45-54,50-74K,Homeowner,Unmarried,1,1 Adult No Kids,0\n"
)
Sums = tuple[int, Decimal]


def delivery(rows: int, price: str) -> tuple[bytes, Sums]:
    """A day of `rows` sales at one price each, and what readers will see of it."""
    lines = [f"1,1,{n},1,1,{price},0.0,0.0,0.0,27,{DAY} 12:00:00" for n in range(rows)]
    return "\n".join([HEADER, *lines, ""]).encode(), (rows, rows * Decimal(price))


class Shop:
    """Lands the day's files; only the transactions ever differ."""

    def __init__(self, cloud: Endpoint, bucket: str) -> None:
        self._s3, self._bucket = cloud.client("s3"), bucket
        self._put("products", "products.json", json.dumps([PRODUCT]).encode())
        self._put("customers", "customers.csv", CUSTOMERS.encode())

    def deliver(self, transactions: bytes) -> None:
        self._put("transactions", "transactions.csv", transactions)

    def _put(self, source: str, name: str, body: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=f"sales/{source}/{DAY:%Y/%m/%d}/{name}", Body=body)


@pytest.fixture(scope="module")
def shop(cloud: Endpoint, outputs: dict[str, str]) -> Shop:
    return Shop(cloud, outputs["RawBucket"])


@pytest.fixture(scope="module")
def run(nightlake: Callable[..., Any]) -> Callable[[], dict[str, Any]]:
    """One night of the day, whatever comes of it."""

    def night() -> dict[str, Any]:
        done = nightlake("run", "sales", "--date", DAY.isoformat(), "--json")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return night


@pytest.fixture(scope="module")
def by_athena(select: Callable[[str], list[list[Any]]]) -> Callable[[], Sums]:
    """What a reader of Athena sees of the day."""
    year, month, day = layout.partition_values(DAY)
    sums = "SELECT count(*), CAST(coalesce(sum(sales_value), 0) AS varchar) FROM transactions"
    where = f"WHERE year = '{year}' AND month = '{month}' AND day = '{day}'"

    def ask() -> Sums:
        ((count, revenue),) = select(f"{sums} {where}")
        return int(count), Decimal(revenue)

    return ask


@pytest.fixture(scope="module")
def by_api(cloud: Endpoint, outputs: dict[str, str], api_key: str) -> Callable[[], Sums | None]:
    """What a reader of the API sees of the day; None where the function was killed before it answered."""
    base = f"{cloud.url}/restapis/{outputs['ApiId']}/{outputs['ApiStage']}/_user_request_"
    question = f"/v1/datasets/transactions/rows?date={DAY}&select=sales_value&limit=1000"
    context = ssl.create_default_context(cafile=str(cloud.ca_bundle))

    def ask() -> Sums | None:
        request = urllib.request.Request(base + question, headers={"x-api-key": api_key})  # noqa: S310
        try:
            with urllib.request.urlopen(request, context=context) as reply:  # noqa: S310
                rows = json.load(reply)["rows"]
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise
            return None
        return len(rows), sum((Decimal(row["sales_value"]) for row in rows), Decimal(0))

    return ask


class Background:
    """Calls `work` again and again on a thread of its own while it is entered; keeps what each call gave."""

    def __init__(self, work: Callable[[], Any], pause: float = 0) -> None:
        self._work, self._pause = work, pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go)
        self.seen: list[Any] = []
        self.failure: BaseException | None = None

    def __enter__(self) -> "Background":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.failure:
            raise self.failure

    def _go(self) -> None:
        try:
            while not self._stop.wait(self._pause):
                self.seen.append(self._work())
        except BaseException as error:  # noqa: BLE001 - raised again on the test's own thread
            self.failure = error


@pytest.fixture
def killer(workers: Callable[[str], list[psutil.Process]]) -> Callable[[int, str], Callable[[], bool]]:
    """killer(seed, names): kills one worker of these functions, if there is any."""

    def of(seed: int, names: str) -> Callable[[], bool]:
        chance = random.Random(seed)  # noqa: S311

        def kill() -> bool:
            found = workers(names)
            try:
                chance.choice(found).kill()
            except (IndexError, psutil.NoSuchProcess):
                return False
            return True

        return kill

    return of


@pytest.mark.parametrize(
    ("seed", "names"),
    [(1, "plan convert validate seal"), (2, "publish"), (3, "statement audit_merge publish report complete query")],
)
def test_readers_see_the_old_day_or_the_new_one_whatever_is_killed(
    *,
    shop: Shop,
    run: Callable[[], dict[str, Any]],
    by_athena: Callable[[], Sums],
    by_api: Callable[[], Sums | None],
    killer: Callable[[int, str], Callable[[], bool]],
    seed: int,
    names: str,
) -> None:
    old, old_sums = delivery(40 + seed, "1.25")
    new, new_sums = delivery(70 + seed, "2.10")
    shop.deliver(old)
    assert run()["status"] == "SUCCEEDED"
    assert (by_athena(), by_api()) == (old_sums, old_sums)

    shop.deliver(new)
    with (
        Background(by_athena, 0.3) as athena,
        Background(by_api, 0.05) as api,
        Background(killer(seed, names), 0.7) as kills,
    ):
        run()

    assert any(kills.seen), "nothing was killed"
    assert set(athena.seen) <= {old_sums, new_sums}
    assert set(api.seen) <= {old_sums, new_sums, None}
    assert set(api.seen) & {old_sums, new_sums}

    started = time.monotonic()
    while (answer := run())["status"] != "SUCCEEDED":  # the lock of a killed run's execution is taken over
        assert answer["error"] == "RunInProgressError", answer
        assert time.monotonic() < started + 120
    assert (by_athena(), by_api()) == (new_sums, new_sums)
    assert {source["dataset"]: source["rows"] for source in answer["sources"]}["transactions"] == new_sums[0]

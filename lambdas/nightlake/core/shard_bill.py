"""What the conversion of shards comes to, when it is reckoned before a night and when it is told after one."""

from typing import Final

from nightlake.core.prices import Bill, Item, Prices

CHILD_TRANSITIONS: Final = 2  # a child's start and its one state
# Requests that one shard of one Parquet file makes from Plan to Publish, as a test counts them: its bytes, receipts and
# footers that are looked at; the Parquet file, its receipt and its sealed copy, and what is listed (priced like a PUT).
SHARD_GETS: Final = 7
SHARD_PUTS: Final = 4


def conversion_bill(*, converted: int, gb_seconds: float, prices: Prices) -> tuple[Item, ...]:
    """What the conversion of so many shards came to, by the GB-seconds that they used."""
    bill = Bill(prices)
    bill.add("Lambda, time", gb_seconds, "GB-seconds", "lambda_gb_second")
    bill.add("Lambda, requests", converted, "requests", "lambda_request")
    bill.add("Step Functions", converted * CHILD_TRANSITIONS, "transitions", "transition")
    bill.add("S3, writing", converted * SHARD_PUTS, "requests", "s3_put")
    bill.add("S3, reading", converted * SHARD_GETS, "requests", "s3_get")
    return tuple(bill.items)

"""Nested JSON becomes columns of structs and arrays that Athena reads, with what is NULL, empty or absent."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from athena_lake import Lake, athena_lake
from json_shard import batches, dataset, source
from nightlake.core import column_type
from nightlake.core.cast import cast
from nightlake.core.value_parser import Reading

TYPES = {
    "id": "bigint",
    "buyer": "struct<name:string,since:date>",
    "items": "array<struct<price:decimal(6,2),tags:array<string>>>",
    "city": "string",
}
ORDERS = [
    (
        b'{"id":1,"address":{"city":"K\xc3\xb6ln"},"buyer":{"name":"a","since":"2020-02-29"},'
        b'"items":[{"price":1.50,"tags":["x","y"]},{"price":2,"tags":[]}]}'
    ),
    b'{"id":2,"buyer":null,"items":[],"address":null}',
    b'{"id":3,"buyer":{"name":null},"items":[null,{"tags":null}],"address":{}}',
    b'{"id":4}',
]


@pytest.fixture(params=["jsonl", "json"])
def lake(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    declared = source(format=request.param, columns={"city": "address.city"})
    body = b"\n".join(ORDERS) if request.param == "jsonl" else b"[" + b",".join(ORDERS) + b"]"
    with athena_lake(tmp_path, monkeypatch) as made:
        columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
        made(f"CREATE EXTERNAL TABLE orders ({columns}) STORED AS PARQUET LOCATION 's3://lake/orders/'")
        for number, batch in enumerate(batches(body, declared, dataset(**TYPES))):
            values = {
                name: cast(batch.columns[name], column_type.parse(kind), Reading.of(declared)).values
                for name, kind in TYPES.items()
            }
            assert not batch.refused
            if len(batch.positions):
                made.put(f"s3://lake/orders/{number}", values)
        yield made


def test_fields_of_structs_are_read(lake: Lake) -> None:
    query = "SELECT id, buyer IS NULL, buyer.name, cast(buyer.since AS varchar), city FROM orders ORDER BY id"
    assert lake.rows(query) == [
        (1, False, "a", "2020-02-29", "Köln"),
        (2, True, None, None, None),
        (3, False, None, None, None),
        (4, True, None, None, None),
    ]


def test_elements_of_arrays_are_read(lake: Lake) -> None:
    assert lake.rows("SELECT id, cardinality(items) FROM orders ORDER BY id") == [(1, 2), (2, 0), (3, 2), (4, None)]
    query = """
        SELECT id, price, cardinality(tags) FROM orders CROSS JOIN UNNEST(items) AS item (price, tags)
        WHERE price IS NOT NULL ORDER BY id, price
    """
    assert lake.rows(query) == [(1, Decimal("1.50"), 2), (1, Decimal("2.00"), 0)]

"""The files that conversion is measured on: seeded, of any size, each with the contract and source that describe it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

MONEY = pa.decimal128(12, 2)
SALES = {
    "id": pa.int64(),
    "customer_id": pa.int64(),
    "store_id": pa.int32(),
    "quantity": pa.int32(),
    "sales_value": MONEY,
    "retail_disc": MONEY,
    "coupon_disc": MONEY,
    "sold_at": pa.timestamp("ms"),
    "shipped_on": pa.date32(),
    "status": pa.string(),
    "comment": pa.string(),
    "score": pa.float64(),
}
WIDE = {f"c{number}": (pa.int64(), MONEY, pa.float64(), pa.string())[number % 4] for number in range(200)}
TEXT = {"id": pa.int64(), "title": pa.string(), "body": pa.string(), "footer": pa.string()}
STATUSES = pa.array(["OPEN", "PAID", "SENT", "CANCELED"])
WORDS = np.array("fresh milk,whole|bread|organic apples,red|cheese|paper towels|soup, can of|cereal box".split("|"))  # noqa: SIM905
BAD_EVERY = 100
NEWLINES = 0.1  # of the rows


@dataclass(frozen=True)
class Shape:
    """One kind of file: its columns, and what makes its `text` of so many rows from a row number on."""

    name: str
    columns: dict[str, pa.DataType]
    text: Callable[[np.random.Generator, int, int], bytes]
    format: str = "csv"
    block_rows: int = 50_000

    def write(self, path: Path, size: int) -> int:
        """Write about `size` bytes; gives the number of rows."""
        random, rows = np.random.default_rng(7), 0
        with path.open("wb") as file:
            if self.format == "csv":
                file.write((",".join(self.columns) + "\n").encode())
            while file.tell() < size:
                file.write(self.text(random, rows, self.block_rows))
                rows += self.block_rows
        return rows

    def contract(self, *, keys: bool = False) -> dict[str, Any]:
        """The ODCS contract: every column typed and required but `comment`, limits, an enum; the first column a key?"""
        properties = [_property(name, kind) for name, kind in self.columns.items()]
        if keys:
            properties[0]["primaryKey"] = True
        return {
            "apiVersion": "v3.2.0",
            "kind": "DataContract",
            "id": "bench",
            "version": "1.0.0",
            "status": "active",
            "schema": [
                {"name": "rows", "physicalType": "table", "properties": properties},
            ],
            "slaProperties": [
                {"property": "latency", "value": 30, "unit": "minutes"},
                {"property": "retention", "value": 2, "unit": "years"},
            ],
        }

    def pipeline(self) -> dict[str, Any]:
        """The pipeline.yaml beside it."""
        source = {
            "from": "s3",
            "path": f"bench/rows/{{date:%Y/%m/%d}}/*.{self.format}",
            "format": self.format,
            "ready": {"files": 1},
        }
        return {"schedule": {"cron": "0 3 * * ? *"}, "sources": {"rows": source}}


def _property(name: str, kind: pa.DataType) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, **_TYPES[kind], "required": name != "comment"}
    if name in {"sales_value", "retail_disc", "coupon_disc", "store_id"}:
        found["logicalTypeOptions"] = {"minimum": 0}
    if name == "quantity":
        found["logicalTypeOptions"] = {"minimum": 0, "maximum": 1000}
    if name == "status":
        found["enum"] = [{"value": value} for value in STATUSES.to_pylist()]
    return found


_TYPES: dict[pa.DataType, dict[str, str]] = {
    pa.int64(): {"logicalType": "integer", "physicalType": "bigint"},
    pa.int32(): {"logicalType": "integer", "physicalType": "int"},
    MONEY: {"logicalType": "number", "physicalType": "decimal(12,2)"},
    pa.float64(): {"logicalType": "number", "physicalType": "double"},
    pa.timestamp("ms"): {"logicalType": "timestamp"},
    pa.date32(): {"logicalType": "date"},
    pa.string(): {"logicalType": "string"},
}


def _sales(random: np.random.Generator, first: int, rows: int) -> dict[str, pa.Array]:
    def cents(most: int) -> pa.Array:
        return pa.array(random.integers(0, most, rows) / 100).cast(MONEY)

    days = random.integers(17167, 17532, rows)
    words = np.char.add(np.char.add(random.choice(WORDS, rows), " "), random.choice(WORDS, rows))
    return {
        "id": pa.array(np.arange(first, first + rows)),
        "customer_id": pa.array(random.integers(0, 1_000_000, rows)),
        "store_id": pa.array(random.integers(0, 500, rows)),
        "quantity": pa.array(random.integers(1, 10, rows)),
        "sales_value": cents(100_000),
        "retail_disc": cents(1_000),
        "coupon_disc": cents(100),
        "sold_at": pa.array(days * 86400 + random.integers(0, 86400, rows)).cast(pa.timestamp("s")),
        "shipped_on": pa.array((days + 2).astype(np.int32)).cast(pa.date32()),
        "status": STATUSES.take(pa.array(random.integers(0, 4, rows))),
        "comment": pa.array(words),
        "score": pa.array(random.random(rows)),
    }


def _csv(columns: dict[str, pa.Array]) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.csv.WriteOptions(include_header=False, quoting_style="needed")
    pa.csv.write_csv(pa.table(columns), sink, options)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _narrow(random: np.random.Generator, first: int, rows: int) -> bytes:
    return _csv(_sales(random, first, rows))


def _newlines(random: np.random.Generator, first: int, rows: int) -> bytes:
    columns = _sales(random, first, rows)
    long = pc.replace_substring(columns["comment"], " ", "\n")
    columns["comment"] = pc.if_else(pa.array(random.random(rows) < NEWLINES), long, columns["comment"])
    return _csv(columns)


def _bad(random: np.random.Generator, first: int, rows: int) -> bytes:
    lines = _narrow(random, first, rows).splitlines(keepends=True)
    for number in range(0, rows, BAD_EVERY):
        lines[number] = next(_damaged(lines[number], number // BAD_EVERY % 5))
    return b"".join(lines)


def _damaged(line: bytes, kind: int) -> Iterator[bytes]:
    head, _, tail = line.partition(b",")
    yield (
        head + b",x" + tail,  # no number
        tail,  # a field less
        line.replace(b"20", b"2O", 1),  # no year
        head + b'"' + b"," + tail,  # a stray quote
        line.replace(b".", b".-", 1),  # no decimal
    )[kind]


def _wide(random: np.random.Generator, first: int, rows: int) -> bytes:
    parts = [random.integers(0, 10**6, rows) for _ in range(8)]
    kinds = {
        pa.int64(): [pa.array(part) for part in parts],
        MONEY: [pa.array(part / 100).cast(MONEY) for part in parts],
        pa.float64(): [pa.array(random.random(rows)) for _ in parts],
        pa.string(): [pa.array(part % 1000).cast(pa.string()) for part in parts],
    }
    columns = {name: kinds[kind][number // 4 % 8] for number, (name, kind) in enumerate(WIDE.items())}
    return _csv({**columns, "c0": pa.array(np.arange(first, first + rows))})


def _text(random: np.random.Generator, first: int, rows: int) -> bytes:
    sentences = [" ".join(random.choice(WORDS, 18)) for _ in range(2000)]
    texts = {name: pa.array(random.choice(np.array(sentences), rows)) for name in ("title", "body", "footer")}
    return _csv({"id": pa.array(np.arange(first, first + rows)), **texts})


def _jsonl(random: np.random.Generator, first: int, rows: int) -> bytes:
    parts: list[Any] = []
    for number, (name, values) in enumerate(_sales(random, first, rows).items()):
        texts = values.cast(pa.string())
        quote = '"' if name in {"sold_at", "shipped_on", "status", "comment"} else ""
        parts += [("," if number else "{") + json.dumps(name) + ":" + quote, texts, quote]
    lines = pc.binary_join_element_wise(*parts, "}\n", "")
    return b"".join(line.as_buffer() for line in lines)


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("narrow", SALES, _narrow),
        Shape("wide", WIDE, _wide, block_rows=5_000),
        Shape("text", TEXT, _text, block_rows=10_000),
        Shape("newlines", SALES, _newlines),
        Shape("bad", SALES, _bad),
        Shape("jsonl", SALES, _jsonl, "jsonl"),
    )
}

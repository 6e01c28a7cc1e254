"""Landed answers read back: rows and columns mean the same, and what is beside the records comes with them."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from http_world import Api, World, answer, asked, dataset, source
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nightlake.core.errors import AnswerShapeError, HeaderMismatchError, JsonSyntaxError
from nightlake.core.http_exchange import HttpAnswer
from nightlake.core.pipeline import Column, Dataset

TYPES = {
    "id": "bigint",
    "price": "decimal(6,2)",
    "size": "double",
    "good": "boolean",
    "name": "string",
    "at": "timestamp",
    "tags": "array<string>",
}
HOURLY = """{
  "latitude": 50.7, "utc_offset_seconds": 0, "hourly_units": {"time": "iso8601", "temperature_2m": "\u00b0C"},
  "hourly": {
    "time": ["2025-05-09T00:00", "2025-05-09T01:00", "2025-05-09T02:00"],
    "temperature_2m": [11.5, -0.25, null]
  }
}"""
WEATHER = {"records": "hourly", "layout": "columns", "timestamp_formats": ["%Y-%m-%dT%H:%M"]}


def world(body: object, types: Mapping[str, str], **fields: Any) -> World:
    return World(source(**fields), Api(lambda _: answer(body)), dataset(**types))


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.integers(-100, 100),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.decimals(-9999, 9999, places=2).map(float),
    st.text(max_size=4),
    st.sampled_from(["1", "1.5", "true", "2025-05-09 01:02:03", "", "n/a", "-0", "1e3", "\ud800", "a\nb"]),
    st.lists(st.text(max_size=2), max_size=2),
    st.dictionaries(st.sampled_from("ab"), st.integers(), max_size=2),
)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.fixed_dictionaries(dict.fromkeys(TYPES, SCALARS)), min_size=1, max_size=6),
    indent=st.sampled_from([None, 1]),
    nulls=st.sampled_from([[], ["n/a"], ["", "1"]]),
)
@example(rows=[dict.fromkeys(TYPES, "1")], indent=None, nulls=["", "1"])
@example(rows=[dict.fromkeys(TYPES, 1)], indent=None, nulls=["", "1"])
def test_columns_mean_what_the_same_rows_mean(rows: list[dict[str, Any]], indent: int | None, nulls: list[str]) -> None:
    columns = {name: [row[name] for row in rows] for name in TYPES}
    by_rows = world(json.dumps({"r": rows}, indent=indent), TYPES, records="r", nulls=nulls)
    by_columns = world(json.dumps({"r": columns}, indent=indent), TYPES, records="r", layout="columns", nulls=nulls)
    wanted, found = by_rows.rows(by_rows.extract()), by_columns.rows(by_columns.extract())
    for row, expected, got in zip(rows, wanted, found, strict=True):
        # A row is refused as a whole, of columns the value that has half a character.
        if "\ud800" in json.dumps(row, ensure_ascii=False):
            assert len(expected) == 1
            assert any("characters" in str(value) or "not" in str(value) for value in got)
        else:
            assert got == expected


@settings(deadline=None, max_examples=30)
@given(
    rows=st.lists(st.fixed_dictionaries(dict.fromkeys(("id", "name", "price", "tags"), SCALARS)), max_size=6),
    names=st.lists(st.text(max_size=3), min_size=6, max_size=6, unique=True),
    indent=st.sampled_from([None, 1]),
    on_drift=st.sampled_from(["ignore", "evolve"]),
)
def test_records_mean_the_same_whatever_holds_them(
    rows: list[dict[str, Any]], names: list[str], indent: int | None, on_drift: str
) -> None:
    types = {name: TYPES[name] for name in ("id", "name", "price", "tags")}
    listed = world(json.dumps(rows, indent=indent), types)
    wanted = listed.rows(listed.extract())
    keyed = dict(zip(names, rows, strict=False))
    places = {name: str(place) for place, name in enumerate(types)}
    shapes: list[tuple[str, dict[str, Any]]] = [
        ("\r\n".join(map(json.dumps, rows)), {"layout": "lines"}),
        (json.dumps(keyed, indent=indent), {"layout": "keyed"}),
        (
            json.dumps([[row[name] for name in types] for row in rows], indent=indent),
            {"layout": "arrays", "columns": places},
        ),
        (json.dumps([[*types], *([row[name] for name in types] for row in rows)], indent=indent), {"layout": "table"}),
        (json.dumps([{"r": row} for row in rows], indent=indent), {"split": "", "records": "r"}),
        (json.dumps({"days": [{"r": rows}, {"r": []}]}, indent=indent), {"split": "days", "records": "r"}),
    ]
    for body, fields in shapes:
        held = world(body, types, on_drift=on_drift, **fields)
        assert held.rows(held.extract()) == wanted


def test_a_record_in_an_object_knows_its_name() -> None:
    found = world(
        {"r": {"a": {"id": 1}, "b": 2, "c": {}, "d": {"$key": "x"}}},
        {"name": "string", "id": "bigint", "size": "double"},
        records="r",
        layout="keyed",
        columns={"name": "$key", "size": "$value"},
    )
    twice = ("has '$key' twice in one object",)
    assert found.rows(found.extract()) == [("a", 1, None), ("b", None, 2.0), ("c", None, None), twice]


def test_what_is_beside_the_records_comes_with_each_of_them() -> None:
    columns = {"city": "$request.city", "latitude": "$.latitude", "unit": "$.hourly_units.temperature_2m"}
    types = {"city": "string", "time": "timestamp", "latitude": "decimal(5,2)", "temperature_2m": "double"}
    cities = [{"city": "Bonn"}, {"city": "Rom"}]
    found = world(HOURLY, {**types, "unit": "string"}, each=cities, query={"q": "{city}"}, columns=columns, **WEATHER)
    times = [datetime.fromisoformat(f"2025-05-09T{hour:02}:00") for hour in range(3)]
    assert found.rows(found.extract()) == [
        (city, time, Decimal("50.70"), value, "\u00b0C")
        for city in ("Bonn", "Rom")
        for time, value in zip(times, [11.5, -0.25, None], strict=True)
    ]


def test_pages_keep_what_their_own_answer_says() -> None:
    def serve(request: Any) -> HttpAnswer:
        page = int(asked(request)["page"])
        items = [{"id": 10 * page + number} for number in range(page)] if page < 4 else []
        return answer({"items": items, "token": f"page {page}"})

    found = World(
        source(pages={"by": "page"}, records="items", columns={"page": "$.token"}),
        Api(serve),
        dataset(id="bigint", page="string"),
    )
    assert found.rows(found.extract()) == [
        (10, "page 1"), (20, "page 2"), (21, "page 2"), (30, "page 3"), (31, "page 3"), (32, "page 3")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "records", "ids"),
    [
        ([{"id": 1}, {"id": 2}], "", [1, 2]),
        ({"id": 7}, "", [7]),
        ({"a": {"b": [{"id": 1}]}}, "a.b", [1]),
        ({"a": {"b": {"id": 1}}}, "a.b", [1]),
        ({"other": [{"id": 9}], "a": {"x": {"b": []}, "b": [{"id": 1}], "y": "}]"}}, "a.b", [1]),
        ({"a": []}, "a", []),
        ('\ufeff {"a" : [ {"id" : 1 } , {"id":2} ] } \n', "a", [1, 2]),
    ],
)
def test_records_are_found_where_they_are(body: object, records: str, ids: list[int]) -> None:
    found = world(body, {"id": "bigint"}, records=records)
    assert found.rows(found.extract()) == [(number,) for number in ids]


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("application/json", "utf-8"),
        ("application/json", "utf-8-sig"),
        ("application/json", "utf-16"),
        ("application/json; charset=ISO-8859-1", "latin-1"),
        ('application/json; charset="windows-1252"', "cp1252"),
        ("application/json; charset=utf-16le", "utf-16-le"),
    ],
)
def test_a_text_is_read_in_the_charset_of_its_answer(content_type: str, encoding: str) -> None:
    body = '[{"name": "caf\u00e9"}]'.encode(encoding)
    found = World(
        source(), Api(lambda _: HttpAnswer(200, {"content-type": content_type}, body)), dataset(name="string")
    )
    assert found.rows(found.extract()) == [("caf\u00e9",)]


def test_a_wrong_byte_refuses_its_record_alone() -> None:
    body = b'[{"name": "a"}, {"name": "caf\xe9"}, {"name": "b"}]'
    found = World(source(), Api(lambda _: HttpAnswer(200, {}, body)), dataset(name="string"))
    reason = "has bytes that are not in the declared encoding"
    assert found.rows(found.extract()) == [("a",), (reason,), ("b",)]
    assert found.receipts(found.extract())[0].quarantined == 1


def test_a_value_that_is_no_json_refuses_its_record_alone() -> None:
    body = '{"r": {"id": [1, NaN, 3, 1e999999999999999999999], "name": ["a", "b", "c", "d"]}}'
    found = world(body, {"id": "bigint", "name": "string"}, records="r", layout="columns")
    rows = found.rows(found.extract())
    assert [row[0] for row in rows] == [
        1, "has NaN, which is not JSON", 3, "has a number that no computer can hold"
    ]  # fmt: skip
    receipt = found.receipts(found.extract())[0]
    assert (receipt.records, receipt.rows, receipt.quarantined) == (4, 2, 2)


def test_columns_that_are_missing_or_new_are_drift() -> None:
    types = {"time": "timestamp", "rain": "double"}
    strict = world(HOURLY, types, **WEATHER)
    with pytest.raises(HeaderMismatchError, match=r"'rain' is missing.*'temperature_2m' is not declared"):
        strict.extract()
    lenient = world(HOURLY, types, on_drift="ignore", **WEATHER)
    assert [row[1] for row in lenient.rows(lenient.extract())] == [None, None, None]
    assert lenient.receipts(lenient.extract())[0].extra_columns == ("temperature_2m",)
    evolving = world(HOURLY, types, on_drift="evolve", **WEATHER)
    receipt = evolving.receipts(evolving.extract())[0]
    assert (receipt.rows, receipt.extra_columns) == (3, ("temperature_2m",))
    assert _table(evolving, receipt)["temperature_2m"] == ["11.5", "-0.25", None]


def test_columns_that_were_missing_are_asked_for_again() -> None:
    bodies = ['{"hourly": {"time": ["2025-05-09T00:00"]}}', HOURLY]
    found = World(
        source(**WEATHER), Api(lambda _: answer(bodies.pop(0))), dataset(time="timestamp", temperature_2m="double")
    )
    with pytest.raises(HeaderMismatchError, match="'temperature_2m' is missing"):
        found.extract()
    assert len(found.rows(found.extract())) == 3


def test_a_landed_answer_is_judged_by_the_contract_of_its_replay() -> None:
    found = world(HOURLY, {"time": "timestamp", "temperature_2m": "double"}, **WEATHER)
    delivery = found.extract()
    found.dataset = dataset(time="timestamp", rain="double")
    with pytest.raises(HeaderMismatchError, match="'rain' is missing"):
        found.rows(delivery)


def _table(of: World, receipt: Any) -> dict[str, list[Any]]:
    import io

    import pyarrow.parquet as pq

    (file,) = receipt.files
    table: dict[str, list[Any]] = pq.read_table(io.BytesIO(of.lake.get(file.key))).to_pydict()
    return table


def test_what_is_private_is_masked_in_quarantine_whatever_the_layout() -> None:
    private = Dataset(
        name="t", columns=(Column(name="id", type="bigint"), Column(name="email", type="string", private=True))
    )
    for layout, body in (("rows", [{"id": "x", "email": "a@b"}]), ("columns", {"id": ["x"], "email": ["a@b"]})):
        found = World(source(layout=layout), Api(lambda _, body=body: answer(body)), private)  # type: ignore[misc]
        receipt = found.receipts(found.extract())[0]
        assert receipt.quarantine is not None
        assert b"a@b" not in found.quarantine.get(receipt.quarantine.key)
        assert receipt.quarantined == 1


def test_records_that_the_landed_object_does_not_have_are_noticed() -> None:
    found = world([{"id": 1}, {"id": 2}], {"id": "bigint"})
    delivery = found.extract()
    assert [shard.records for shard in found.shards(delivery)] == [2]
    assert [piece.records for piece in found.receipts(delivery)] == [2]


def test_an_object_that_nobody_landed_has_a_name() -> None:
    found = world([{"id": 1}], {"id": "bigint"})
    delivery = found.extract()
    shard = found.shards(delivery)[0]
    for body, error in ((b"no envelope\n", JsonSyntaxError), (b'{"body": "{}", "request": {}}\n', AnswerShapeError)):
        found.source = source(records="items")
        found.raw.put(shard.object.key, body)
        info = found.raw.head(shard.object.key)
        assert info is not None
        item = shard.object.model_copy(update={"version_id": info.version_id, "size": info.size})
        with pytest.raises(error):
            found.rows(type(delivery)((item,), "", records=(0,)))

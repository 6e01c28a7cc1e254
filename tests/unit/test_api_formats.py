"""Rows in the format that a caller accepts: chosen, written and read back, whole, by readers that are not ours."""

import base64
import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightlake.core import column_type
from nightlake.core.api import formats
from nightlake.core.api.result import Result, records
from nightlake.core.errors import NotAcceptableError
from nightlake.core.pipeline import Column
from nightlake.handlers.api import asked
from nightlake.handlers.query import handler
from published_lake import PublishedLake, Row

DAY = date(2017, 6, 12)
HOSTILE = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "", " ", None, 'a"b', "a,b", "a\r\nb", "é", "\x00", "'x"]
COLUMNS = {
    "name": "string",
    "amount": "decimal(12,2)",
    "number": "bigint",
    "share": "double",
    "good": "boolean",
    "day": "date",
    "at": "timestamp",
    "tags": "array<string>",
}


def hostile() -> pa.Table:
    """A row for each hostile text; what stands beside it is negative, none or no number."""
    size = len(HOSTILE)
    moment = datetime(2017, 6, 12, 8, 15, 0, 1000, UTC).replace(tzinfo=None)
    return pa.table(
        {
            "name": pa.array(HOSTILE, "string"),
            "amount": pa.array([Decimal("-4.20"), None] * (size // 2) + [Decimal(0)], pa.decimal128(12, 2)),
            "number": pa.array([-(2**63)] * size, "int64"),
            "share": pa.array([float("nan"), float("-inf"), -0.5] * (size // 3), "float64"),
            "good": pa.array([True, False, None] * (size // 3), "bool"),
            "day": pa.array([DAY] * size, "date32"),
            "at": pa.array([moment] * size, pa.timestamp("ms")),
            "tags": pa.array([["=x", '"']] * size, pa.list_(pa.string())),
        }
    )


def answered() -> Result:
    """The hostile rows as an answer."""
    columns = tuple((name, column_type.parse(kind)) for name, kind in COLUMNS.items())
    return Result("sales", 3, DAY, DAY, (DAY,), columns, hostile())


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", formats.JSON),
        ("*/*", formats.JSON),
        ("text/csv", formats.CSV),
        ("TEXT/CSV; charset=utf-8", formats.CSV),
        ("text/*", formats.CSV),
        ("application/*", formats.JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", formats.JSON),
        ("text/csv;q=0.5, application/json;q=0.4", formats.CSV),
        ("text/csv, application/x-ndjson", formats.CSV),
        ("application/x-ndjson, text/csv", formats.JSON_LINES),
        ("application/json;q=0, */*", formats.CSV),
        ("*/*;q=0.1, application/vnd.apache.parquet", formats.PARQUET),
        ("application/vnd.apache.arrow.stream", formats.ARROW),
        ("nonsense, text/csv", formats.CSV),
    ],
)
def test_the_format_is_the_one_that_is_liked_best(accept: str, chosen: str) -> None:
    assert formats.choose(accept, formats.FORMATS) == chosen


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;q=0", "*/*;q=0", "json", "text/csv," * 200, ",", "a/b/c"]
)
def test_who_accepts_nothing_that_is_here_is_told_what_is(accept: str) -> None:
    with pytest.raises(NotAcceptableError, match="there are: application/json, text/csv"):
        formats.choose(accept, formats.FORMATS)


@given(st.text(max_size=60) | st.from_regex(r"[*a-z/]{1,9}(;q=[0-9.]{1,4})?(, ?[*a-z/]{1,9}){0,3}", fullmatch=True))
def test_any_header_is_read(accept: str) -> None:
    with suppress(NotAcceptableError):
        assert formats.choose(accept, formats.FORMATS) in formats.FORMATS
    assert formats.accepts_gzip(accept) in (True, False)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.0", False), ("", False), ("br", False)],
)
def test_gzip_is_for_who_wants_it(header: str, wanted: bool) -> None:
    assert formats.accepts_gzip(header) is wanted


def test_json_and_json_lines_have_the_same_rows() -> None:
    result = answered()
    expected = json.loads(json.dumps(list(records(result))))
    assert json.loads(formats.write(result, formats.JSON))["rows"] == expected
    lines = formats.write(result, formats.JSON_LINES).decode().split("\n")
    assert [json.loads(line) for line in lines[:-1]] == expected
    assert lines[-1] == ""


def test_arrow_and_parquet_have_the_rows_as_they_lie() -> None:
    result = answered()
    streamed = pa.ipc.open_stream(formats.write(result, formats.ARROW)).read_all()
    stored = pq.read_table(io.BytesIO(formats.write(result, formats.PARQUET)))
    for table in (streamed, stored):
        assert table.drop_columns("share").equals(hostile().drop_columns("share"))
        assert str(table["share"].to_pylist()) == str(hostile()["share"].to_pylist())


def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers() -> None:
    text = formats.write(answered(), formats.CSV).decode()
    header, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == list(COLUMNS)
    expected = [f"'{each}" if each and each[0] in "=+-@\t\r" else each or "" for each in HOSTILE]
    assert [line[0] for line in lines] == expected
    assert {line[1] for line in lines} == {"-4.20", "", "0.00"}
    assert {line[2] for line in lines} == {str(-(2**63))}
    assert {line[3] for line in lines} == {"NaN", "-Infinity", "-0.5"}
    assert {line[4] for line in lines} == {"true", "false", ""}
    assert (lines[0][5], lines[0][6]) == ("2017-06-12", "2017-06-12T08:15:00.001Z")
    assert json.loads(lines[0][7]) == ["=x", '"']


def test_null_and_the_empty_text_differ_in_a_csv() -> None:
    rows: list[Mapping[str, Any]] = [{"a": None, "b": ""}, {"a": "", "b": None}]
    assert formats.write_csv([("a", "string"), ("b", "string")], rows) == b'a,b\r\n,""\r\n"",\r\n'


@given(st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=8)), min_size=1, max_size=4))
def test_any_text_comes_back_from_a_csv(values: list[str | None]) -> None:
    names = [f"c{number}" for number in range(len(values))]
    written = formats.write_csv([(name, "string") for name in names], [dict(zip(names, values, strict=True))])
    _, line = csv.reader(io.StringIO(written.decode(), newline=""), strict=True)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in line)
    assert [cell.removeprefix("'") for cell in line] == [(value or "").removeprefix("'") for value in values]


Get = Callable[..., dict[str, Any]]


@pytest.fixture
def get(
    environment: Callable[..., None],
    event: Callable[[str], dict[str, Any]],
    lambda_context: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Get:
    """`get(**headers)`: rows of a lake of which 40 products are published."""
    lake = PublishedLake()
    columns = (Column(name="product_id", type="bigint"), Column(name="brand", type="string"))
    rows: list[Row] = [{"product_id": number, "brand": "=National" * 9} for number in range(40)]
    lake.publish("products", columns, {DAY: [rows]})
    monkeypatch.setattr(asked, "lake", lambda: lake.store)
    environment()

    def ask(path: str = "/v1/datasets/products/rows", query: Mapping[str, str] = {}, **headers: str) -> dict[str, Any]:
        request = event("api_get")
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request |= {
            "path": path,
            "headers": sent,
            "multiValueHeaders": {name: [value] for name, value in sent.items()},
            "queryStringParameters": dict(query) or None,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        }
        return handler(request, lambda_context)

    return ask


def content(answer: dict[str, Any]) -> bytes:
    """The body as the caller gets it."""
    body: str = answer["body"]
    return base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()


@pytest.mark.parametrize("kind", formats.FORMATS)
def test_each_format_is_answered_with_an_etag_of_its_own(get: Get, kind: str) -> None:
    answer = get(accept=kind)
    assert (answer["statusCode"], answer["multiValueHeaders"]["Content-Type"]) == (200, [kind])
    assert answer["isBase64Encoded"] is (kind in (formats.ARROW, formats.PARQUET))
    (tag,) = answer["multiValueHeaders"]["ETag"]
    assert get(accept=kind, if_none_match=tag)["statusCode"] == 304
    others = [each for each in formats.FORMATS if each != kind]
    assert {get(accept=each, if_none_match=tag)["statusCode"] for each in others} == {200}


def test_an_etag_is_of_one_question(get: Get) -> None:
    (tag,) = get(query={"limit": "1"})["multiValueHeaders"]["ETag"]
    assert get(query={"limit": "2"}, if_none_match=tag)["statusCode"] == 200


def test_what_is_not_json_tells_the_next_page_by_a_link(get: Get) -> None:
    seen: list[str] = []
    query: Mapping[str, str] = {"limit": "15", "select": "product_id"}
    while query:
        answer = get(query=query, accept="text/csv")
        seen += content(answer).decode().split("\r\n")[1:-1]
        (link,) = answer["multiValueHeaders"].get("Link", [""])
        found = link.removeprefix("<?").removesuffix('>; rel="next"')
        query = dict(each.split("=") for each in found.split("&")) if found else {}
    assert seen == [str(number) for number in range(40)]


def test_a_long_answer_is_zipped_for_who_wants_it(get: Get) -> None:
    plain = get(accept="application/json")
    zipped = get(accept="application/json", accept_encoding="gzip, br")
    assert zipped["multiValueHeaders"]["Content-Encoding"] == ["gzip"]
    assert gzip.decompress(content(zipped)) == content(plain)
    assert len(content(zipped)) < len(content(plain)) / 5
    assert zipped["multiValueHeaders"]["ETag"] == plain["multiValueHeaders"]["ETag"]
    assert "Content-Encoding" not in get(accept="application/json", accept_encoding="gzip;q=0")["multiValueHeaders"]
    assert "Content-Encoding" not in get("/v1/health", accept="*/*", accept_encoding="gzip")["multiValueHeaders"]


def test_a_route_without_rows_has_no_other_format_than_json(get: Get) -> None:
    refused = get("/v1/datasets", accept="text/csv")
    assert refused["statusCode"] == HTTPStatus.NOT_ACCEPTABLE
    assert json.loads(refused["body"])["detail"] == "Accept names nothing that is here; there are: application/json"

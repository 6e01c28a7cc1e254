"""The page of a run as text: what it says, that data stays data, and that it stays small."""

import re
from datetime import date
from html import unescape

import pytest
from ended_run import DAY, SQL, assets, departments, failed_run, page_of, report_of, run_of, trend
from memory_objects import MemoryObjects
from nightlake.core import layout
from nightlake.core.http_behaviour import Asked
from nightlake.core.page.contents import contents
from nightlake.core.page.plot import Plot, choose_plot, plot_faults
from nightlake.core.page.write_page import write_page
from nightlake.core.pipeline import Pipeline
from nightlake.core.query_result import ResultColumn
from nightlake.core.report import Json
from nightlake.core.report_parameters import read_header
from nightlake.core.run_record import Failure, ReportRecord, SourceRecord

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='",
    "<!-- --><svg/onload=alert(1)>",
    "&lt;b&gt; &amp;",
)


def shown(text: str) -> str:
    """The page without its scripts and styles."""
    return re.sub(r"<(script|style)>.*?</\1>", "", text, flags=re.DOTALL)


def test_it_says_what_the_run_did(sales: Pipeline) -> None:
    text = shown(page_of(sales, departments("GROCERY", "DRUG GM"), trend()))
    for fact in ("sales 2017-06-12", "Succeeded", "1,000 accepted, 10 in quarantine", run_of().run_id, "number 12"):
        assert fact in text
    assert "Where the day&#x27;s money came from." in text
    assert "there is a new column" in text
    assert '<td class="number">12,000.00</td>' in text


def test_it_says_how_the_apis_behaved_that_were_asked(sales: Pipeline) -> None:
    asked = Asked(requests=4, busy=1, failed=2, seconds=6.0, slowest_seconds=3.25)
    record = run_of(sources=(SourceRecord(dataset="products", status="good", asked=asked),))
    (apis,) = [table for table in contents(record, sales, (), (record,), {}).tables if table.name == "apis"]
    assert apis.rows == (("products", 4, 1, 2, 1.5, 3.25),)


def test_a_run_that_failed_says_why_and_what_to_do(sales: Pipeline) -> None:
    text = unescape(shown(page_of(sales, record=failed_run())))
    assert "Failed" in text
    assert "more than 5 % of the rows were refused" in text
    assert "nothing was published" in text
    assert "Mend the source, then rerun" in text
    assert "nightlake run sales --date 2017-06-12" in text


def test_a_run_that_its_sources_fail_says_what_each_of_them_met(sales: Pipeline) -> None:
    def failure(error: str, cause: str) -> Failure:
        return Failure.model_validate({"Error": error, "Cause": cause})

    good, header, late = (
        SourceRecord(dataset="products", status="good"),
        SourceRecord(dataset="transactions", status="rejected", error=failure("HeaderMismatchError", "no column id")),
        SourceRecord(dataset="customers", status="rejected", error=failure("SourceNotReadyError", "nothing landed")),
    )
    whole = failure("SourceRejectedError", '[{"dataset":"transactions","status":"rejected"}]')
    record = failed_run().model_copy(
        update={"error": whole, "sources": (good, header, late), "missing": ("customers",)}
    )
    text = unescape(shown(page_of(sales, record=record)))
    trouble = text[text.index('<section class="trouble"') : text.index("</section>")]
    assert "transactions: HeaderMismatchError: no column id" in trouble
    assert "Mend the delivery or the contract" in trouble
    assert "nothing landed" not in trouble  # the night went on without it
    assert "nothing landed" in text
    assert '"dataset"' not in text


def test_a_run_that_never_knew_its_day_has_a_page(sales: Pipeline) -> None:
    record = failed_run().model_copy(update={"date": None, "sources": (), "tables": ()})
    text = shown(page_of(sales, record=record, runs=1))
    assert "not known" in text
    assert "--date" not in text


@pytest.mark.parametrize("value", HOSTILE)
def test_data_stays_data(sales: Pipeline, value: str) -> None:
    plain = shown(page_of(sales, departments("A", "B")))
    text = shown(page_of(sales, departments(value, "B")))
    tags = [re.findall(r"<[^>]*>", each) for each in (plain, text)]
    assert tags[0] == [tag.replace(' class="long"', "") for tag in tags[1]]
    assert value in unescape(text)


def test_names_of_columns_and_findings_are_data_too(sales: Pipeline) -> None:
    for value in HOSTILE:
        report = report_of("odd", f"{value.replace(' ', '_').replace(',', '')} varchar, n bigint", ("a", 1), ("b", 2))
        text = shown(page_of(sales, report))
        assert "<script" not in text
        assert "<img" not in text
        assert "<svg" not in text


def test_a_page_stays_below_its_size(sales: Pipeline) -> None:
    wide = [
        report_of(f"wide_{number}", "id bigint, text varchar", *((row, f"{row} " + "w" * 10**4) for row in range(5000)))
        for number in range(8)
    ]
    cells = report_of("cells", "text varchar, n bigint", ("x" * 10**6, 1), ("y" * 10**6, 2))
    text = page_of(sales, *wide, cells)
    assert len(text.encode()) < 1_500_000
    assert re.search(r"The first [\d,]+ of 5,000 rows", text)


def test_only_what_it_carries_may_run(sales: Pipeline) -> None:
    text = page_of(sales, departments("A", "B"))
    policy = unescape(re.findall(r'Content-Security-Policy" content="([^"]*)"', text)[0])
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"https?:", policy)
    assert not re.search(r"<(link|script|img|iframe)[^>]+(src|href)=\"(?!data:,\"|#)", text)
    for asset in (*assets().libraries, assets().script, assets().style):
        assert not re.search(r"</(script|style)|<!--|\r", asset)


def test_it_lies_beside_the_reports(sales: Pipeline) -> None:
    lake = MemoryObjects()
    report = departments("GROCERY", "DRUG GM")
    key = layout.report("sales", report.name, report.run_id)
    lake.put_model(key, report)
    days = [date(2017, 5, day) for day in range(1, 32)]
    record = run_of(reports=(ReportRecord(name=report.name, rows=2, key=key),))
    for each in (*map(run_of, days), record, run_of(date(2017, 6, 13))):
        lake.put_model(layout.record("sales", each.run_id), each)
    written, size = write_page(record, sales, lake=lake, sql=SQL, assets=assets())
    text = lake.get(written).decode()
    assert (written, size) == (f"pages/sales/2017-06-12/{record.run_id}.html", len(text.encode()))
    assert "GROCERY" in text
    # The runs up to this one, the last fourteen of them.
    assert [day.day for day in days if f"<td>{day}</td>" in text] == [*range(19, 32)]
    assert f"<td>{DAY}</td>" in text
    assert "<td>2017-06-13</td>" not in text


COLUMNS = "rank bigint, sold_on date, city varchar, revenue decimal(18,2), baskets bigint"


def chosen(sql: str, columns: str, *rows: tuple[Json, ...]) -> Plot | None:
    report = report_of("any", columns, *rows)
    return choose_plot(read_header(sql), report.columns, report.rows)


@pytest.mark.parametrize(
    ("columns", "rows", "plot"),
    [
        (
            "rank bigint, city varchar, revenue decimal(18,2)",
            [(1, "A", "2.00"), (2, "B", "1.00")],
            Plot(kind="bar", x="city", y=("revenue",)),
        ),
        ("sold_on date, n bigint", [("2017-06-11", 1), ("2017-06-12", 2)], Plot(kind="line", x="sold_on", y=("n",))),
        ("n bigint, at timestamp(3)", [(1, "2017-06-11"), (2, "2017-06-12")], Plot(kind="line", x="at", y=("n",))),
        ("city varchar, n bigint", [("A", 1)], None),
        ("city varchar, n bigint", [("A", 1), ("A", 2)], None),
        ("city varchar, product_id bigint", [("A", 1), ("B", 2)], None),
        ("tags array(varchar), n bigint", [("[a]", 1), ("[b]", 2)], None),
    ],
)
def test_columns_have_the_plot_that_suits_them(columns: str, rows: list[tuple[Json, ...]], plot: Plot | None) -> None:
    assert chosen("SELECT 1", columns, *rows) == plot


@pytest.mark.parametrize(
    ("asked", "plot"),
    [
        ("line x=sold_on y=revenue,baskets", Plot(kind="line", x="sold_on", y=("revenue", "baskets"))),
        ("line x=sold_on y=revenue by=city", Plot(kind="line", x="sold_on", y=("revenue",), by="city")),
        ("bar x=city y=baskets", Plot(kind="bar", x="city", y=("baskets",))),
        ("bar x=city y=baskets total=all", Plot(kind="bar", x="city", y=("baskets",), total="all")),
        ("none", None),
    ],
)
def test_a_file_says_which_plot_it_wants(asked: str, plot: Plot | None) -> None:
    sql = f"-- What it is.\n-- parameter city: string = 'A' -- which\n-- plot: {asked}\nSELECT 1"
    assert not [*plot_faults(read_header(sql), ["sold_on", "city", "revenue", "baskets"])]
    assert read_header(sql).description == "What it is."
    assert chosen(sql, COLUMNS, (1, "2017-06-11", "A", "1.00", 1), (2, "2017-06-12", "B", "2.00", 2)) == plot


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("pie x=a y=b", "'pie' is no plot: write line, bar or none"),
        ("", "'' is no plot"),
        ("none x=a", "'none' is no plot"),
        ("bar x=a", "bar needs x=COLUMN and y=COLUMN"),
        ("line x=a y=b z=c", "its options are not understood"),
        ("line x=a x=b y=c", "its options are not understood"),
        ("bar x=a y=b,c", "several y go with a line without by"),
        ("bar x=a y=b by=c", "by goes with a line"),
        ("bar x=a y=d", "the report has no column d: it has a, b, c"),
    ],
)
def test_a_plot_asked_for_wrongly_is_told_with_its_line(asked: str, said: str) -> None:
    ((line, fault),) = plot_faults(read_header(f"-- What it is.\n-- plot: {asked}\nSELECT 1"), ["a", "b", "c"])
    assert line == 2
    assert said in fault


def test_a_plot_of_columns_that_there_are_not_is_the_one_that_suits() -> None:
    columns = (ResultColumn(name="city", type="varchar"), ResultColumn(name="n", type="bigint"))
    rows: list[dict[str, Json]] = [{"city": "A", "n": 1}, {"city": "B", "n": 2}]
    for asked in ("line x=day y=n", "bar x=city y=town", "bar x=n y=city", "line x=city y=n"):
        assert choose_plot(read_header(f"-- plot: {asked}\n"), columns, rows) == Plot(kind="bar", x="city", y=("n",))

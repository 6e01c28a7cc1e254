"""The page of a run in a real browser: plots, sorting, CSV, phones, the dark, and hostile data that stays still."""

import csv
import re
from collections.abc import Callable
from typing import Any

import pytest
from ended_run import departments, failed_run, page_of, report_of, sizes, trend
from nightlake.core.pipeline import Pipeline

pytestmark = pytest.mark.xdist_group("browser")

Open = Callable[..., Any]

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</td></table><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' autofocus onfocus=alert(1) '",
    "javascript:alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
    "abc\u202edcba\u2066\u200f",
    "\ufeff\u2028\x00\x1b[31m",
    "x" * 1_000_000,
)
FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    '=HYPERLINK("http://127.0.0.1/")',
    "a,b",
    'say "no"',
    "two\nlines",
)


def test_it_shows_tables_and_plots_and_asks_nobody(show: Open, sales: Pipeline) -> None:
    window = show(page_of(sales, departments("GROCERY", "DRUG GM", "MEAT"), trend(), sizes()))
    assert window.page.locator("figure svg[role=img]").count() == 4
    assert window.page.locator("#basket_size tbody tr").count() == 3
    assert window.page.locator("#basket_size figure rect").count() == 2
    assert window.page.locator("#revenue_by_department figure rect").count() == 3
    lines = window.page.locator("#revenue_trend figure svg [aria-label=line] path[stroke]")
    assert lines.count() == 2
    assert window.page.locator("#revenue_trend .legend li").all_inner_texts() == ["revenue", "average 7 days"]
    assert window.page.get_by_text("1,000 accepted, 10 in quarantine").is_visible()
    window.page.locator("#revenue_by_department figure rect").first.hover()
    window.page.locator("#revenue_by_department [aria-label=tip]").get_by_text("GROCERY").wait_for()
    assert window.misdeeds == []


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_by_day_and_night(show: Open, sales: Pipeline, dark: bool) -> None:
    window = show(page_of(sales, departments("A" * 200, "DRUG GM"), trend(), record=failed_run()), width=360, dark=dark)
    assert window.page.evaluate("document.documentElement.scrollWidth") == 360
    colours = "getComputedStyle(document.body).{}.match(/\\d+/g).map(Number).reduce((a, b) => a + b)"
    back, fore = (window.page.evaluate(colours.format(name)) for name in ("backgroundColor", "color"))
    assert (back < 128, fore > 512) == (dark, dark)
    assert window.misdeeds == []


def test_hostile_data_does_nothing(show: Open, sales: Pipeline) -> None:
    plain = report_of(
        "hostile", "what varchar, n bigint", *((value, row) for row, value in enumerate(HOSTILE, start=1))
    )
    name = '"><img_src=x_onerror=alert(1)>'
    named = report_of(name, f"{name} varchar, n bigint", ("a", 1), ("b", 2))
    lines = report_of("lines", "at timestamp, n bigint", *((value, row) for row, value in enumerate(HOSTILE, start=1)))
    window = show(page_of(sales, plain, lines, named))
    assert window.page.locator("#hostile tbody tr").count() == len(HOSTILE)
    assert window.page.locator("#hostile tbody td").first.inner_text() == HOSTILE[0]
    # What it holds is not an element of the page, and the button sorts as ever.
    assert window.page.locator("img, iframe, object, embed, svg[onload]").count() == 0
    window.page.locator("#hostile th button").first.click()
    window.page.locator("#hostile figure rect").first.hover()
    assert window.misdeeds == []


def test_headings_sort_by_mouse_and_by_key(show: Open, sales: Pipeline) -> None:
    report = report_of(
        "numbers", "name varchar, n decimal(9,2)", ("b", "1000.50"), ("c", None), ("a", "-9.00"), ("d", "99.00")
    )
    page = show(page_of(sales, report)).page
    first = page.locator("#numbers tbody td:first-child")
    page.locator("#numbers th button").nth(1).click()
    assert first.all_inner_texts() == ["a", "d", "b", "c"]
    page.keyboard.press("Enter")
    assert first.all_inner_texts() == ["b", "d", "a", "c"]
    assert page.locator("#numbers th").nth(1).get_attribute("aria-sort") == "descending"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert first.all_inner_texts() == ["a", "b", "c", "d"]


def test_a_table_downloads_as_csv_without_formulas(show: Open, sales: Pipeline) -> None:
    report = report_of("cells", "n bigint, text varchar", *((-1000 - row, text) for row, text in enumerate(FORMULAS)))
    page = show(page_of(sales, report)).page
    with page.expect_download() as download:
        page.locator("#cells .csv").click()
    assert download.value.suggested_filename == "cells.csv"
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["n", "text"]
    assert [row[0] for row in rows] == [str(-1000 - at) for at in range(len(FORMULAS))]
    texts = [row[1] for row in rows]
    assert not [text for text in texts if re.match(r"[=+\-@\t\r]", text)]
    # HTML knows one end of a line.
    assert [text.removeprefix("'") for text in texts] == [text.replace("\r", "\n") for text in FORMULAS]


def test_it_says_all_without_scripts_and_on_paper(show: Open, sales: Pipeline) -> None:
    quiet = show(page_of(sales, trend()), script=False)
    assert quiet.page.locator("#revenue_trend tbody tr").count() == 21
    page = show(page_of(sales, trend())).page
    page.emulate_media(media="print")
    assert not page.locator(".csv").first.is_visible()
    scroll = page.locator("#revenue_trend .scroll")
    assert scroll.evaluate("each => each.scrollHeight <= each.clientHeight")


def test_whoever_cannot_see_or_point_gets_around(show: Open, sales: Pipeline) -> None:
    page = show(page_of(sales, departments("A", "B"), trend(), record=failed_run())).page
    faults = page.evaluate(
        """() => {
          const all = (selector) => [...document.querySelectorAll(selector)];
          const ids = all("[id]").map((each) => each.id);
          const levels = all("h1, h2, h3").map((each) => +each.tagName[1]);
          const labels = all("[aria-labelledby]").map((each) => each.getAttribute("aria-labelledby"));
          const links = all("nav a").map((each) => each.getAttribute("href").slice(1));
          return [
            ...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `two of ${id}`),
            ...levels.filter((level, at) => level > (levels[at - 1] ?? 0) + 1).map((level) => `h${level} skips`),
            ...[...labels, ...links].filter((id) => !document.getElementById(id)).map((id) => `no ${id}`),
            ...all("button, th, svg[role=img]")
              .filter((each) => !(each.textContent.trim() || each.ariaLabel)).map((each) => each.outerHTML),
            ...all("svg[role=img]").filter((each) => !each.ariaLabel).map(() => "plot without name"),
            ...(document.documentElement.lang ? [] : ["no language"]),
          ];
        }"""
    )
    assert faults == []

"""The system's Chromium, driven by Playwright; tests of this folder are skipped where there is none."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nightlake.core.contract import load_pipelines
from nightlake.core.pipeline import Pipeline
from playwright.sync_api import Browser, Page, sync_playwright

PIPELINES = Path(__file__).parents[2] / "pipelines"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def sales() -> Pipeline:
    return next(each for each in load_pipelines(PIPELINES) if each.name == "sales")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a file, each of which has windows of its own.

    It is closed before other tests run: Playwright keeps an event loop running as long as it lives.
    """
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("no Chromium is installed; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        # Root, as in a container of CI, has no sandbox; the pages are our own.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Window:
    """A window with one page in it, and all that the page did which a page of ours must not."""

    page: Page
    misdeeds: list[str] = field(default_factory=list)


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Window]]:
    """`show(html, width=360, dark=True)`: the page as a browser opens it from a file."""
    contexts = []

    def open_page(html: str, *, width: int = 1000, dark: bool = False, script: bool = True) -> Window:
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            reduced_motion="reduce",
        )
        contexts.append(context)
        window = Window(context.new_page())
        window.page.set_default_timeout(10_000)
        told = window.misdeeds.append
        window.page.on("console", lambda message: told(f"console: {message.text}"))
        window.page.on("pageerror", lambda error: told(f"error: {error}"))
        window.page.on("dialog", lambda dialog: (told(f"dialog: {dialog.message}"), dialog.dismiss()))
        window.page.on("request", lambda request: told(request.url) if request.url != file.as_uri() else None)
        window.page.goto(file.as_uri())
        return window

    yield open_page
    for context in contexts:
        context.close()

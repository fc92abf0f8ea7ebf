"""Fixtures of the browser tests: Debian's Chromium under Playwright, four kinds of reader, a watched page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.support import CHROMIUM_FLAGS, CSP_RECORDER, LOCALES, READERS, SIZES, Reader, Screenshots, Watch


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, started once; fails when it is not installed."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("chromium is not in PATH: install Debian's package `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(params=READERS, ids=str)
def reader(request: pytest.FixtureRequest) -> Reader:
    """Each screen size in each language."""
    assert isinstance(request.param, Reader)
    return request.param


@pytest.fixture
def context(browser: Browser, reader: Reader) -> Iterator[BrowserContext]:
    """A fresh browser profile of the reader.

    Certificates are checked when ENLEVOHUB_CA is set: the machine trusts that authority. Otherwise any is accepted.
    """
    width, height = SIZES[reader.size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=2 if reader.size == "phone" else 1,
        has_touch=reader.size == "phone",
        locale=LOCALES[reader.language],
        timezone_id="America/Sao_Paulo",
        reduced_motion="reduce",
        ignore_https_errors="ENLEVOHUB_CA" not in os.environ,
    )
    context.set_default_timeout(10_000)
    context.add_init_script(CSP_RECORDER)
    yield context
    context.close()


@pytest.fixture
def watch(context: BrowserContext) -> Iterator[Watch]:
    """A page of the reader; after the test it must have had no console error and no policy breach."""
    watch = Watch(context.new_page())
    watch.page.on("console", watch.on_console)
    watch.page.on("pageerror", watch.on_page_error)
    yield watch
    watch.check()


@pytest.fixture
def page(watch: Watch) -> Page:
    """The watched page itself."""
    return watch.page


@pytest.fixture
def shot(page: Page, reader: Reader) -> Screenshots:
    """Takes named screenshots, when ENLEVOHUB_SCREENSHOTS names a directory."""
    directory = os.environ.get("ENLEVOHUB_SCREENSHOTS")
    return Screenshots(page, reader, Path(directory) if directory else None)

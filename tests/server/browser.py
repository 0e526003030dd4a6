"""A real browser, one for all tests, and a page of it that is signed in to a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from live_server import LiveServer

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


_running: list[Browser] = []


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for the process: each folder imports this fixture, which has it anew, and Playwright starts once a thread."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no browser at {CHROMIUM}")
    pytest.importorskip("playwright", reason="playwright is not installed")
    from playwright.sync_api import sync_playwright

    if _running:
        yield _running[0]
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        _running.append(browser)
        yield browser
        browser.close()


@contextmanager
def signed_in(browser: Browser, server: LiveServer, **options: Any) -> Iterator[Page]:
    """A page that fails the test when a script or the content policy complains."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    opened.goto(server.url + server.sign_in_path("/"))
    yield opened
    context.close()
    assert problems == []


@pytest.fixture
def page(server: LiveServer, browser: Browser) -> Iterator[Page]:
    with signed_in(browser, server) as opened:
        yield opened

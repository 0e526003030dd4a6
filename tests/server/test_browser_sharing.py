"""Sharing, in a browser: a link made on a page opens it for people without an account; who sees a project is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from browser import signed_in
from world import PROJECT, TEAM, World

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world") / "data") as made:
        yield made


@pytest.fixture
def page(world: World, browser: Browser) -> Iterator[Page]:
    with signed_in(browser, world.server) as opened:
        yield opened


@contextmanager
def stranger(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def make_link(page: Page, days: str) -> str:
    page.get_by_role("button", name="Share this page").click()
    page.get_by_label("Days that the link works").fill(days)
    page.get_by_role("button", name="Make the link").click()
    address = page.get_by_label("Address").input_value()
    page.get_by_role("button", name="Done").click()
    return address


def test_a_link_opens_the_page_on_which_it_was_made(world: World, page: Page, browser: Browser) -> None:
    page.goto(f"{world.server.url}/{TEAM}/{PROJECT}?mode=table")
    table = make_link(page, "2")
    page.goto(f"{world.server.url}/{TEAM}/{PROJECT}/runs/r1#files")
    files = make_link(page, "2")
    with stranger(browser) as guest:
        guest.goto(f"{world.server.url}/{TEAM}/{PROJECT}")
        assert "/login" in guest.url
        guest.goto(files)
        guest.get_by_role("button", name="a.txt").wait_for()
        assert guest.url == f"{world.server.url}/{TEAM}/{PROJECT}/runs/r1#files"
        assert not guest.get_by_role("button", name="Share this page").is_visible()
        guest.goto(table)
        guest.locator('tr[data-run="r1"]').wait_for()
        assert guest.url.endswith("?mode=table")
        assert not guest.locator(".chart").count()


def test_a_link_of_a_run_shows_this_run_alone_unless_all_is_wanted(world: World, page: Page, browser: Browser) -> None:
    from playwright.sync_api import expect

    for whole in (False, True):
        page.goto(f"{world.server.url}/{TEAM}/{PROJECT}/runs/r1#artifacts")
        page.get_by_role("button", name="Share this page").click()
        page.get_by_role("checkbox", name=f"With all else of {PROJECT}").set_checked(whole)
        page.get_by_role("button", name="Make the link").click()
        address = page.get_by_label("Address").input_value()
        page.get_by_role("button", name="Done").click()
        with stranger(browser) as guest:
            guest.goto(address)
            expect(guest.locator("main h1")).to_be_visible()
            expect(guest.get_by_role("link", name="Artifacts")).to_have_count(int(whole))
            expect(guest.get_by_role("link", name=PROJECT, exact=True)).to_have_count(int(whole))
            expect(guest.locator('.chart[data-points="5"]')).to_have_count(int(not whole))


def test_who_sees_a_project_is_said_on_its_settings_page(world: World, page: Page, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    settings = f"{world.server.url}/{TEAM}/{PROJECT}/settings"
    page.goto(settings)
    page.get_by_label("Who sees the project").select_option("RESTRICTED")
    for name, let_in in (("member", False), ("excluded", True)):
        page.get_by_role("checkbox", name=name).set_checked(let_in)
        expect(page.get_by_role("checkbox", name=name)).to_be_checked(checked=let_in)
    page.goto(settings)
    expect(page.get_by_role("checkbox", name="excluded")).to_be_checked()
    page.screenshot(path=str(tmp_path / "sharing.png"), full_page=True)
    for role, status in (("excluded", 200), ("member", 404)):
        with world.session(role) as session:
            path = f"{world.server.url}/api/runs/{TEAM}/{PROJECT}/r1"
            assert session.get(path, timeout=30).status_code == status


def test_a_link_is_made_and_ended_on_the_settings_page(world: World, page: Page, browser: Browser) -> None:
    from playwright.sync_api import expect

    settings = f"{world.server.url}/{TEAM}/{PROJECT}/settings"
    page.goto(settings)
    page.get_by_role("button", name="Make a link…").click()
    page.get_by_role("button", name="Make the link").click()
    address = page.get_by_label("Address").input_value()
    page.get_by_role("button", name="Done").click()
    with stranger(browser) as guest:
        guest.goto(address)
        assert guest.url.endswith(f"/{TEAM}/{PROJECT}")
        guest.goto("about:blank")
        links = page.get_by_role("button", name="End the link")
        before = links.count()
        links.first.click()
        expect(links).to_have_count(before - 1)
        guest.goto(address)
        assert guest.get_by_text("This link does not work any more").is_visible()

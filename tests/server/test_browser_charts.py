"""What charts draw besides lines: bars, several devices in one, and nothing."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from live_server import LiveServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def test_a_metric_of_one_value_a_run_is_drawn_as_bars(server: LiveServer, page: Page) -> None:
    from playwright.sync_api import expect

    for name, accuracy in (("low", 0.25), ("high", 0.75), ("middle", 0.5)):
        server.upsert(name, displayName=name)
        server.rows([{"_step": 0, "loss": 2.0}, {"_step": 1, "loss": 1.0, "test/accuracy": accuracy}], name=name)
    page.goto(f"{server.url}/{server.user}/demo?mode=chart")
    chart = page.locator('.chart[data-lines="3"]', has_text="accuracy")
    canvas = chart.get_by_role("img")
    canvas.focus()
    # From the largest down, by mouse and by keys.
    page.keyboard.press("Home")
    expect(page.locator(".tip")).to_contain_text("high0.75")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tip")).to_contain_text("middle0.5")
    canvas.hover(position={"x": 60, "y": 20})
    expect(page.locator(".tip")).to_contain_text("high0.75")
    expect(chart.get_by_role("button", name="log", exact=True)).to_be_hidden()
    expect(page.locator(".chart", has_text="loss").get_by_role("button", name="log", exact=True)).to_have_count(1)


def test_the_devices_of_a_machine_are_lines_of_one_chart_with_a_unit(server: LiveServer, page: Page) -> None:
    from playwright.sync_api import expect

    server.upsert()
    events = [
        {"_runtime": second, "system.cpu": 40.0, **{f"system.gpu.{gpu}.temp": 50.0 + gpu for gpu in range(3)}}
        for second in range(5)
    ]
    content = [json.dumps(event) for event in events]
    server.stream({"files": {"wandb-events.jsonl": {"offset": 0, "content": content}}})
    page.goto(f"{server.url}/{server.user}/demo/runs/r1#system")
    chart = page.locator('.chart[data-lines="3"]')
    expect(chart.locator("h2")).to_have_text("GPU temperature °C")
    chart.get_by_role("img").focus()
    page.keyboard.press("End")
    expect(page.locator(".tip")).to_contain_text("GPU 252")
    page.get_by_role("searchbox", name="Search metrics").fill("gpu.1")
    expect(page.locator(".chart:visible")).to_have_count(1)


def test_a_part_without_values_says_so(server: LiveServer, page: Page) -> None:
    from playwright.sync_api import expect

    server.upsert()
    server.rows([{"_step": 0, "early": 1.0, "late": 1.0}, *({"_step": step, "late": 1.0} for step in range(1, 100))])
    page.goto(f"{server.url}/{server.user}/demo/runs/r1?range=_step,50,60")
    expect(page.locator(".chart", has_text="early")).to_contain_text("Nothing here in this range.")
    expect(page.locator(".chart", has_text="late").locator(".plot-note")).to_be_empty()


def test_what_is_not_there_is_a_page_that_says_so(server: LiveServer, browser: Browser) -> None:
    from playwright.sync_api import expect

    server.upsert()
    # The browser itself complains of a 404 on its console, which `page` takes for a fault.
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(server.url + server.sign_in_path("/"))
        for path, text in (
            ("demo/runs/other", f"Run '{server.user}/demo/other' was not found."),
            ("other", f"Project {server.user}/other was not found."),
            ("other/settings", f"Project {server.user}/other was not found."),
        ):
            page.goto(f"{server.url}/{server.user}/{path}")
            expect(page.get_by_role("heading")).to_have_text(text)
            expect(page.get_by_role("link", name="All projects")).to_be_visible()

"""The dashboard in a real browser."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from live_server import LiveServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Counts the pixels that are neither clear nor grey: those of a line.
COLOURED = """canvas => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4)
        if (data[i + 3] > 200 && Math.max(data[i], data[i+1], data[i+2]) - Math.min(data[i], data[i+1], data[i+2]) > 60)
            count += 1;
    return count;
}"""


def rows(first: int, last: int) -> list[dict[str, float]]:
    return [
        {"_step": step, "_runtime": step / 2, "train/loss": math.exp(-step / 80), "train/acc": 1 - math.exp(-step / 90)}
        for step in range(first, last)
    ]


def test_charts_draw_and_follow_a_running_run(server: LiveServer, page: Page, tmp_path: Path) -> None:
    server.upsert(displayName="followed")
    server.rows(rows(0, 200))
    page.goto(f"{server.url}/{server.user}/demo/runs/r1")
    chart = page.locator(".chart", has_text="train/loss")
    page.wait_for_selector('.chart[data-points="200"] canvas')
    assert page.title() == "followed · wandb server"
    assert chart.locator("canvas").first.evaluate(COLOURED) > 200
    page.screenshot(path=str(tmp_path / "run.png"), full_page=True)
    server.rows(rows(200, 260), offset=200)
    page.wait_for_selector('.chart[data-points="260"]')
    server.stream({"complete": True, "exitcode": 0})
    page.wait_for_selector(".state.finished")


def test_a_chart_can_be_read_and_zoomed_with_mouse_and_keys(server: LiveServer, page: Page) -> None:
    server.upsert()
    server.rows(rows(0, 5000))
    page.goto(f"{server.url}/{server.user}/demo/runs/r1")
    page.wait_for_selector('.chart[data-points="1000"]')
    canvas = page.locator(".chart canvas[role=img]").first
    canvas.focus()
    page.keyboard.press("Home")
    assert "step 4" in page.locator(".tip").first.inner_text()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 130, box["y"] + 60)
    page.mouse.up()
    reset = page.locator(".chart").first.get_by_role("button", name="reset zoom")
    reset.wait_for()
    page.wait_for_selector('.chart:first-child:not([data-points="1000"])')
    canvas.dblclick()
    page.wait_for_selector('.chart[data-points="1000"]')
    page.get_by_role("button", name="log", exact=True).first.click()
    assert "logY=train/acc" in page.url


def test_names_and_values_are_never_markup(server: LiveServer, page: Page) -> None:
    evil = "<img src=x onerror=alert(1)>"
    server.upsert(displayName=evil, notes=evil, tags=[evil], config=json.dumps({evil: {"value": evil}}))
    server.rows([{"_step": 0, evil.replace("/", ""): 1}])
    server.stream({"files": {"output.log": {"offset": 0, "content": [evil]}}})
    for path in ("/", "/demo", "/demo/runs/r1", *(f"/demo/runs/r1#{tab}" for tab in ("overview", "console", "files"))):
        page.goto(server.url + (f"/{server.user}{path}" if path != "/" else path))
        page.wait_for_selector("main h1")
        assert page.locator("main img").count() == 0
    page.wait_for_selector(f"h1:text-is({json.dumps(evil)})")


def test_the_run_table_sorts_by_a_column(server: LiveServer, page: Page) -> None:
    for name, loss in (("a", 3), ("b", 1), ("c", 2)):
        server.upsert(name, displayName=name, summaryMetrics=json.dumps({"loss": loss}))
    page.goto(f"{server.url}/{server.user}/demo?mode=table")
    names = page.locator("tbody tr[data-run] .name-cell")
    for expected in (["a", "c", "b"], ["b", "c", "a"]):
        page.get_by_role("button", name="loss").click()
        page.wait_for_function(
            "expected => [...document.querySelectorAll('tr[data-run]')].map(r => r.dataset.run).join() === expected",
            arg=",".join(expected),
        )
        assert [text.strip() for text in names.all_inner_texts()] == expected

"""Every page of a project that has everything, driven and photographed; axe-core finds nothing to mend in them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from browser import signed_in
from live_server import LiveServer
from showroom import CRASHED, PROJECT, SHOWN, Filled, fill

import wandb

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("showroom")) as server:
        # Browsers tell how long ago something was by their own clocks.
        server.clock.now = time.time()
        fill(server, runs=8, rows=40, trials=10)
        yield server


@pytest.fixture
def page(shown: LiveServer, browser: Browser) -> Iterator[Page]:
    with signed_in(browser, shown) as opened:
        yield opened


def go(page: Page, server: LiveServer, rest: str = "") -> None:
    page.goto(f"{server.url}/{server.user}/{PROJECT}{rest}")


def faults(page: Page, *rules: str) -> list[str]:
    """What axe-core says of a page, by all its rules or by some."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    options = {"runOnly": list(rules)} if rules else None
    found = axe.Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


PAGES = {
    "projects": ("", ".card a"),
    "account": ("/account", "text=API keys"),
    "workspace": ("@", '.chart[data-lines="8"]'),
    "run": (f"@/runs/{SHOWN}", ".chart[data-points]"),
    "media": (f"@/runs/{SHOWN}#media", ".media-card img"),
    "console": (f"@/runs/{SHOWN}#console", ".console li"),
    "files": (f"@/runs/{SHOWN}#files", ".file-tree button"),
    "code": (f"@/runs/{SHOWN}#code", ".source"),
    "lineage": (f"@/runs/{SHOWN}#artifacts", ".graph-node"),
    "overview": (f"@/runs/{SHOWN}#overview", "text=NVIDIA H100"),
    "compare": ("@/compare?runs=r0,r1", ".patch"),
    "artifacts": ("@/artifacts", "text=discs"),
    "artifact": ("@/artifacts/dataset/discs/v0", ".graph-node"),
    "sweeps": ("@/sweeps", "text=learning rates"),
    "queues": ("@/queues", "text=2 waiting"),
    "settings": ("@/settings", "text=Settings of runs"),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_drawn_and_accessible(shown: LiveServer, browser: Browser, tmp_path: Path, theme: Any) -> None:
    found = {}
    with signed_in(browser, shown, color_scheme=theme) as page:
        for name, (path, there) in PAGES.items():
            page.goto(shown.url + path.replace("@", f"/{shown.user}/{PROJECT}"))
            page.locator(there).first.wait_for()
            page.screenshot(path=str(tmp_path / f"{name}.png"))
            # What is there is the same in the dark; only colours are not.
            found[name] = faults(page, *(["color-contrast"] if theme == "dark" else []))
    assert {name: list(of) for name, of in found.items() if of} == {}


def test_a_link_shows_what_its_sender_saw(shown: LiveServer, page: Page) -> None:
    go(page, shown)
    page.locator('.chart[data-lines="8"]').first.wait_for()
    page.get_by_role("button", name="Group", exact=True).click()
    page.get_by_role("button", name="model").click()
    page.wait_for_selector('.chart[data-lines="4"]')
    page.get_by_role("slider", name="Smoothing").fill("0.5")
    page.get_by_label("X axis").select_option("_runtime")
    page.get_by_role("searchbox", name="Search metrics").fill("train")
    page.get_by_role("button", name="Hide the runs of vit-s in the charts").click()
    page.wait_for_selector('.chart[data-lines="3"]')
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector('.chart[data-lines="3"]')
    assert page.get_by_role("button", name="Grouped by model").is_visible()
    assert page.get_by_role("slider", name="Smoothing").input_value() == "0.5"
    assert page.get_by_label("X axis").input_value() == "_runtime"
    assert page.locator(".chart:visible h2").all_inner_texts() == ["train/accuracy", "train/grad_norm", "train/loss"]


def test_projects_are_found_by_name_and_by_what_they_are_about(shown: LiveServer, page: Page) -> None:
    from playwright.sync_api import expect

    for name, text in (("quiet", "sounds of the sea"), ("loud", "")):
        shown.upsert(name, project=name)
        shown.post(f"/api/projects/{shown.user}/{name}/settings", {"description": text})
    shown.post(f"/api/projects/{shown.user}/loud/shares/access", {"access": "PUBLIC"})
    page.goto(shown.url)
    page.get_by_role("link", name=shown.user).first.click()
    expect(page.get_by_role("row", name="loud")).to_contain_text("public")
    page.get_by_role("searchbox", name="Search projects").fill("SEA")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("quiet")
    page.get_by_role("searchbox", name="Search projects").fill("nothing of the kind")
    expect(page.get_by_text("No project has this")).to_be_visible()


def test_runs_are_grouped_by_several_keys(shown: LiveServer, page: Page) -> None:
    from playwright.sync_api import expect

    go(page, shown, "?mode=table")
    page.get_by_role("button", name="Group", exact=True).click()
    menu = page.get_by_role("dialog", name="Group by")
    for key in ("model", "State"):
        menu.get_by_role("button", name=key).click()
    expect(page.get_by_role("button", name="Grouped by model, state")).to_be_visible()
    expect(menu.get_by_role("button", name="State")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    names = page.locator("tr.group-row b")
    expect(names.first).to_have_text(re.compile(r"^\S+ · (finished|failed|crashed|running|killed)$"))
    page.goto(page.url)
    expect(names.first).to_contain_text(" · ")


def test_runs_are_filtered_as_by_the_api(shown: LiveServer, page: Page) -> None:
    go(page, shown, "?mode=table")
    page.wait_for_selector(f'tr[data-run="{CRASHED}"]')
    from playwright.sync_api import expect

    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Column").fill("state")
    page.get_by_label("Value").fill("failed")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("tr[data-run]")).to_have_count(1)
    assert 'filter={"$and":[{"state":"failed"}]}' in page.evaluate("decodeURIComponent(location.href)")
    page.get_by_role("button", name="Remove state = failed").click()
    page.get_by_role("searchbox", name="Search runs").fill("AMBER-RIVER-1")
    expect(page.locator("tr[data-run]")).to_have_count(1)


def test_runs_are_tagged_and_deleted_together(shown: LiveServer, page: Page) -> None:
    for name in ("tagged-a", "tagged-b"):
        shown.upsert(name, project="bulk", displayName=name)
    page.goto(f"{shown.url}/{shown.user}/bulk?mode=table")
    from playwright.sync_api import expect

    page.get_by_role("checkbox", name="Select all runs").check()
    page.get_by_role("button", name="Tag…", exact=True).click()
    page.get_by_role("textbox", name="Tag").fill("keep")
    page.get_by_role("button", name="Add tag").click()
    expect(page.locator("td .tag")).to_have_count(2)
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_selector("text=No runs to show.")


def test_the_table_goes_by_keys_and_is_saved(shown: LiveServer, page: Page) -> None:
    from playwright.sync_api import expect

    go(page, shown)
    page.locator('.chart[data-lines="8"]').first.wait_for()
    first = page.locator("tr[data-run]").first
    first.focus()
    for key in ("j", "x", " "):
        page.keyboard.press(key)
    second = page.locator("tr[data-run]").nth(1)
    expect(second).to_have_attribute("aria-selected", "true")
    page.locator('.chart[data-lines="7"]').first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the table as CSV").click()
    saved = download.value.path().read_text().splitlines()
    assert saved[0].startswith("id,name,Created,Ran for,Tags,summary.")
    assert len(saved) == 1 + 8 + 10
    page.locator("main").focus()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.get_by_role("searchbox", name="Name of a project or run").fill("amber-river-1")
    page.locator("a.place").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/r0")


def test_media_of_every_kind_follow_the_step(shown: LiveServer, page: Page) -> None:
    go(page, shown, f"/runs/{SHOWN}#media")
    page.wait_for_selector(".media-card")
    cards = page.locator(".media-card")
    assert cards.count() == 9
    samples = page.get_by_role("article", name="samples")
    samples.locator("img").first.wait_for()
    before = samples.locator("img").first.get_attribute("src")
    page.get_by_role("button", name="Step before").click()
    page.wait_for_function(
        "old => document.querySelector('[aria-label=samples] img').getAttribute('src') !== old", arg=before
    )
    assert "step=403" in page.url
    predictions = page.get_by_role("article", name="val/predictions")
    predictions.get_by_role("button", name="predictions", exact=True).wait_for()
    table = page.get_by_role("article", name="val/table")
    table.scroll_into_view_if_needed()
    table.get_by_role("searchbox", name="Filter rows").fill("score > 0.9")
    assert "of 200" not in table.inner_text()
    table.get_by_role("button", name="score").click()
    scores = [float(text) for text in table.locator("tbody td:nth-child(3)").all_inner_texts()]
    assert scores == sorted(scores)
    assert min(scores) > 0.9


def test_pages_that_were_logged_run_shut_off(shown: LiveServer, page: Page) -> None:
    go(page, shown, f"/runs/{SHOWN}#media")
    report = page.frame_locator("iframe[title=report]")
    # Its own script ran, and there is no way from it to the dashboard.
    report.locator("b", has_text="4").wait_for()
    assert report.locator("b").evaluate("() => { try { return document.cookie } catch (e) { return e.name } }") == (
        "SecurityError"
    )
    figure = page.frame_locator("iframe[title=confusion]")
    figure.locator(".js-plotly-plot").wait_for()


def test_many_figures_load_their_library_once(shown: LiveServer, page: Page) -> None:
    bokeh = pytest.importorskip("bokeh.plotting", reason="bokeh is not installed")
    plot = bokeh.figure(width=200, height=100)
    plot.line([1, 2], [3, 4])
    content = wandb.data_types.Bokeh(plot)._content
    assert content is not None
    document = content.read()
    plotly = b'{"data": [{"type": "scatter", "y": [1, 2]}], "layout": {}}'
    figures = {**dict.fromkeys(("one", "two", "three"), ("plotly", plotly)), "curve": ("bokeh", document)}
    project = "figures"  # others count the runs of the one that all share
    into = Filled(shown, project)
    shown.upsert("figures", project=project)
    row = {
        key: into.media("figures", f"{kind}-file", kind, key, 0, f".{kind}.json", figure)
        for key, (kind, figure) in figures.items()
    }
    lines = {"offset": 0, "content": [json.dumps({"_step": 0, **row})]}
    shown.stream({"files": {"wandb-history.jsonl": lines}}, "figures", project)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.goto(f"{shown.url}/{shown.user}/{project}/runs/figures#media")
    for key, (kind, _) in figures.items():
        frame = page.locator(f"iframe[title={key}]")
        frame.scroll_into_view_if_needed()
        drawn = {"plotly": ".js-plotly-plot .main-svg", "bokeh": "canvas"}[kind]
        frame.content_frame.locator(drawn).first.wait_for()
    assert asked.count("plotly.min.js") == asked.count("bokeh.min.js") == 1


def test_the_console_is_searched_and_followed(shown: LiveServer, page: Page) -> None:
    go(page, shown, "/runs/r5#console")
    page.wait_for_selector("text=torch.OutOfMemoryError")
    page.get_by_role("searchbox", name="Search output").fill("epoch 0")
    page.wait_for_selector("li.hit")
    assert (
        page.locator("li.hit").inner_text().endswith("done  val/accuracy 0.2171")
        or "epoch 0" in page.locator("li.hit").inner_text()
    )
    assert page.get_by_text("1 of 1", exact=True).is_visible()


def test_a_run_is_renamed_on_its_page(shown: LiveServer, page: Page) -> None:
    go(page, shown, "/runs/r6#overview")
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Name").fill("a better name")
    page.get_by_label("Notes").fill("worth another look")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("h1:text-is('a better name')")
    assert shown.run("displayName notes", "r6", PROJECT) == {
        "displayName": "a better name",
        "notes": "worth another look",
    }


def test_a_narrow_screen_has_room_for_everything(shown: LiveServer, browser: Browser) -> None:
    with signed_in(browser, shown) as page:
        page.set_viewport_size({"width": 390, "height": 800})
        for rest in ("", f"/runs/{SHOWN}", f"/runs/{SHOWN}#files", "/sweeps", "/settings"):
            go(page, shown, rest)
            page.wait_for_selector("main h1")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), rest

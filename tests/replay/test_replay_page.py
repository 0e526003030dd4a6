"""The page of `--html` in a real browser: it shows the run, asks nobody, and obeys nothing that was logged."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List

import pytest
from browser import browser  # noqa: F401 - a fixture
from written_runs import START_TIME, run_folder, wandb_command, write_damaged, write_run

from wandb_storage import Alert, ConfigChange, Console, Exit, FileSaved, SystemMetrics

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = "</script><script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
ROWS: List[Dict[str, Any]] = [
    {"loss": 1 / (step + 1), "val/accuracy": step / 2000, "nan": math.nan, HOSTILE: step} for step in range(2000)
]
RECORDS = [
    ConfigChange(json=json.dumps({"lr": 0.01}), time=START_TIME + 5000),
    Console(time=START_TIME, stream=1, text=f"\x1b[31m{HOSTILE}\x1b[0m\nlast line\n"),
    SystemMetrics(time=START_TIME + 1, json='{"cpu": 12.5}'),
    SystemMetrics(time=START_TIME + 9, json='{"cpu": 25.0}'),
    Alert(title=HOSTILE, text="no progress", level="WARN", time=START_TIME),
    FileSaved(path="model.npz", policy="now"),
    Exit(code=0),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("runs") / "wandb"
    write_run(run_folder(home), ROWS, *RECORDS, config={"lr": 0.1, "opt": {"name": HOSTILE}}, name=HOSTILE)
    second = run_folder(home, "second", "20260105_130000")
    write_run(second, [{"loss": 2.0}, {"loss": 1.0}], Exit(code=1), run_id="second", name="other")
    return home


@contextlib.contextmanager
def opened(browser: Browser, path: Path) -> Iterator[Page]:  # noqa: F811
    """The page from the disk, without a network; the test fails where a script complains."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    problems: List[str] = []
    asked: List[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    yield page
    assert asked == [path.as_uri()], "nothing is loaded from anywhere"
    assert page.title() != "owned"
    assert problems == []
    context.close()


def test_the_page_shows_the_run(
    home: Path, tmp_path: Path, browser: Browser, capsys: pytest.CaptureFixture[str]  # noqa: F811
) -> None:  # fmt: skip
    path = tmp_path / "run.html"
    assert wandb_command(capsys, "replay", "abc12345", "--dir", home, "--html", path).code == 0
    assert path.stat().st_size < 1_000_000
    with opened(browser, path) as page:
        chart = page.locator("article.chart", has=page.locator('h2[title="loss"]'))
        assert 256 <= int(chart.get_attribute("data-points") or 0) <= 512
        assert "last value 0.0005" in (chart.locator("canvas").nth(1).get_attribute("aria-label") or "")
        assert page.locator("h1").inner_text() == HOSTILE
        text = page.locator("main").inner_text()
        for expected in ("finished", "opt.name", "0.1 → 0.01", "no progress", "model.npz", "last line", "cpu"):
            assert expected in text
        page.get_by_label("Filter charts").fill("accuracy")
        page.wait_for_function("document.querySelectorAll('.panels')[0].children.length === 1")
        page.get_by_label("Axis").select_option("_runtime")
        accuracy = page.locator('article.chart:has(h2[title="val/accuracy"])')
        assert accuracy.count() == 1
        box = accuracy.locator("canvas").nth(1).bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
        assert "after" in page.locator(".tip").inner_text()


def test_several_runs_share_charts(
    home: Path, tmp_path: Path, browser: Browser, capsys: pytest.CaptureFixture[str]  # noqa: F811
) -> None:  # fmt: skip
    path = tmp_path / "runs.html"
    assert wandb_command(capsys, "replay", home, "--html", path, "--keys", "loss", "--to-step", 100).code == 0
    with opened(browser, path) as page:
        assert page.locator("article.chart").first.get_attribute("data-lines") == "2"
        assert page.locator("h1").count() == 2
        assert page.locator('h2[title="val/accuracy"]').count() == 0


def test_a_damaged_run_has_a_page_too(
    tmp_path: Path, browser: Browser, capsys: pytest.CaptureFixture[str]  # noqa: F811
) -> None:  # fmt: skip
    path = write_damaged(run_folder(tmp_path))
    outcome = wandb_command(capsys, "replay", path, "--html", tmp_path / "run.html")
    assert outcome.code == 1
    with opened(browser, tmp_path / "run.html") as page:
        assert page.locator("article.chart").get_attribute("data-points") == "100"

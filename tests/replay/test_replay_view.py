"""The full-screen view: of running, killed and finished runs, and what its keys do."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Awaitable, Callable, Dict, List

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static
from written_runs import START_TIME, content, run_folder, wandb_command, write_damaged, write_run, writer

from wandb.replay._view import RunView
from wandb.replay._view_charts import Charts
from wandb.replay._view_model import Model
from wandb_storage import Alert, Console, Exit, SystemMetrics

ROWS: List[Dict[str, Any]] = [
    {"loss": 1 / (step + 1), "accuracy": step / 300, "val/loss": 2.0, "note": "text"} for step in range(300)
]
RECORDS = [
    Console(time=1.0, stream=0, text="epoch 1\n50%\r100%\n"),
    SystemMetrics(time=START_TIME + 1, json='{"cpu": 12.5}'),
    SystemMetrics(time=START_TIME + 9, json='{"cpu": 25.0}'),
    Alert(title="flat", text="no progress", level="WARN", time=START_TIME),
    Exit(code=0),
]
Scene = Callable[[RunView, Pilot[None]], Awaitable[None]]


def play(folder: Path, scene: Scene, size: Any = (120, 40)) -> None:
    """Open the view without a terminal, and do what the scene says."""

    async def on_stage() -> None:
        app = RunView(folder)
        async with app.run_test(size=size) as pilot:
            await scene(app, pilot)

    # In a thread of its own: where tests share a browser, its loop runs in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, on_stage()).result()


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Let the view work until something holds."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it doesn't come to hold"
        await pilot.pause(0.02)


def text_of(app: RunView, selector: str) -> str:
    """What a part of the view shows."""
    from rich.console import Console as Terminal

    terminal = Terminal(width=app.size.width, force_terminal=False)
    with terminal.capture() as shown:
        widget: Any = app.query_one(selector)
        terminal.print(widget.render() if isinstance(widget, Charts) else widget.content)
    return shown.get()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("runs")
    write_run(
        run_folder(home, "other", "20260101_000000"), [{"zeta": 1.0}, {"zeta": 2.0}], Exit(code=0), run_id="other"
    )
    return write_run(run_folder(home), ROWS, *RECORDS, config={"lr": 0.1}, name="noisy-hill-3", project="digits")


def test_a_finished_run_is_drawn(folder: Path) -> None:
    before = content(folder)

    async def scene(app: RunView, pilot: Pilot[None]) -> None:
        charts = app.query_one(Charts)
        await until(pilot, lambda: len(charts.names()) == 3)
        assert charts.names() == ["loss", "accuracy", "val/loss"], "a text is no metric"
        await until(pilot, lambda: "finished" in text_of(app, "#headline"))
        assert "noisy-hill-3  digits · id abc12345 · step 299 · 300 rows" in text_of(app, "#headline")
        drawn = text_of(app, "Charts")
        assert "last 0.0033333" in drawn
        assert any(0x2800 < ord(character) < 0x2900 for character in drawn)
        assert max(map(len, drawn.splitlines())) <= 120

    play(folder, scene)
    assert content(folder) == before


def test_each_tab_shows_its_part(folder: Path) -> None:
    async def scene(app: RunView, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "finished" in text_of(app, "#headline"))
        await pilot.press("2")
        await until(pilot, lambda: "lr" in text_of(app, "#overview"))
        for expected in ("config", "summary", "accuracy", "flat: no progress", "exit code 0"):
            assert expected in text_of(app, "#overview")
        await pilot.press("3")
        await until(pilot, lambda: "cpu" in text_of(app, "#machine Charts"))
        assert "last 25" in text_of(app, "#machine Charts")
        await pilot.press("4")
        await pilot.pause()
        console: Any = app.query_one("ConsolePane")
        lines = ["".join(segment.text for segment in console.render_line(y)).rstrip() for y in range(2)]
        assert lines == ["epoch 1", "100%"]

    play(folder, scene)


def test_charts_are_filtered_zoomed_and_drawn_alone(folder: Path) -> None:
    async def scene(app: RunView, pilot: Pilot[None]) -> None:
        charts = app.query_one(Charts)
        await until(pilot, lambda: charts.whole() == (0, 299))
        await pilot.press("slash", *"loss")
        await until(pilot, lambda: charts.names() == ["loss", "val/loss"])
        await pilot.press("enter")
        assert not app.query_one("#filter", Input).has_class("shown")
        await pilot.press("escape")
        assert len(charts.names()) == 3
        await pilot.press("right", "enter")
        assert charts.current == "accuracy"
        assert charts.on_page() == ["accuracy"]
        await pilot.press("plus")
        newest = charts.range
        assert newest == (150, 299)
        await until(pilot, lambda: charts.detail is not None)
        assert charts.detail is not None
        assert charts.detail.series["accuracy"].count == 150
        await pilot.press("less_than_sign")
        farther = charts.range
        assert farther is not None
        assert farther[0] < newest[0]
        await pilot.press("minus", "minus")
        assert charts.whole() == (0, 299)
        assert charts.wants_detail is None
        await pilot.press("l", "s", "x")
        assert (charts.logarithmic, charts.smoothing, charts.times) == (True, 0.6, True)
        assert "log" in text_of(app, "Charts")
        assert "s " in text_of(app, "Charts").splitlines()[-1], "a time at the axis"

    play(folder, scene)


def test_pages_hold_what_fits(tmp_path: Path) -> None:
    row = {f"metric{number:02}": float(number) for number in range(9)}
    folder = write_run(run_folder(tmp_path), [row, row], Exit(code=0))

    async def scene(app: RunView, pilot: Pilot[None]) -> None:
        charts = app.query_one(Charts)
        await until(pilot, lambda: len(charts.names()) == 9)
        first = charts.on_page()
        assert 1 < len(first) < 9
        await pilot.press("pagedown")
        assert charts.on_page()[0] == f"metric{len(first):02}"
        for _ in range(9):
            await pilot.press("pagedown")
        assert charts.current == "metric08"

    play(folder, scene, (80, 24))


def test_a_page_is_read_as_exactly_as_it_can_show_when_it_is_shown(tmp_path: Path) -> None:
    rows = [{f"metric{number:02}": float(number + step) for number in range(9)} for step in range(100)]
    folder = write_run(run_folder(tmp_path), rows, Exit(code=0))

    async def scene(app: RunView, pilot: Pilot[None]) -> None:
        charts = app.query_one(Charts)
        await until(pilot, lambda: "finished" in text_of(app, "#headline") and len(charts.names()) == 9)
        await pilot.press("plus")
        for key in ("pagedown", "pagedown", "enter"):
            await until(pilot, lambda: charts.wants_detail is None)
            assert charts.detail is not None
            assert all(charts.detail.series[name].count == 50 for name in charts.on_page())
            shown = charts.on_page()
            await pilot.press(key)
            assert charts.on_page() != shown

    play(folder, scene, (80, 24))


def test_what_is_no_longer_shown_is_no_longer_read(folder: Path) -> None:
    looks: List[bool] = []

    def look() -> bool:
        looks.append(False)
        return False

    model = Model(folder)
    while model.follower.look():
        pass
    assert list(model.details(["loss", "accuracy"], 0, 299, look)) == ["loss", "accuracy"]
    assert looks == [False], "of the first batch"
    model.follower.close()


def test_another_run_of_the_folder(folder: Path) -> None:
    async def scene(app: RunView, pilot: Pilot[None]) -> None:
        await pilot.press("r")
        await until(pilot, lambda: bool(app.screen.query(OptionList)))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "id other" in text_of(app, "#headline"))
        await until(pilot, lambda: app.query_one(Charts).names() == ["zeta"])
        await pilot.press("question_mark")
        await until(pilot, lambda: bool(app.screen.query("#keys")))
        assert "another run" in str(app.screen.query_one("#keys", Static).content)
        await pilot.press("escape", "q")

    play(folder, scene)


def test_a_running_run_is_followed_and_its_end_is_told(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with writer(folder) as child:
        child.read_count(100)

        async def scene(app: RunView, pilot: Pilot[None]) -> None:
            charts = app.query_one(Charts)
            await until(pilot, lambda: charts.whole()[1] >= 99)
            await until(pilot, lambda: "running" in text_of(app, "#headline"))
            seen = charts.whole()[1]
            child.read_count(seen + 200)
            await until(pilot, lambda: charts.whole()[1] >= seen + 100)
            child.kill()
            await until(pilot, lambda: "crashed" in text_of(app, "#headline"))
            assert charts.whole()[1] >= child.counted - 1

        play(folder, scene)


def test_damage_is_named(tmp_path: Path) -> None:
    path = write_damaged(run_folder(tmp_path))

    async def scene(app: RunView, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: path.name in text_of(app, "#headline"))
        assert app.query_one(Charts).whole() == (0, 99)

    play(path.parent, scene, (200, 30))


def test_without_a_terminal_the_way_on_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = wandb_command(capsys, "replay", folder, "--view")
    assert outcome.code == 1
    assert "--follow follows it" in outcome.err


@pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")
def test_it_works_in_a_real_terminal(folder: Path, tmp_path: Path) -> None:
    socket = str(tmp_path / "tmux")

    def tmux(*arguments: str) -> str:
        return subprocess.run(["tmux", "-S", socket, *arguments], capture_output=True, text=True, check=True).stdout

    def see(expected: str) -> str:
        deadline = time.monotonic() + 60
        while expected not in (shown := tmux("capture-pane", "-p", "-t", "view")):
            assert time.monotonic() < deadline, shown
            time.sleep(0.05)
        return shown

    command = f"{sys.executable} -m wandb replay {folder} --view; echo left with $?; read line"
    tmux("new-session", "-d", "-s", "view", "-x", "100", "-y", "30", command)
    try:
        see("noisy-hill-3")
        see("last 0.0033333")
        tmux("send-keys", "-t", "view", "2")
        see("exit code 0")
        tmux("resize-window", "-t", "view", "-x", "60", "-y", "20")
        tmux("send-keys", "-t", "view", "1")
        see("accuracy")
        tmux("send-keys", "-t", "view", "q")
        see("left with 0")
    finally:
        tmux("kill-server")

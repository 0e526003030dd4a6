"""Plots: their shape, gaps where nothing finite was logged, bounded memory, any width."""

from __future__ import annotations

import math
from pathlib import Path
from typing import List, Tuple

import pytest
from rich.cells import cell_len
from written_runs import run_folder, write_run

from wandb.replay import Replay
from wandb.replay._charts import Bounds, draw, sparkline
from wandb.replay._series import BUCKETS, Series
from wandb_storage import Alert, Console, Exit, FileSaved


def series(values: List[float], stride: int = 1) -> Series:
    made = Series()
    for index, value in enumerate(values):
        made.add(index * stride, value)
    return made


def line_chart(line: Series, width: int, height: int, steps: Tuple[int, int]) -> List[str]:
    return draw(line.spans(2 * width, *steps), height, Bounds(line.low, line.high))


def test_a_rising_line_rises() -> None:
    line = series([float(n) for n in range(8)])
    assert sparkline(line, 8, (0, 7)) == "▁▂▃▄▅▆▇█"
    assert line_chart(line, 4, 2, (0, 7)) == ["  ⡠⠊", "⡠⠊  "]


def test_what_is_not_finite_leaves_a_gap() -> None:
    line = series([1.0, 2.0, math.nan, math.inf, 1.0, 2.0])
    assert sparkline(line, 6, (0, 5)) == "▁█  ▁█"
    assert (line.low, line.high, line.not_finite) == (1.0, 2.0, 2)


def test_values_logged_now_and_then_are_joined() -> None:
    line = series([0.0, 1.0], stride=10)
    assert sparkline(line, 11, (0, 10)).count(" ") == 0


def test_a_metric_that_starts_late_stands_at_the_right() -> None:
    line = Series()
    for step in range(5, 10):
        line.add(step, float(step))
    assert sparkline(line, 10, (0, 9))[:5] == "     "
    assert " " not in sparkline(line, 10, (0, 9))[5:]


def test_memory_is_bounded_and_no_extreme_is_lost() -> None:
    line = Series()
    for step in range(100_000):
        line.add(step, 1e6 if step == 77_777 else float(step % 7))
    line.add(10**15, 3.0)
    assert len(line.buckets) <= BUCKETS
    assert max(bucket[2] for bucket in line.buckets if bucket) == line.high == 1e6
    assert line.last == 3.0


def test_late_and_negative_steps_are_taken() -> None:
    line = Series()
    for step in (5, 6, -3, 7, 0):
        line.add(step, float(step))
    assert line.count == 5
    assert line.low == -3.0
    sparkline(line, 20, (-3, 7))


@pytest.mark.parametrize("values", [[1e308, -1e308, 1e308], [5e-324, 0.0], [1.0], [2.0, 2.0], [math.nan]])
def test_extreme_values_are_plotted(values: List[float]) -> None:
    line = series(values)
    steps = (0, max(1, len(values) - 1))
    assert [len(row) for row in line_chart(line, 10, 5, steps)] == [10] * 5
    assert len(sparkline(line, 10, steps)) == 10


@pytest.mark.parametrize("width", [24, 40, 60, 80, 104, 140, 250])
def test_no_line_is_wider_than_the_terminal(tmp_path: Path, width: int) -> None:
    rows = [
        {
            "loss": math.exp(-step / 50),
            "a rather long name of a metric/with parts/and more": math.sin(step),
            "精度": step / 100,
            "note": "text " * 30,
            "step": step,
            "flag": True,
        }
        for step in range(200)
    ]
    records = [
        Console(time=1.0, stream=1, text="\x1b[31mred\x1b[0m " + "x" * 300 + "\n\x1b]0;title\x07bell\x07\n"),
        Alert(title="a" * 100, text="b" * 100, level="ERROR"),
        FileSaved(path="f" * 300, policy="live"),
        Exit(code=0),
    ]
    config = {"optimizer": {"name": "adam", "schedule": {"warmup": 10, "text": "y" * 300}}, "学習率": 1, "[red]": {}}
    folder = write_run(run_folder(tmp_path), rows, *records, config=config, name="名前 " * 30, tags=["x" * 40] * 5)
    story = Replay(folder).story(width)
    assert max(cell_len(line) for line in story.splitlines()) <= width
    assert not any(ord(character) < 32 and character != "\n" for character in story)
    assert "[red]" in story
    assert "学習率" in story


def test_the_story_shows_config_summary_history_and_console(tmp_path: Path) -> None:
    rows = [{"loss": 1.0 / (step + 1), "acc": step / 50} for step in range(50)]
    records = [Console(time=1.0, stream=0, text="epoch 1\nepoch 2\n"), Exit(code=0)]
    folder = write_run(run_folder(tmp_path), rows, *records, config={"opt": {"name": "adam"}}, name="noisy-hill-3")
    story = Replay(folder).story(80)
    assert story.startswith("✔ finished  noisy-hill-3")
    for expected in ("  opt\n    name  adam\n", "  loss  0.02\n", "history  50 rows, steps 0 to 49", "epoch 2", "⋮"):
        assert expected in story
    assert any(0x2800 < ord(character) < 0x2900 for character in story)

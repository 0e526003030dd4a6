"""What the program prints and how the machine does, in the run's log."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Dict, List

import pytest

import wandb
from wandb_storage import Reader, RunState, SystemMetrics


def console_of(run: wandb.Run) -> List[str]:
    state = RunState()
    lines: Dict[int, str] = {}
    with Reader(Path(run.sync_dir)) as reader:
        for entry in reader.entries():
            lines.update({line.number: line.text for line in state.apply(entry.record).console})
    return [lines[number] for number in sorted(lines)]


def test_lines_are_captured_and_progress_bars_fold(capsys: pytest.CaptureFixture[str]) -> None:
    with wandb.init(mode="offline", settings={"silent": True}) as run:
        print("first")
        for percent in range(0, 101, 10):
            sys.stderr.write(f"\rprogress {percent}%")
        sys.stderr.write("\n")
        print("last, without an end", end="")
    assert console_of(run) == ["first", "progress 100%", "last, without an end"]
    captured = capsys.readouterr()
    assert captured.out == "first\nlast, without an end"
    assert "progress 50%" in captured.err


def test_the_streams_are_given_back() -> None:
    before = (sys.stdout.write, sys.stderr.write)
    with wandb.init(mode="offline"):
        assert sys.stdout.write != before[0]
    assert (sys.stdout.write, sys.stderr.write) == before


def test_console_off_captures_nothing() -> None:
    with wandb.init(mode="offline", settings={"console": "off", "silent": True}) as run:
        print("unheard")
    assert console_of(run) == []


def test_the_machine_is_sampled_at_once() -> None:
    with wandb.init(mode="offline") as run:
        pass
    with Reader(Path(run.sync_dir)) as reader:
        samples = [entry.record for entry in reader.entries() if isinstance(entry.record, SystemMetrics)]
    assert len(samples) == 1
    values = json.loads(samples[0].json)
    assert values["proc.memory.rssMB"] > 1
    assert {"cpu", "memory_percent", "disk./.usagePercent", "proc.cpu.threads"} <= set(values)

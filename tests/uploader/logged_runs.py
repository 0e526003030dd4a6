"""Runs for uploaders to bring somewhere, and what a server must hold of them afterwards."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from w_b_server import ServedRun

from wandb_storage import Exit, Log, Reader, RowFlag, RunStart, RunState

CHILD_ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}


class Clock:
    """Time that passes when somebody sleeps, and only then."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: List[float] = []
        self.on_sleep: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        self.on_sleep()


def new_folder(wandb_dir: Path, run_id: str = "r1", prefix: str = "run") -> Path:
    folder = wandb_dir / f"{prefix}-20260102_030405-{run_id}"
    (folder / "files").mkdir(parents=True)
    return folder


def start_log(folder: Path, url: str = "", run_id: str = "r1", **start: Any) -> Log:
    """A new log that begins as the client's do."""
    log = Log.create(folder, run_id)
    settings = json.dumps({"base_url": url} if url else {})
    fields: Dict[str, Any] = {"run_id": run_id, "project": "p", "time": 1000.0, "settings": settings, "version": "1.0"}
    log.append(RunStart(**{**fields, **start}))
    return log


def log_rows(log: Log, count: int, first: int = 0) -> None:
    for step in range(first, first + count):
        log.append_row({"loss": 1 / (step + 1), "step": step}, step, 1000.0 + step, RowFlag.COMMIT)


def end(log: Log, code: int = 0) -> None:
    log.append(Exit(code=code, time=2000.0, runtime=1000.0))
    log.close()


def finished_run(wandb_dir: Path, url: str = "", rows: int = 10, run_id: str = "r1", **start: Any) -> Path:
    folder = new_folder(wandb_dir, run_id)
    log = start_log(folder, url, run_id, **start)
    log_rows(log, rows)
    end(log)
    return folder


def cursor_of(wandb_dir: Path) -> Path:
    (path,) = (wandb_dir / ".uploader").glob("*/*.json")
    return path


class Fold:
    """What a log adds up to."""

    def __init__(self, folder: Path) -> None:
        self.rows: List[Any] = []
        self.events: List[Any] = []
        self.console: Dict[int, str] = {}
        self.state = RunState()
        with Reader(folder) as reader:
            for entry in reader.entries():
                completed = self.state.apply(entry.record)
                self.rows += completed.rows
                self.events += completed.system
                self.console.update((line.number, line.text) for line in completed.console)


def check_same(run: ServedRun, folder: Path, before: Optional[Dict[str, int]] = None) -> None:
    """The server holds the log's rows, events, console lines and summary, each once and in its place."""
    fold = Fold(folder)
    assert run.conflicts == 0, "a line was rewritten by another"
    before = before or {}
    assert as_text(run.rows()[before.get("history", 0) :]) == as_text(fold.rows)
    assert as_text(run.rows("wandb-events.jsonl")) == as_text(fold.events)
    lines = [line.split(" ", 2 if line.startswith("ERROR ") else 1)[-1] for line in run.rows("output.log")]
    assert lines == [fold.console[number] for number in sorted(fold.console)]
    if not before:
        assert as_text({**run.summary, "_wandb": 0}) == as_text({**fold.state.summary, "_wandb": 0})


def as_text(value: Any) -> str:
    """NaN equals itself as text only."""
    return json.dumps(value, sort_keys=True)


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it didn't come to that in time"
        time.sleep(0.01)

"""The examples in the documentation of replay's Python side are true."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any, Dict, List

import pytest
from written_runs import START_TIME, run_folder, write_run

import wandb
from wandb.replay import History, Replay, replay
from wandb_storage import Console, Exit, SystemMetrics

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "replay.md"


def examples() -> List[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    names = {"replay": replay, "wandb": wandb}
    found = [*finder.find(Replay, "Replay", globs=names), *finder.find(History, "History", globs=names)]
    return [one for one in found if one.examples]


@pytest.mark.parametrize("example", examples(), ids=lambda one: one.name)
def test_the_example_of(example: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_DIR", raising=False)
    rows = [{"loss": 1 / (step + 1)} for step in range(200)]
    write_run(run_folder(tmp_path / "wandb", offline=True), rows, Exit(code=0), settings="{}")
    assert doctest.DocTestRunner(verbose=False).run(example).failed == 0


def test_the_python_of_the_document_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_DIR", raising=False)
    rows = [{"loss": 1 / (step + 1)} for step in range(1100)]
    records = [Console(time=START_TIME, text="hello\n"), SystemMetrics(time=START_TIME, json='{"cpu": 1.5}')]
    folder = run_folder(tmp_path / "wandb", offline=True)
    write_run(folder, rows, *records, Exit(code=0), config={"lr": 0.1}, settings="{}")
    (code,) = re.findall("```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    known: Dict[str, Any] = {}
    exec(code, known)
    assert known["run"].run_id == "abc12345"
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 3, "the run, its fork, and where it went back"

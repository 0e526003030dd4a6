"""The examples in the documentation of replay's Python side are true."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import List

import pytest
from written_runs import run_folder, write_run

import wandb
from wandb.replay import History, Replay, replay
from wandb_storage import Exit


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

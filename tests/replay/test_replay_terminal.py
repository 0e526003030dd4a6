"""The story in a terminal: colours where they are wanted, the terminal's width, and the same text in a pipe."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from written_runs import in_terminal, in_terminal_of, run_folder, wandb_command, write_run

import wandb
from wandb.replay import Replay
from wandb_storage import Exit

_COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]")
_ANY_SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"loss": 1 / (step + 1), "accuracy": step / 100} for step in range(100)]
    return write_run(run_folder(tmp_path), rows, Exit(code=0), config={"lr": 0.1}, name="noisy-hill-3")


@pytest.mark.parametrize("columns", [50, 80, 140])
def test_the_story_fits_the_terminal(folder: Path, columns: int) -> None:
    shown = in_terminal(folder, columns)
    assert _COLOUR.search(shown)
    assert max(len(line) for line in _ANY_SEQUENCE.sub("", shown).splitlines()) <= columns


def test_no_color_is_obeyed(folder: Path) -> None:
    assert not _COLOUR.search(in_terminal(folder, 80, NO_COLOR="1"))


@pytest.mark.parametrize("columns", [30, 50, 80, 140])
def test_a_list_gives_way_and_cuts_no_number(tmp_path: Path, columns: int) -> None:
    write_run(run_folder(tmp_path), [{"a": 1}] * 1234, name="a-name-of-some-length", project="digits")
    shown = _ANY_SEQUENCE.sub("", in_terminal_of(columns, ["-m", "wandb", "ls", str(tmp_path)]))
    lines = [line.split() for line in shown.splitlines()]
    assert max(map(len, shown.splitlines())) <= columns
    assert lines[0][0] == "RUN"
    assert lines[1][0] == "abc12345"
    assert "1,234" in lines[1]
    assert ("NAME" in lines[0]) == (columns >= 80)
    assert "\x1b[" not in in_terminal_of(columns, ["-m", "wandb", "ls", str(tmp_path)], NO_COLOR="1", TERM="dumb")


@pytest.mark.parametrize("no_color", ["", "1"])
def test_long_work_shows_how_far_it_is(no_color: str) -> None:
    code = (
        "import wandb.cli._progress as progress\n"
        "progress._AFTER_SECONDS = 0.0\n"
        "with progress.shown('reading', 'rows') as show:\n"
        "    show(250_000, 1_000_000)\n"
        "print('done')\n"
    )
    shown = in_terminal_of(80, ["-c", code], NO_COLOR=no_color)
    text = _ANY_SEQUENCE.sub("", shown)
    assert "reading" in text
    assert "25% 250,000 of 1,000,000 rows" in text
    assert shown.endswith("done\n")
    assert bool(_COLOUR.search(shown)) == (not no_color)


def test_a_pipe_gets_the_text_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = wandb_command(capsys, "replay", folder)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == Replay(folder).story(100)
    assert "\x1b" not in outcome.out


def test_the_package_is_the_function(folder: Path) -> None:
    package: Any = importlib.import_module("wandb.replay")
    function: Any = vars(wandb)["replay"]
    assert function(folder).rows == package(folder).rows == package.replay(folder).rows == 100


def test_public_names_are_there() -> None:
    package = importlib.import_module("wandb.replay")
    assert package.__all__ == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)

"""The command starts at once, imports what it needs and nothing else, and says what went wrong in one line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional

import pytest

from wandb.cli import _COMMANDS, FAILED, NO_RUN

HEAVY = ["ariadne", "graphql", "numpy", "pandas", "requests", "rich", "sqlalchemy", "starlette", "uvicorn"]


def run_wandb(
    arguments: List[str], folder: Optional[Path] = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    known: Dict[str, str] = {**os.environ, "TERM": "xterm-256color", **environment}
    return subprocess.run(
        [sys.executable, "-m", "wandb", *arguments],
        cwd=folder, env=known, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def imported(statement: str) -> List[str]:
    """The modules that a statement loads, besides those that Python itself does."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("statement", ["import wandb.cli", "import wandb.cli.replay", "import wandb.replay"])
def test_what_takes_long_to_import_is_not_imported(statement: str) -> None:
    loaded = {name.partition(".")[0] for name in imported(statement)}
    assert loaded & set(HEAVY) == set()


def test_commands_are_imported_by_name() -> None:
    loaded = imported("import wandb.cli")
    assert [name for name in loaded if name.startswith("wandb.cli.")] == []
    assert "wandb.server" not in loaded
    assert "wandb.replay" not in loaded


def test_the_list_of_commands_names_every_command() -> None:
    outcome = run_wandb(["--help"], COLUMNS="80")
    listed = outcome.stdout.partition("Commands:")[2].partition("Examples:")[0]
    for command, place in _COMMANDS.items():
        assert (re.search(rf"\n  (?:[a-z-]+, )*{command}[, \n]", listed) is None) == place.hidden, command
    assert len(outcome.stdout.splitlines()) <= 40


@pytest.mark.parametrize("arguments", [["nonsense"], ["replay", "--nonsense"], ["verify", "a", "b"]])
def test_a_senseless_command_line_ends_with_2(arguments: List[str]) -> None:
    outcome = run_wandb(arguments)
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("Usage: ")
    assert outcome.stdout == ""


def test_an_error_is_a_line_on_stderr_and_an_exit_code(tmp_path: Path) -> None:
    outcome = run_wandb(["replay", "nobody"], tmp_path)
    assert outcome.returncode == NO_RUN
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("wandb: ERROR there is no run nobody")
    assert outcome.stderr.count("\n") == 1
    shown = run_wandb(["replay", "nobody"], tmp_path, WANDB_DEBUG="true")
    assert shown.returncode == FAILED
    assert "Traceback" in shown.stderr


def test_the_version_is_the_distributions() -> None:
    from importlib.metadata import PackageNotFoundError, version

    outcome = run_wandb(["--version"])
    try:
        assert outcome.stdout == f"wandb, version {version('wandb')}\n"
    except PackageNotFoundError:
        assert outcome.returncode == 1
        assert "not installed" in outcome.stderr

"""What the shells complete, each asked itself: commands, options, runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest
from shells import write_run

_BASH = """
eval "$(wandb completion bash)"
ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _wandb_completion wandb; echo "${COMPREPLY[*]}"; }
ask wandb rep
ask wandb replay --tensor
ask wandb replay abc
ask wandb replay la
"""
_FISH = """
wandb completion fish | source
complete -C "wandb rep"
complete -C "wandb replay --tensor"
complete -C "wandb replay abc"
complete -C "wandb replay la"
"""
# Zsh completes in a terminal only, so its own completion is asked for what it would offer.
_ZSH = """
autoload -Uz compinit && compinit -u
eval "$(wandb completion zsh)"
compadd() { local name=${@[-1]}; print -r -- "${(P)name}"; }
_describe() { local name=$3; print -r -- "${${(P)name}%%:*}"; }
ask() { words=("$@"); CURRENT=$#; _wandb_completion; }
ask wandb rep
ask wandb replay --tensor
ask wandb replay abc
ask wandb replay la
"""


@pytest.fixture
def environment(tmp_path: Path) -> Dict[str, str]:
    """A folder with a run, and `wandb` on the PATH."""
    write_run(tmp_path, "abc12345", 1)
    program = tmp_path / "bin" / "wandb"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m wandb "$@"\n')
    program.chmod(0o755)
    known = {name: value for name, value in os.environ.items() if "WANDB" not in name}
    return {**known, "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}


@pytest.mark.parametrize(("shell", "script"), [("bash", _BASH), ("zsh", _ZSH), ("fish", _FISH)])
def test_commands_options_and_runs_are_completed(
    shell: str, script: str, tmp_path: Path, environment: Dict[str, str]
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    done = subprocess.run(
        [shell, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    lines = [line.split("\t")[0].split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert lines == ["replay", "--tensorboard", "abc12345", "latest"], (done.stdout, done.stderr)

"""Trials as processes: started by an agent, stopped on request, and told apart by how they ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Collection, Dict, List, Optional, Sequence

from .._processes import KILL_DELAY_SECONDS, Processes
from ..sdk._folders import make_wandb_folder
from ._home import RESUME, Command, SweepHome
from ._macros import trial_command


def trial_environment(home: SweepHome, command: Command, parameters: Path) -> Dict[str, str]:
    """What a trial's `wandb.init` finds in its environment."""
    resume = {"WANDB_RESUME": "allow"} if command.kind == RESUME else {}
    return {
        **home.environment,
        "WANDB_SWEEP_ID": home.id,
        "WANDB_RUN_ID": command.run_id,
        "WANDB_SWEEP_PARAM_PATH": str(parameters),
        **resume,
    }


def write_parameters(home: SweepHome, command: Command) -> Path:
    """The file with a trial's values, from which `wandb.init` puts them into the config. Raises OSError."""
    import yaml

    folder = make_wandb_folder(os.environ.get("WANDB_DIR", "")) / f"sweep-{home.id}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"config-{command.run_id}.yaml"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        yaml.safe_dump({"wandb_version": 1, **command.arguments}, file)
    return path


class Trials(Processes):
    """The processes of one agent, by the ids of their runs."""

    def __init__(
        self,
        home: SweepHome,
        command: Optional[Sequence[Any]],
        program: Optional[str],
        own_group: bool,
        kill_delay: float = KILL_DELAY_SECONDS,
    ) -> None:
        """own_group: keep the terminal's signals from the trials, for an agent that passes on its own."""
        super().__init__(own_group, kill_delay)
        self._home, self._command, self._program = home, command, program

    def begin(self, command: Command, held: Collection[int] = ()) -> List[str]:
        """Start a trial, which inherits some descriptors; returns its command line. Raises UsageError, OSError."""
        parameters = write_parameters(self._home, command)

        def json_file(text: str) -> str:
            path = parameters.with_suffix(".json")
            path.write_text(text)
            return str(path)

        words = trial_command(self._command, self._program, command.arguments, json_file)
        environment = {**os.environ, **trial_environment(self._home, command, parameters)}
        self.start(command.run_id, words, environment, pass_fds=tuple(held))
        return words

"""Trials as processes: started by an agent, stopped on request, and told apart by how they ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set

from ..sdk._folders import make_wandb_folder
from ._home import RESUME, Command, SweepHome
from ._macros import trial_command

# Between asking a trial to end and killing it.
KILL_DELAY_SECONDS = 30.0


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


class Trials:
    """The processes of one agent."""

    def __init__(
        self,
        home: SweepHome,
        command: Optional[Sequence[Any]],
        program: Optional[str],
        own_group: bool,
        kill_delay: float = KILL_DELAY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """own_group: keep the terminal's signals from the trials, for an agent that passes on its own."""
        self._home, self._command, self._program, self._own_group = home, command, program, own_group
        self._kill_delay, self._clock = kill_delay, clock
        self._processes: Dict[str, subprocess.Popen[bytes]] = {}
        self._asked: Dict[str, float] = {}  # when a trial was asked to end

    def start(self, command: Command) -> List[str]:
        """Start a trial; returns its command line. Raises UsageError, OSError."""
        parameters = write_parameters(self._home, command)

        def json_file(text: str) -> str:
            path = parameters.with_suffix(".json")
            path.write_text(text)
            return str(path)

        words = trial_command(self._command, self._program, command.arguments, json_file)
        environment = {**os.environ, **trial_environment(self._home, command, parameters)}
        self._processes[command.run_id] = subprocess.Popen(words, env=environment, start_new_session=self._own_group)
        return words

    @property
    def alive(self) -> Set[str]:
        """The runs whose processes go on, as the last `ended` saw it."""
        return set(self._processes)

    def ended(self) -> Mapping[str, int]:
        """The exit codes of trials that have ended since the last call. Kills those that were asked too long ago."""
        now = self._clock()
        found: Dict[str, int] = {}
        for run, process in list(self._processes.items()):
            code = process.poll()
            if code is not None:
                found[run] = code
                del self._processes[run]
                self._asked.pop(run, None)
            elif run in self._asked and now - self._asked[run] >= self._kill_delay:
                self._send(process, signal.SIGKILL)
        return found

    def stop(self, run: str) -> None:
        """Ask a trial to end; it is killed if it doesn't."""
        process = self._processes.get(run)
        if process is not None and run not in self._asked:
            self._asked[run] = self._clock()
            self._send(process, signal.SIGTERM)

    def signal_all(self, number: int) -> None:
        """Send a signal to every trial."""
        for process in self._processes.values():
            self._send(process, number)

    def _send(self, process: subprocess.Popen[bytes], number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._own_group:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)

"""The command in a folder with a home and a key of its own, and runs to be found there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from wandb_storage import Exit, Log, RowFlag, RunStart, boot_id

KEY = "0123456789abcdef" * 2 + "01234567"
_SECONDS = 120.0


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def write_run(
    home: Path, run_id: str, rows: int, offline: bool = True, end: bool = True, tags: Sequence[str] = ()
) -> Path:
    """A run with rows; without `end` nothing says how it ended."""
    folder = home / "wandb" / f"{'offline-' if offline else ''}run-20260105_120000-{run_id}"
    (folder / "files").mkdir(parents=True)
    with Log.create(folder, run_id) as log:
        log.append(
            RunStart(
                run_id=run_id, project="digits", name=f"name of {run_id}", time=1.7e9, host=socket.gethostname(),
                pid=1, boot_id=boot_id(), settings="{}", tags=list(tags),
            )
        )  # fmt: skip
        for step in range(rows):
            log.append_row({"loss": 1.0 / (step + 1)}, step, 1.7e9 + step, int(RowFlag.COMMIT))
        if end:
            log.append(Exit(code=0, time=1.7e9 + rows))
    return folder


class Outcome(NamedTuple):
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


class Zygote:
    """The process of which each command is a fork."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, arguments: Sequence[str], folder: Path, environment: Dict[str, str]) -> Outcome:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"arguments": list(arguments), "folder": str(folder), "environment": environment}
        # A command that hangs takes this process with it, and the test sees what it was.
        watch = threading.Timer(_SECONDS, self._process.kill)
        watch.start()
        try:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            watch.cancel()
        assert line, f"wandb {' '.join(arguments)} didn't end in {_SECONDS:g} s"
        answer = json.loads(line)
        return Outcome(answer["code"], answer["out"], answer["err"])

    def close(self) -> None:
        self._process.communicate()


class Shell:
    """Runs the command in a folder, with a home and a key of its own."""

    command = (sys.executable, "-m", "wandb")

    def __init__(self, folder: Path, zygote: Zygote) -> None:
        self.folder = folder
        self._zygote = zygote
        known = {name: value for name, value in os.environ.items() if "WANDB" not in name}
        self.environment: Dict[str, str] = {**known, "HOME": str(folder), "NETRC": str(folder / "netrc")}
        self.environment.update(WANDB_CONFIG_DIR=str(folder / "config"), WANDB_API_KEY=KEY)

    def __call__(self, *arguments: str, key: Optional[str] = None) -> Outcome:
        environment = {**self.environment, **({"WANDB_API_KEY": key} if key else {})}
        return self._zygote.run(arguments, self.folder, environment)

    def start(self, *arguments: str, key: Optional[str] = None) -> subprocess.Popen[str]:
        """The command in a process of its own, for what goes on meanwhile."""
        environment = {**self.environment, **({"WANDB_API_KEY": key} if key else {})}
        return subprocess.Popen(
            [*self.command, *arguments], cwd=self.folder, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def status(self) -> Dict[str, Any]:
        runs: List[Dict[str, Any]] = json.loads(self("status", "--json").stdout)["runs"]
        return {run["id"]: run for run in runs}

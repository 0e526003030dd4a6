"""The command in a folder with a home and a key of its own, and runs to be found there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

from wandb_storage import Exit, Log, RowFlag, RunStart, boot_id

KEY = "0123456789abcdef" * 2 + "01234567"


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def write_run(home: Path, run_id: str, rows: int, offline: bool = True, end: bool = True) -> Path:
    """A run with rows; without `end` nothing says how it ended."""
    folder = home / "wandb" / f"{'offline-' if offline else ''}run-20260105_120000-{run_id}"
    (folder / "files").mkdir(parents=True)
    with Log.create(folder, run_id) as log:
        log.append(
            RunStart(
                run_id=run_id, project="digits", name=f"name of {run_id}", time=1.7e9, host=socket.gethostname(),
                pid=1, boot_id=boot_id(), settings="{}",
            )
        )  # fmt: skip
        for step in range(rows):
            log.append_row({"loss": 1.0 / (step + 1)}, step, 1.7e9 + step, int(RowFlag.COMMIT))
        if end:
            log.append(Exit(code=0, time=1.7e9 + rows))
    return folder


class Shell:
    """Runs the command in a folder, with a home and a key of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        known = {name: value for name, value in os.environ.items() if "WANDB" not in name}
        self.environment: Dict[str, str] = {**known, "HOME": str(folder), "NETRC": str(folder / "netrc")}
        self.environment.update(WANDB_CONFIG_DIR=str(folder / "config"), WANDB_API_KEY=KEY)

    def __call__(self, *arguments: str, key: Optional[str] = None) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, **({"WANDB_API_KEY": key} if key else {})}
        return subprocess.run(
            [sys.executable, "-m", "wandb", *arguments],
            cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def status(self) -> Dict[str, Any]:
        runs: List[Dict[str, Any]] = json.loads(self("status", "--json").stdout)["runs"]
        return {run["id"]: run for run in runs}

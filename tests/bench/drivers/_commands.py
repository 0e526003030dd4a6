"""How long commands take from the shell, each in a new interpreter."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

from ._client import Client


def command_start(client: Client, folder: str, arguments: List[str], rounds: int) -> Dict[str, Any]:
    """Seconds until a command has ended. The first round fills the page cache and is not counted."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    line = [str(Path(sys.executable).with_name("wandb")), *arguments]
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        subprocess.run(line, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds[1:]}


def runs_of_a_row(client: Client, folder: str, runs: int) -> None:
    """So many finished runs, offline."""
    for _ in range(runs):
        client.open(Path(folder))({"loss": 0.5})
        client.close()

"""Processes that write logs, for tests that kill or starve them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, List

WRITE_FOR_EVER = """
import os, sys
from pathlib import Path
from wandb_storage import Log
log = Log.create(Path(sys.argv[1]), "r") if sys.argv[2] == "create" else Log.open(Path(sys.argv[1]))
step = int(sys.argv[3])
while True:
    log.append_row({"loss": step * 0.5, "step": step}, step, 1.0, 2)
    step += 1
    os.write(1, b".")  # the count is kept outside: one byte for each append that has returned
"""


def start(script: str, *arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
    """A child that runs a script with this interpreter's packages."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
        env=environment, stdout=subprocess.PIPE, **options,
    )  # fmt: skip


def output(script: str, *arguments: Any, **options: Any) -> List[str]:
    """What a child prints; it has to end well."""
    with start(script, *arguments, **options) as child:
        printed, _ = child.communicate(timeout=60)
    assert child.returncode == 0, printed.decode()
    return printed.decode().splitlines()


def killed_after(folder: Path, how: str, step: int, appends: int) -> int:
    """Let a child write at full speed and kill it when it has appended so many; how many it had."""
    with start(WRITE_FOR_EVER, folder, how, step) as child:
        assert child.stdout is not None
        counted = 0
        while counted < appends:
            counted += len(os.read(child.stdout.fileno(), 1 << 16))
        child.send_signal(signal.SIGKILL)
        counted += len(child.stdout.read())
    return counted

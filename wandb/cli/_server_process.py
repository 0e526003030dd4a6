"""`wandb server start` and `stop`: the server in a process of its own, which outlives the terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

import click

from . import fail

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05
_LOG_LINES = 10


def start(data: Path, arguments: List[str], environment: Mapping[str, str]) -> None:
    """Start the server and return when it answers; say where it is."""
    data = data.expanduser()
    holder = running(data)
    if holder is not None:
        fail(f"a server (process {holder}) uses {data} already; `wandb server stop` ends it")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = data / "server.log"
    with tempfile.TemporaryDirectory(prefix="wandb-server-") as place:
        ready = Path(place) / "ready.json"
        line = [sys.executable, "-P", "-m", "wandb"] if sys.version_info >= (3, 11) else [sys.executable, "-m", "wandb"]
        line += ["server", "--data", str(data), "--ready-file", str(ready), *arguments]
        # What it says at its start holds a key, and belongs in no file.
        with open(log, "ab", opener=_private) as output:
            process = subprocess.Popen(
                line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output, start_new_session=True,
                cwd="/", env={**os.environ, **environment},
            )  # fmt: skip
        facts = _wait(process, ready, log)
    click.echo(f"wandb server (process {process.pid}) listens on {facts['url']}; its data is in {data}")
    if facts.get("api_key"):
        click.echo(f"API key, shown this once: {facts['api_key']}")
    click.echo(f"Use it: wandb login --host {facts['url']}    End it: wandb server stop")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _wait(process: subprocess.Popen[bytes], ready: Path, log: Path) -> Dict[str, Any]:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        try:
            facts: Dict[str, Any] = json.loads(ready.read_text())
        except (FileNotFoundError, ValueError):
            facts = {}
        if facts:
            return facts
        if process.poll() is not None:
            break
        time.sleep(_POLL_SECONDS)
    for line in log.read_text(errors="replace").splitlines()[-_LOG_LINES:]:
        click.echo(line, err=True)
    if process.poll() is None:
        process.terminate()
    return fail(f"the server didn't start; {log} tells more")


def running(data: Path) -> Optional[int]:
    """The process that serves a data directory, or None."""
    from wandb_storage import read_held

    held = read_held(data.expanduser() / "lock")
    try:
        return None if held is None else int(held)
    except ValueError:
        return None  # somebody has only begun to write it


def stop(data: Path) -> None:
    """End the server of a data directory, and wait until it has let go of it."""
    holder = running(data)
    if holder is None:
        click.echo(f"no server uses {data.expanduser()}", err=True)
        return
    os.kill(holder, signal.SIGTERM)
    until = time.monotonic() + _STOP_SECONDS
    while running(data) == holder:
        if time.monotonic() >= until:
            fail(f"process {holder} doesn't end; look at {data.expanduser() / 'server.log'}, or kill it")
        time.sleep(_POLL_SECONDS)
    click.echo(f"process {holder} has ended")

"""Runs a script with the official client and with ours, in one environment: only what `import wandb` finds differs.

The libraries, and what both clients need, are installed once. The official client lies in a folder of its own, which
stands in front of everything else on the path when it is its turn.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, NamedTuple, Optional

import pytest
from own_server import Server

OFFICIAL, OURS = "official", "ours"
CLIENTS = (OFFICIAL, OURS)
VERSION = "0.31.0"
_SCRIPTS = Path(__file__).parent / "scripts"
_SECONDS_MAX = 900


class Ran(NamedTuple):
    """How a script ended, and in which folder it ran."""

    folder: Path
    output: str


def official_folder() -> Path:
    """The official client without what it needs, installed once and then reused."""
    home = Path(os.environ.get("WANDB_TEST_PEERS") or Path(__file__).parents[2] / ".tox" / "peers")
    folder = home / f"wandb-{VERSION}-alone"
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{folder.name}.lock").open("w") as lock:  # several workers may want it at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target"]
            if subprocess.run([*install, str(folder), f"wandb=={VERSION}"], check=False).returncode != 0:
                pytest.skip(f"wandb {VERSION} could not be installed")
            (folder / "installed").touch()
    return folder


def run_script(
    client: str, script: str, server: Server, place: Path, project: str, variables: Optional[Dict[str, str]] = None
) -> Ran:
    """Run a script of `scripts/` with one of the clients, as the runs of a project. Fails where it fails."""
    home, folder = place / f"{client}-home", place / client
    home.mkdir()
    folder.mkdir()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LANG", "SSL_CERT_FILE") if name in os.environ},
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONPATH": str(official_folder()) if client == OFFICIAL else "",
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": server.key,
        "WANDB_PROJECT": project,
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_CONSOLE": "off",
        "WANDB_FINISH_TIMEOUT": "inf",
        "NO_PROXY": "127.0.0.1",
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "KERAS_HOME": str(home / ".keras"),
        "MPLBACKEND": "agg",
        # Sums of floats have one order, and two cores are enough.
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **(variables or {}),
    }
    done = subprocess.run(
        [sys.executable, str(_SCRIPTS / f"{script}.py")],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{script} with {client} ended with {done.returncode}:\n{done.stdout[-6000:]}"
    return Ran(folder, done.stdout)

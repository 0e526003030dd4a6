"""The official client in environments of its own, one for each release."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from live_server import LiveServer

# Others are tried where they are asked for: WANDB_TEST_PEER_VERSIONS="0.31.0 0.28.2 0.19.11 0.16.6".
VERSIONS = os.environ.get("WANDB_TEST_PEER_VERSIONS", "0.31.0").split()

# What a release needs beside itself to run on a Python of today.
_COMPANIONS = {"0.16.6": ["setuptools<81", "numpy<2"]}


def peer_python(version: str, *libraries: str) -> Path:
    """A Python that has a release of the official client and some libraries, installed once and then reused."""
    default = Path(__file__).parents[2] / ".tox" / "peers"
    home = Path(os.environ.get("WANDB_TEST_PEERS") or default) / "-".join([f"wandb-{version}", *libraries])
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / f"{home.name}.lock").open("w") as lock:  # several workers may want it at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = home / "installed"
        if not done.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
            packages = [f"wandb=={version}", *_COMPANIONS.get(version, []), *libraries]
            install = [str(python), "-m", "pip", "install", "--quiet", *packages]
            if subprocess.run(install, check=False).returncode != 0:
                pytest.skip(f"wandb {version} could not be installed")
            done.touch()
    return python


class Peer:
    """Runs scripts with the official client against a server."""

    def __init__(self, version: str, server: LiveServer, home: Path) -> None:
        self._python, self._home = peer_python(version), home
        self.release = tuple(map(int, version.split(".")))
        home.mkdir()
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "WANDB_BASE_URL": server.url,
            "WANDB_API_KEY": server.key,
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_CACHE_DIR": str(home / "cache"),
            "NO_PROXY": "127.0.0.1",
        }

    def run(self, script: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._python), "-c", script, *arguments],
            cwd=self._home,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def result(self) -> dict[str, object]:
        value = json.loads((self._home / "result.json").read_text())
        assert isinstance(value, dict)
        return value

"""The clients, their environments, and running a job in one of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from .drivers import _processes

_LAUNCH = Path(__file__).with_name("drivers") / "launch.py"
_INSTALL_SECONDS = 600
JOB_SECONDS = 600
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Every process that a job starts, however far it detaches, inherits this.
_MARK = "BENCH_JOB"


class PeerFailed(Exception):
    """A client could not be installed, or a job of it did not end well."""


@dataclass(frozen=True)
class Peer:
    """A client. `first_log` is a script's way from an imported package to the first row and `finish` what follows."""

    name: str  # of its module in drivers/
    title: str
    requirement: Optional[str]  # None: it is installed where this runs
    slow: bool
    imports: str
    first_log: str
    finish: str
    libraries: Tuple[str, ...] = ()  # beside the client, in an environment of its own

    @property
    def key(self) -> str:
        """The name of its environment."""
        return "-".join((self.name, *self.libraries))


_WANDB = ("import wandb", 'run = wandb.init(project="bench", mode="offline"); run.log({"loss": 1.0})', "run.finish()")
PEERS = [
    Peer("ours", "this client", None, False, *_WANDB),
    Peer("official", "wandb 0.31.0", "wandb==0.31.0", True, *_WANDB),
    Peer(
        "neptune",
        "neptune-scale 0.30.0",
        "neptune-scale==0.30.0",
        True,
        "import neptune_scale",
        'run = neptune_scale.Run(project="bench/bench", run_id="bench", mode="offline"); '
        'run.log_metrics({"loss": 1.0}, step=0)',
        "run.close()",
    ),
    Peer(
        "trackio",
        "trackio 0.43.0",
        "trackio==0.43.0",
        False,
        "import trackio",
        'run = trackio.init(project="bench", embed=False); run.log({"loss": 1.0})',
        "run.finish()",
    ),
]
# No clients, but what a history is often stored as: for the bytes on disk.
FORMATS = [Peer("parquet", "Parquet, zstd (pyarrow 26.0.1)", "pyarrow==26.0.1", False, "", "", "")]
# What proposes the next trial of a sweep.
SEARCHES = [
    Peer("search_ours", "this client", None, False, "", "", ""),
    Peer("search_chance", "by chance", None, False, "", "", ""),
    Peer("search_optuna", "Optuna 5.0.0", "optuna==5.0.0", False, "", "", "", ("scikit-learn==1.9.1",)),
    Peer("search_official", "sweeps 0.3.0", "sweeps==0.3.0", False, "", "", "", ("jsonref==1.1.0",)),
]
OURS, OFFICIAL = "ours", "official"


class Environment:
    """Where one client is installed."""

    def __init__(self, peer: Peer, python: Path, home: Path) -> None:
        self.peer = peer
        self.python = python
        self._home = home

    def run(self, job: str, seconds: float = JOB_SECONDS, **parameters: Any) -> Any:
        """Run a job and return its result, an empty one of a job that kills itself. Raises PeerFailed."""
        result = self._home / f"result-{uuid.uuid4().hex}"
        command = [str(self.python), str(_LAUNCH), self.peer.name, job, json.dumps(parameters), str(result)]
        code, output = self.call(command, seconds)
        if job == "kept" and code == -signal.SIGKILL:
            return {}
        if code != 0 or not result.exists():
            raise PeerFailed(f"{job}: {_last_line(output) or f'exit status {code}'}")
        return json.loads(result.read_text())

    def run_script(self, script: str, cwd: Path) -> str:
        """Run Python source in a folder and return what it prints. Raises PeerFailed."""
        code, output = self.call([str(self.python), "-c", script], JOB_SECONDS, cwd)
        if code != 0:
            raise PeerFailed(_last_line(output) or f"exit status {code}")
        return output

    def call(self, command: List[str], seconds: float, cwd: Optional[Path] = None) -> Tuple[int, str]:
        """(exit status, output) of a command; whatever it leaves behind is ended."""
        mark = uuid.uuid4().hex
        output = self._home / f"output-{mark}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**self._variables(), _MARK: mark},
                cwd=cwd or self._home,
                start_new_session=True,
            )
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                raise PeerFailed(f"did not end within {seconds:.0f} s") from None
            finally:
                _processes.kill(_processes.marked(_MARK, mark))
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return code, output.read_text(errors="replace")

    def _variables(self) -> Dict[str, str]:
        """No credentials, no settings of the user's, no way out: a client that insists on the network meets a closed
        port."""
        kept = ["PATH", "LANG", "LC_ALL"]
        if self.peer.requirement is None:
            kept.append("PYTHONPATH")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "HOME": str(self._home),
            "TMPDIR": str(self._home),
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "DO_NOT_TRACK": "1",
            "WANDB_MODE": "offline",
            "WANDB_SILENT": "true",
            "WANDB_ERROR_REPORTING": "false",
            "NEPTUNE_LOGGER_LEVEL": "critical",
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }


def prepare(peer: Peer, folder: Path, home: Path) -> Environment:
    """The client's environment, made below `folder` where it isn't there yet. Raises PeerFailed."""
    if peer.requirement is None:
        return Environment(peer, Path(sys.executable), home)
    path = folder / peer.key
    python = path / "bin" / "python"
    stamp = path / "bench-stamp"
    requirements = [peer.requirement, *peer.libraries]
    wanted = f"{' '.join(requirements)} for Python {sys.version.split()[0]}"
    if not stamp.exists() or stamp.read_text() != wanted:
        _install([sys.executable, "-m", "venv", "--clear", str(path)])
        _install([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements])
        stamp.write_text(wanted)
    return Environment(peer, python, home)


def _install(command: List[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_INSTALL_SECONDS, env=environment
        )
    except subprocess.TimeoutExpired:
        raise PeerFailed(f"can't be installed: no end within {_INSTALL_SECONDS} s") from None
    if done.returncode != 0:
        raise PeerFailed(f"can't be installed: {_last_line(done.stdout.decode(errors='replace'))}")


def _last_line(output: str) -> str:
    """The line that tells most of a failure: pip's last error, or the last line of a traceback."""
    lines = [line.strip() for line in _COLOUR.sub("", output).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or [""])[-1][:300]

"""Virtual environments for jobs: made once for each list of requirements, and shared by the jobs that have it.

They stand in `~/.cache/wandb/environments` (or WANDB_CACHE_DIR), each with the agent's own interpreter. What the agent
itself can import comes behind what is installed there, `wandb` with it: that is this package, and none of its name is
installed from an index. An environment that no job has used for a month is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import site
import sys
import time
from pathlib import Path
from typing import List, Optional

import wandb
from wandb_storage import LockFile
from wandb_uploader import cache_folder

from ._spec import JobError
from ._steps import Steps

_UNUSED_SECONDS_MAX = 30 * 86400.0
_LOCK_TRIES, _LOCK_PAUSE_SECONDS = 36_000, 0.1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OWN = "wandb"
_LOCAL = ("-e", "--editable", "-r", "--requirement", "-c", "--constraint", ".", "/")
_BEHIND, _COMPLETE = "wandb-agent.pth", "complete"


class Environment:
    """A virtual environment that is complete."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def bin(self) -> Path:
        return self.path / "bin"

    @property
    def python(self) -> Path:
        return self.bin / "python"


def environment_for(requirements: str, code: Optional[Path], own: Path, steps: Steps) -> Environment:
    """The environment with what a job requires; made where there is none.

    code: the folder that relative paths in the requirements mean. own: where an environment stands that is of this job
    alone, since its requirements name files. Raises JobError, OSError.
    """
    lines = _lines(requirements)
    if any(_is_local(line) for line in lines):
        return _make(Environment(own), lines, code, steps)
    root = cache_folder(os.environ) / "environments"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    parts = [sys.version, sys.executable, *_behind(), *sorted(lines)]
    environment = Environment(root / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24])
    lock = LockFile(root / f"{environment.path.name}.lock")
    try:
        if not lock.acquire(tries=1, pause_seconds=0.0):
            steps.say("waiting for another job, which makes the same environment")
            if not lock.acquire(_LOCK_TRIES, _LOCK_PAUSE_SECONDS):
                raise JobError(f"another job has been making the environment {environment.path} for an hour")
        if not (environment.path / _COMPLETE).exists():
            shutil.rmtree(environment.path, ignore_errors=True)
            _make(environment, lines, code, steps)
        os.utime(environment.path)
    finally:
        lock.release()
    steps.say(f"packages: {environment.path}")
    return environment


def hold(environment: Path) -> int:
    """Keep an environment from being removed until the descriptor that is returned is closed. Raises OSError."""
    descriptor = os.open(environment / "used", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def remove_unused(now: Optional[float] = None) -> List[Path]:
    """Remove the environments that no job has used for a month; they are returned."""
    root = cache_folder(os.environ) / "environments"
    removed = []
    for path in root.glob("*") if root.is_dir() else ():
        if not path.is_dir() or (time.time() if now is None else now) - path.stat().st_mtime < _UNUSED_SECONDS_MAX:
            continue
        with contextlib.suppress(OSError), open(path / "used", "ab") as used:
            fcntl.flock(used, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a job may have run for longer
            shutil.rmtree(path)
            removed.append(path)
    return removed


def _lines(requirements: str) -> List[str]:
    """The lines that say something; this package is there anyway."""
    lines = (line.split(" #")[0].strip() for line in requirements.splitlines())
    return [line for line in lines if line and not line.startswith("#") and _name(line) != _OWN]


def _name(line: str) -> str:
    found = _NAME.match(line)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def _is_local(line: str) -> bool:
    """Whether it names a file, which may be another one in the next job."""
    return (
        line.startswith(("-e", "--editable", "-r", "--requirement", "-c", "--constraint", ".", "/")) or "file:" in line
    )


def _make(environment: Environment, lines: List[str], code: Optional[Path], steps: Steps) -> Environment:
    folder = code or environment.path.parent
    steps.run([sys.executable, "-m", "venv", str(environment.path)], folder)
    given = environment.path / "requirements.txt"
    given.write_text("\n".join([*lines, ""]), encoding="utf-8")
    pip = [str(environment.python), "-m", "pip", "--disable-pip-version-check"]
    if lines:
        # Relative paths in a file of requirements are those of the folder where pip runs.
        steps.run([*pip, "install", "--quiet", "-r", str(given)], folder)
        steps.run([*pip, "uninstall", "--quiet", "--yes", _OWN], folder)
    (site_packages,) = (environment.path / "lib").glob("python*/site-packages")
    text = "".join(f"import site; site.addsitedir({entry!r})\n" for entry in _behind())
    (site_packages / _BEHIND).write_text(text, encoding="utf-8")
    (environment.path / _COMPLETE).touch()
    return environment


def _behind() -> List[str]:
    """Where the agent's own packages are."""
    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    own = str(Path(wandb.__file__).parent.parent)
    return [folder for folder in dict.fromkeys([*folders, own]) if os.path.isdir(folder)]

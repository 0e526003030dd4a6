"""Where runs stand on disk: `<root>/wandb/run-YYYYmmdd_HHMMSS-ID/`, with `files/` inside."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from .._terminal import termwarn
from ..errors import UsageError


def wandb_folder(root: str = "") -> Path:
    """The wandb folder below `root`: `wandb`, or `.wandb` where that exists or `wandb` is somebody's package."""
    base = Path(root or ".").absolute()
    hidden, plain = base / ".wandb", base / "wandb"
    return hidden if hidden.is_dir() or (plain / "__init__.py").exists() else plain


def make_wandb_folder(root: str = "") -> Path:
    """`wandb_folder`, made and writable; a folder of this user below the system's temporary one where it can't be."""
    folder = wandb_folder(root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
        reason = "it is not writable"
    except OSError as error:
        reason = error.strerror or str(error)
    import tempfile  # rarely needed, and slow to import

    fallback = Path(tempfile.gettempdir()) / f"wandb-{os.getuid()}" / "wandb"
    fallback.mkdir(parents=True, exist_ok=True, mode=0o700)
    if fallback.parent.stat().st_uid != os.getuid():
        raise UsageError(f"{folder} can't be used ({reason}), and {fallback.parent} belongs to somebody else; set dir=")
    termwarn(f"{folder} can't be used ({reason}); the run is kept in {fallback}")
    return fallback


def new_run_folder(folder: Path, run_id: str, offline: bool) -> Path:
    """Make the folder of a new run, under a name that no other has."""
    now = time.time()
    for attempt in range(1000):
        when = time.strftime("%Y%m%d_%H%M%S", time.localtime(now + attempt))
        path = folder / f"{'offline-' if offline else ''}run-{when}-{run_id}"
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            (path / "files").mkdir()
            return path
    raise UsageError(f"{folder} holds a thousand runs with the id {run_id}; use another id")


def link_latest(run_folder: Path) -> None:
    """Let `latest-run` point to a run. A folder that can't hold links does without."""
    link = run_folder.parent / "latest-run"
    temporary = link.with_name(f".latest-run-{os.getpid()}")
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(run_folder.name, target_is_directory=True)
        os.replace(temporary, link)

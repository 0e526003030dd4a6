"""`run.restore`: a file that a run has saved, for reading."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Iterator, Optional, TextIO

from .._run_folders import run_folders
from ..errors import UsageError


def restore_file(folder: Path, root: Path, name: str, run_path: Optional[str], replace: bool) -> Optional[TextIO]:
    """Open `name` below `root`, copied there from a run's files where it isn't there or `replace` says so.

    `run_path` ([entity/project/]id) names another run; without it, the sessions of the run in `folder` are looked at.
    Raises UsageError for a name that leads out of a run's files.
    """
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise UsageError(f"restore: {name!r} is no path within a run's files")
    target = root / pure
    if replace or not target.is_file():
        source = next(_candidates(folder, pure, run_path), None)
        if source is None:
            return None
        if not target.exists() or not os.path.samefile(source, target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    return target.open(encoding="utf-8")


def _candidates(folder: Path, path: PurePosixPath, run_path: Optional[str]) -> Iterator[Path]:
    """The files of that name, the newest session's first."""
    run_id = run_path.rpartition("/")[2] if run_path else None
    for run in reversed(run_folders(folder.parent)):
        if run.run_id == run_id or (run_id is None and folder.name.endswith(f"-{run.run_id}")):
            source = run.path / "files" / path
            if source.is_file() and (run.path / "files").resolve() in source.resolve().parents:
                yield source

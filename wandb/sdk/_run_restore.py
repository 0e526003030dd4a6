"""`run.restore`: a file that a run has saved, for reading. It comes from this folder, or from the server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Iterator, Optional, TextIO

from .._run_folders import run_folders
from ..errors import UsageError
from ._folders import wandb_folder
from .wandb_settings import Settings, merged


def restore_file(
    folder: Path, root: Path, name: str, run_path: str, replace: bool, settings: Settings
) -> Optional[TextIO]:
    """Open `name` below `root`, copied there from the files of the run `run_path` ([entity/project/]id) where it isn't
    there or `replace` says so. Returns None where there is no such file.

    Raises UsageError for a name that leads out of a run's files, CommError where the file isn't in the folder and the
    server can't be asked.
    """
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise UsageError(f"restore: {name!r} is no path within a run's files")
    target = root / pure
    if replace or not target.is_file():
        source = next(_candidates(folder, pure, run_path.rpartition("/")[2]), None)
        if source is None:
            return None if settings.mode == "offline" else _download(root, pure, run_path, settings)
        if not target.exists() or not os.path.samefile(source, target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    return target.open(encoding="utf-8")


def restore_without_run(name: str, run_path: str, replace: bool, root: Optional[str]) -> Optional[TextIO]:
    """`wandb.restore` before `init`: into the working directory."""
    settings = merged()
    return restore_file(wandb_folder(settings.root_dir), Path(root or "."), name, run_path, replace, settings)


def _download(root: Path, path: PurePosixPath, run_path: str, settings: Settings) -> Optional[TextIO]:
    from ..apis._errors import RefusedError
    from ..apis.public.api import Api

    chosen = {"entity": settings.entity, "project": settings.project, "base_url": settings.base_url}
    api = Api({name: value for name, value in chosen.items() if value}, api_key=settings.api_key)
    try:
        return api.run(run_path).file(path.as_posix()).download(str(root), replace=True)
    except ValueError:
        return None  # there is no such run
    except RefusedError as error:
        if error.status == 404:
            return None  # or it has no such file
        raise


def _candidates(folder: Path, path: PurePosixPath, run_id: str) -> Iterator[Path]:
    """The files of that name, the newest session's first."""
    for run in reversed(run_folders(folder)):
        if run.run_id == run_id:
            source = run.path / "files" / path
            if source.is_file() and (run.path / "files").resolve() in source.resolve().parents:
                yield source

"""Where the runs are, and which one is meant.

`wandb_directory` is the folder that holds the runs, `find_run` finds the one that a person names, `find_runs` several.
"""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
import glob
import os
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Union

from wandb_storage import LogError, LogNotFound, Reader, RunStart, find_run_id

from .._run_folders import RUN_FOLDER_NAME, RunFolder, run_folders

_NAMES = ("wandb", ".wandb")
_LATEST = "latest"
# A file of a run stands at most this deep in its folder: files/media/images/<sub>/<sub>/name.
_PARENTS_MAX = 12
_SUGGESTIONS = 5

AnyPath = Union[str, "os.PathLike[str]"]


def wandb_directory(base: Optional[AnyPath] = None) -> Path:
    """The wandb directory that belongs to `base`: itself, its `wandb` or its `.wandb`, whichever holds runs.

    `base` is by default `$WANDB_DIR`, or else the working directory. Where nothing holds runs, this is the directory
    that a run would make.
    """
    root = Path(base if base is not None else os.environ.get("WANDB_DIR") or ".")
    # A folder `wandb` with Python code in it is somebody's source tree, this project's for one.
    candidates = [root / name for name in _NAMES if not (root / name / "__init__.py").exists()]
    for candidate in (root, *candidates):
        if run_folders(candidate):
            return candidate
    existing = [candidate for candidate in candidates if candidate.is_dir()]
    return (existing or candidates)[0]


def find_run(run: AnyPath = _LATEST, directory: Optional[AnyPath] = None) -> Path:
    """The folder of the run that is meant by an id, the name or path of a folder, any file in it, or `latest`.

    Of a run that the official client wrote, its import where there is one.

    Raises LogNotFound where no run, or more than one, is meant.
    """
    text = os.fspath(run)
    if text == _LATEST:
        return _find_latest(wandb_directory(directory))
    folder = _holding_folder(Path(text).expanduser())
    if folder is not None:
        from wandb_storage import find_import  # which knows the official client's records, and is slow to load

        return find_import(folder) or folder
    home = wandb_directory(directory)
    runs = run_folders(home)
    found = [one.path for one in runs if text in (one.run_id, one.path.name)]
    if len(found) == 1 or (found and _goes_back(found[-1], text)):
        return found[-1]
    if found:
        listed = "".join(f"\n  {path}" for path in found)
        raise LogNotFound(f"{len(found)} runs have the id {text}; name the folder of the one you mean:{listed}")
    raise LogNotFound(_not_found(text, home, runs))


def _goes_back(folder: Path, run_id: str) -> bool:
    """Whether a log took the place of the run's earlier ones, because the run went back to a step."""
    with contextlib.suppress(LogError), Reader(folder) as reader:
        return any(isinstance(one.record, RunStart) and one.record.branch_run == run_id for one in reader.read(1, 1))
    return False


def find_runs(names: Sequence[str], directory: Optional[AnyPath] = None) -> List[Path]:
    """The folders of all runs that are meant: each by what `find_run` takes, a pattern of paths or ids, or a wandb
    directory, which means all runs in it.

    Raises LogNotFound where one of the names means nothing.
    """
    found: Dict[Path, Path] = {}
    for name in names:
        for folder in _meant(name, directory):
            found.setdefault(folder.absolute(), folder)
    return list(found.values())


def _meant(name: str, directory: Optional[AnyPath]) -> List[Path]:
    if glob.has_magic(name) and not os.path.exists(name):
        home = wandb_directory(directory)
        matches = sorted(glob.glob(os.path.expanduser(name)))
        ids = [run.path for run in run_folders(home) if fnmatch.fnmatch(run.run_id, name)]
        if not matches and not ids:
            raise LogNotFound(f"nothing matches {name}, neither a path nor the id of a run in {home}")
        return [folder for match in matches for folder in _meant(match, directory)] or ids
    inside = [run.path for run in run_folders(Path(name).expanduser())]
    return inside or [find_run(name, directory)]


def _find_latest(directory: Path) -> Path:
    runs = run_folders(directory)
    if not runs:
        raise LogNotFound("there are no runs here; name a run's folder, or set WANDB_DIR", directory)
    newest = runs[-1]
    link = directory / "latest-run"
    target = link.resolve()
    for other in runs:
        # Of several that began in the same second the link knows the last.
        if other.stamp == newest.stamp and link.is_symlink() and other.path.resolve() == target:
            return other.path
    return newest.path


def _holding_folder(path: Path) -> Optional[Path]:
    """The run folder that a path names or leads into; None where the path leads to nothing."""
    if not path.exists():
        return None
    for folder in _upwards(path):
        with contextlib.suppress(LogNotFound):
            find_run_id(folder)
            return folder
        if RUN_FOLDER_NAME.fullmatch(folder.name):
            return folder  # without a log, which is for whoever opens it to say
    if path.is_dir() and run_folders(path):
        raise LogNotFound(f"holds {len(run_folders(path))} runs; name one of them", path)
    if path.name != os.fspath(path):
        raise LogNotFound("is neither a run's folder nor inside one", path)
    return None  # a file or folder of that name in the working directory, when an id is meant


def _upwards(path: Path) -> Iterator[Path]:
    absolute = path.absolute()
    if path.is_dir():
        yield path
    for parent in list(absolute.parents)[:_PARENTS_MAX]:
        yield parent
        if RUN_FOLDER_NAME.fullmatch(parent.name):
            return


def _not_found(text: str, directory: Path, runs: List[RunFolder]) -> str:
    if os.sep in text:
        return f"there is no file or folder {text}"
    if not runs:
        return f"there is no run {text}: {directory} holds no runs. Name a run's folder, or set WANDB_DIR"
    ids = list(dict.fromkeys(one.run_id for one in reversed(runs)))
    near = [run_id for run_id in ids if run_id.startswith(text) or text.startswith(run_id)]
    near += [run_id for run_id in difflib.get_close_matches(text, ids, _SUGGESTIONS) if run_id not in near]
    if near:
        return f"there is no run {text} in {directory}; did you mean {', '.join(near[:_SUGGESTIONS])}?"
    listed = ", ".join(ids[:_SUGGESTIONS]) + (", …" if len(ids) > _SUGGESTIONS else "")
    return f"there is no run {text} in {directory}; it holds {listed}"

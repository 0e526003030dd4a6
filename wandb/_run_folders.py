"""The folders of runs in a wandb folder, told by their names: `run-YYYYmmdd_HHMMSS-ID`, `offline-run-…`.

`offline-run-….imported` is the import of a run that the official client wrote, and stands for that one's folder.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import List, NamedTuple

from wandb_storage import IMPORT_SUFFIX, is_log_file

RUN_FOLDER_NAME = re.compile(
    rf"(?P<offline>offline-)?run-(?P<stamp>\d{{8}}_\d{{6}})-(?P<run_id>.+?)(?P<imported>{re.escape(IMPORT_SUFFIX)})?"
)


class RunFolder(NamedTuple):
    """A run's folder, as its name tells it."""

    path: Path
    run_id: str
    stamp: str  # YYYYmmdd_HHMMSS of its start
    offline: bool


def count_run_folders(wandb_dir: Path) -> int:
    """How many runs are in a wandb folder, by the names there: every new run asks."""
    try:
        return sum(name.startswith(("run-", "offline-run-")) for name in os.listdir(wandb_dir))
    except OSError:
        return 0


def folders_of_run(wandb_dir: Path, run_id: str) -> List[str]:
    """The names of a run's folders in a wandb folder, oldest first. By the names alone, as `count_run_folders`: every
    new run that was given an id asks."""
    try:
        names = os.listdir(wandb_dir)
    except OSError:
        return []
    matches = [match for match in map(RUN_FOLDER_NAME.fullmatch, names) if match and match["run_id"] == run_id]
    return [match.string for match in sorted(matches, key=lambda match: match["stamp"])]


def run_folders(directory: Path) -> List[RunFolder]:
    """The run folders of a wandb directory, oldest first; empty where there is none."""
    found: List[RunFolder] = []
    imported = set()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in directory.iterdir():
            match = RUN_FOLDER_NAME.fullmatch(path.name)
            # `latest-run` is a link to one of them, and not another run.
            if match and path.is_dir() and not path.is_symlink():
                found.append(RunFolder(path, match["run_id"], match["stamp"], bool(match["offline"])))
                if match["imported"]:
                    imported.add((match["stamp"], match["run_id"]))
    if imported:
        found = [
            run for run in found
            if run.path.name.endswith(IMPORT_SUFFIX) or (run.stamp, run.run_id) not in imported
        ]  # fmt: skip
    return sorted(found, key=lambda run: (run.stamp, _created(run.path), run.path.name))


def _created(folder: Path) -> float:
    """Tells the order of runs of the same second: nothing in the folder is older than its log's first segment."""
    times = []
    with contextlib.suppress(OSError):
        times = [path.stat().st_ctime for path in folder.iterdir() if is_log_file(path.name)]
    return min(times, default=0.0)

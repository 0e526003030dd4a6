"""The run folders of a wandb directory: which of them may have something to do.

A folder without work is set aside with a stamp, and looked into again when the stamp changes: a look costs two system
calls, however long its log is.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Container, Dict, List, NamedTuple, Set

from wandb_storage import LogError, Reader

from ._cursor import Cursor
from ._home import Home

_log = logging.getLogger("wandb_uploader")


class Stamp(NamedTuple):
    """Changes when a session begins or ends in a run's folder, and when somebody else moves its cursor."""

    folder: int
    cursor: int


class RunFolders:
    """Not safe between threads: whoever uses it holds the lock of the jobs."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._aside: Dict[str, Stamp] = {}  # folders without work
        self._parked: Set[str] = set()  # among them

    def find(self, known: Container[str]) -> List[Path]:
        """Those that may have work, but for the known ones."""
        try:
            with os.scandir(self._home.wandb_dir) as entries:
                found = [entry for entry in entries if entry.name.startswith("run-") and _is_folder(entry)]
        except OSError as error:
            _log.warning("%s can't be read: %s", self._home.wandb_dir, error)
            return []
        return [Path(entry.path) for entry in found if entry.name not in known and not self._is_aside(entry.name)]

    def _is_aside(self, name: str) -> bool:
        """Whether a folder is known to have no work, and hasn't changed since."""
        stamp = self.stamp(name)
        if name not in self._aside:
            cursor = Cursor.load(self._home.cursor_path(name))
            if cursor is None or not cursor.done or cursor.folder_mtime_ns != stamp.folder:
                return False
            self._aside[name] = stamp
        return self._aside[name] == stamp

    def stamp(self, name: str) -> Stamp:
        return Stamp(_mtime_ns(self._home.run_folder(name)), _mtime_ns(self._home.cursor_path(name)))

    def set_aside(self, name: str, cursor: Cursor, before: Stamp, parked: bool) -> None:
        """Nothing is to be done unless the folder or the cursor changes from what they were before the last look."""
        folder = cursor.folder_mtime_ns if cursor.done and not parked else before.folder
        self._aside[name] = Stamp(folder, self.stamp(name).cursor)
        (self._parked.add if parked else self._parked.discard)(name)

    def writer_aside(self) -> bool:
        """Whether a parked run's writer lives: it may be unparked, and its log goes on."""
        for name in self._parked:
            try:
                with Reader(self._home.run_folder(name)) as reader:
                    if reader.writer() is not None:
                        return True
            except LogError:
                continue  # that is why it is parked
        return False


def _mtime_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False

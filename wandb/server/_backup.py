"""A copy of a data directory that a server is using: ``wandb server backup``.

The database is copied as it was at one moment. Bytes are written once and renamed to their place before the database
speaks of them, so every file that the copied database knows is in the copy, if the files are copied after it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

from ._auth import SECRET_FILE
from ._services import DATABASE_FILE


class BackupError(RuntimeError):
    """The copy cannot be made; the message says what to do."""


def back_up(data: Path, target: Path) -> int:
    """Copy a data directory to a new place; the number of its files is returned."""
    if not (data / DATABASE_FILE).exists():
        raise BackupError(f"there is no server data in {data}")
    if target.exists() and any(target.iterdir()):
        raise BackupError(f"{target} is there already and not empty; name a new directory")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    source, copy = sqlite3.connect(data / DATABASE_FILE), sqlite3.connect(target / DATABASE_FILE)
    with contextlib.closing(source), contextlib.closing(copy):
        source.backup(copy)
    os.chmod(target / DATABASE_FILE, 0o600)
    shutil.copy2(data / SECRET_FILE, target / SECRET_FILE)
    return _copy_files(data / "files", target / "files")


def _copy_files(source: Path, target: Path) -> int:
    count = 0
    for folder, folders, names in os.walk(source):
        if Path(folder) == source:
            # What is still coming in is no file yet.
            folders[:] = [name for name in folders if name != "incoming"]
        place = target / Path(folder).relative_to(source)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in names:
            # Deleted since the folder was listed: then no copied row speaks of it for long.
            with contextlib.suppress(FileNotFoundError):
                shutil.copy2(Path(folder) / name, place / name)
                count += 1
    return count

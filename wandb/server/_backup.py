"""A copy of a data directory that a server is using: ``wandb server backup``.

The database is copied as it was at one moment. Bytes are written once and renamed to their place before the database
speaks of them, so every file that the copied database knows is in the copy, if the files are copied after it. The copy
gets its name when it is whole and on the disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from ._auth import SECRET_FILE
from ._services import DATABASE_FILE

# Called with the bytes that are copied and with all that there are.
Show = Callable[[int, int], object]

# Pages of the database between two looks at how far it is; readers and writers of it don't wait for the copy.
_PAGES_AT_ONCE = 16_384


class BackupError(RuntimeError):
    """The copy cannot be made; the message says what to do."""


def back_up(data: Path, target: Path, show: Show = lambda done, total: None) -> int:
    """Copy a data directory to a new place; the number of its files is returned."""
    if not (data / DATABASE_FILE).exists():
        raise BackupError(f"there is no server data in {data}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(f"{target} is there already and not empty; name a new directory")
    partial = target.with_name(f"{target.name}.partial")
    if partial.exists():
        # Of a copy that broke off.
        shutil.rmtree(partial)
    partial.mkdir(mode=0o700, parents=True)
    size = (data / DATABASE_FILE).stat().st_size
    total = size + sum(_size(path) for path in _files(data / "files"))
    _copy_database(data / DATABASE_FILE, partial / DATABASE_FILE, lambda part: show(int(size * part), total))
    shutil.copy2(data / SECRET_FILE, partial / SECRET_FILE)
    count = 0
    for path in _files(data / "files"):
        place = partial / path.relative_to(data)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Deleted since the folder was listed: then no copied row speaks of it for long.
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(path, place)
            count += 1
            size += _size(place)
            show(min(size, total), total)
    (partial / "files").mkdir(mode=0o700, exist_ok=True)
    os.sync()
    os.rename(partial, target)
    return count


def _copy_database(source: Path, target: Path, show: Callable[[float], object]) -> None:
    def progress(status: int, remaining: int, pages: int) -> None:
        show(1 - remaining / max(1, pages))

    database, copy = sqlite3.connect(source), sqlite3.connect(target)
    with contextlib.closing(database), contextlib.closing(copy):
        # A page that is written meanwhile makes SQLite begin anew, so all are read as they were at one moment.
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM sqlite_master")
        database.backup(copy, pages=_PAGES_AT_ONCE, progress=progress)
    os.chmod(target, 0o600)


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        if Path(place) == folder:
            # What is still coming in is no file yet.
            folders[:] = [name for name in folders if name != "incoming"]
        for name in names:
            yield Path(place) / name


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0

"""trackio, into its local SQLite database, which a thread of the logging process writes twice a second.

It keeps every project of a process in one folder, `TRACKIO_DIR`, so each run is a project.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sqlite3
from pathlib import Path
from typing import Any, Iterable

from . import _client


class Client:
    def __init__(self) -> None:
        self.run: Any = None

    def open(self, folder: Path) -> _client.LogCall:
        # The folder is read once, at the import.
        os.environ.setdefault("TRACKIO_DIR", str(folder / "trackio"))
        trackio = importlib.import_module("trackio")
        self.run = trackio.init(project=folder.name, embed=False)
        return self.run.log  # type: ignore[no-any-return]

    def close(self) -> None:
        self.run.finish()

    def count(self, folder: Path) -> int:
        for path in folder.glob("trackio/*.db"):
            with contextlib.closing(sqlite3.connect(path)) as database, contextlib.suppress(sqlite3.OperationalError):
                return int(database.execute("SELECT count(*) FROM metrics").fetchone()[0])
        return 0  # no database, or one in which no table was made yet

    def log_files(self, folder: Path) -> Iterable[Path]:
        return folder.glob("trackio/*.db*")

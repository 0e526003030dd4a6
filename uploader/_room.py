"""Making room in a wandb directory that is over its budget: the oldest parts of logs go that every server has.

What a server has is what its cursor says. A run counts as finished when every server that has a cursor for it has all
of it, files and end included, and the server that it was logged for is among them.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from concurrent.futures import Executor
from pathlib import Path
from typing import Callable, List, Optional

from wandb_storage import Acknowledged, Reader, RetentionReport, RunStart, beginning, retain

from ._budget import read_budget
from ._cursor import Cursor
from ._errors import UploaderRunning
from ._home import STATES_FOLDER, FileLock, Home
from ._status import destination_of

# Between two looks at a directory in which nothing ends.
LOOK_SECONDS = 300.0
_log = logging.getLogger("wandb_uploader")


def make_room(wandb_dir: Path, budget_bytes: int, remove: bool = True) -> RetentionReport:
    """Remove what all servers have of the oldest runs until the directory fits the budget. Without `remove`, only tell
    what would go. Raises OSError where the directory can't be read."""
    folders = [path for path in Path(wandb_dir).iterdir() if path.is_dir() and not path.is_symlink()]
    runs = [path for path in folders if path.name.startswith(("run-", "offline-run-"))]
    with contextlib.ExitStack() as locks:

        def ask(folder: Path) -> Acknowledged:
            # Whoever uploads a run reads what is about to go; nobody begins to, either, until all is done.
            if remove and not _locked(folder, locks):
                return Acknowledged(0, False, "it is being uploaded")
            return acknowledged(folder)

        return retain(runs, budget_bytes, ask, remove)


def acknowledged(folder: Path) -> Acknowledged:
    """What all the servers of a run have of it. Raises LogError where its log can't be read."""
    with Reader(folder) as reader:
        log_uuid = reader.identity.log_uuid
        state = beginning(reader).state
        entries = [] if state.sessions else reader.read(1, 1)
    start: object = state.start if state.sessions else entries[0].record if entries else None
    cursors: List[Cursor] = []
    for path in _states(folder):
        cursor = Cursor.load(path / f"{folder.name}.json")
        if cursor is None and (path / f"{folder.name}.damaged").exists():
            return Acknowledged(0, False, "what a server has of it isn't known: its cursor was damaged")
        if cursor is not None and cursor.log_uuid == log_uuid:
            cursors.append(cursor)
    wanted = destination_of(start) if isinstance(start, RunStart) and not folder.name.startswith("offline-") else ""
    if not cursors or (wanted and wanted not in [cursor.base_url for cursor in cursors]):
        return Acknowledged(
            0, False, f"{wanted} has nothing of it yet" if wanted else "no server has anything of it yet"
        )
    for cursor in cursors:
        if not cursor.done or cursor.parked or cursor.parked_files or cursor.parked_items:
            return Acknowledged(0, False, f"{cursor.base_url} hasn't all of it")
    return Acknowledged(min(cursor.next for cursor in cursors) - 1, True)


def _locked(folder: Path, locks: contextlib.ExitStack) -> bool:
    """Take the locks of all who may upload a run; False where somebody has one."""
    for path in _states(folder):
        cursor = Cursor.load(path / f"{folder.name}.json")
        if cursor is None:
            continue
        lock = FileLock(Home(folder.parent, cursor.base_url).run_lock_path(folder.name))
        try:
            lock.acquire({"folder": folder.name}, tries=1)
        except (UploaderRunning, OSError):
            return False
        locks.callback(lock.release)
    return True


def _states(folder: Path) -> List[Path]:
    try:
        return [path for path in (folder.parent / STATES_FOLDER).iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []


class RoomKeeper:
    """Looks after the budget of a directory, now and then and whenever a run is done."""

    def __init__(self, wandb_dir: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._wandb_dir = wandb_dir
        self._clock = clock
        self._due: Optional[float] = None  # now
        self._busy = threading.Lock()

    @property
    def busy(self) -> bool:
        return self._busy.locked()

    def request(self) -> None:
        """A run is done."""
        self._due = None

    def look(self, pool: Executor) -> None:
        """Begin to make room if it is time. Returns at once."""
        now = self._clock()
        if (self._due is not None and now < self._due) or not self._busy.acquire(blocking=False):
            return
        self._due = now + LOOK_SECONDS
        pool.submit(self._work)

    def _work(self) -> None:
        try:
            budget = read_budget(self._wandb_dir)
            if budget is not None:
                _say(make_room(self._wandb_dir, budget))
        except OSError as error:
            _log.warning("%s: no room can be made: %s", self._wandb_dir, error)
        except BaseException:
            _log.exception("a fault while making room")
        finally:
            self._busy.release()


def _say(report: RetentionReport) -> None:
    for one in report.removed:
        _log.info(
            "removed %s, records %d to %d, %d bytes: %s",
            one.path, one.first_sequence, one.last_sequence, one.bytes, one.reason,
        )  # fmt: skip
    if report.removed:
        _log.info("%d bytes are left, of a budget of %d", report.after_bytes, report.budget_bytes)

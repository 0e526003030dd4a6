"""Uploading one run in the foreground, with the same cursor as the uploader process."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Callable, Dict, Mapping, Optional

from ._cursor import Cursor
from ._destination import Destination
from ._errors import CredentialsRefused, TransientError, UploaderRunning
from ._home import Home
from ._pace import POLL_SECONDS
from ._retry import Attempts
from ._run_upload import Parked, RunUpload
from ._status import RunStatus, status_of
from ._target import AS_LOGGED, Target

Progress = Callable[[RunStatus], None]


@dataclasses.dataclass(frozen=True)
class UploadResult:
    """How an upload ended: `done`, `parked`, or neither where the run's writer lives and it was not to be followed."""

    folder: Path
    run_id: str
    url: str
    rows: int
    bytes: int
    done: bool
    parked: str  # the reason
    parked_files: Dict[str, str]
    parked_items: Dict[str, str]  # lines and alerts


def upload(
    folder: Path,
    base_url: str,
    *,
    progress: Optional[Progress] = None,
    follow: bool = False,
    retry_parked: bool = False,
    give_up_seconds: Optional[float] = None,
    target: Target = AS_LOGGED,
    environment: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> UploadResult:
    """Bring one run, online or offline, to a server; return when it is done or parked.

    Where the uploader process is at the same run, its progress is shown. A run that is still being written is followed
    to its end with `follow`; otherwise what is committed is sent. A failing server is asked again until it answers, or
    until nothing has moved for `give_up_seconds`; then the last TransientError is raised. Raises CredentialsRefused,
    wandb_storage.LogNotFound, and OSError where the state beside the run can't be kept.
    """
    folder = Path(os.path.abspath(folder))
    home = Home(folder.parent, base_url)
    home.create()
    destination = Destination(home.base_url, environment, clock)
    run = RunUpload(home, folder, clock, retry_parked, target)
    attempts = Attempts()
    failing_since = 0.0
    try:
        while True:
            wait: Optional[float]
            try:
                wait = run.advance(destination)
                if not run.undecided:
                    attempts.succeeded()
                    run.note_progress()
            except UploaderRunning:
                wait = _follow_other(home.cursor_path(folder.name + target.suffix), run)
            except Parked:
                wait = None
            except CredentialsRefused as error:
                if not destination.pause(error):
                    raise CredentialsRefused(destination.paused) from None
                wait = 0.0
            except TransientError as error:
                failing_since = failing_since if attempts.count else clock()
                wait = attempts.failed(error, time.time())
                run.note_trouble(error, attempts.since or time.time(), time.time() + wait)
                if give_up_seconds is not None and clock() - failing_since >= give_up_seconds:
                    raise
            if progress is not None:
                progress(status_of(folder, run.cursor))
            if wait is None or (run.alive and not follow and wait > 0 and not attempts.count):
                return _result(folder, run.cursor)
            sleep(wait)
    finally:
        run.close()
        destination.close()


def _follow_other(path: Path, run: RunUpload) -> Optional[float]:
    """Somebody else has the run's lock: take the cursor as they keep it."""
    cursor = Cursor.load(path)
    if cursor is not None:
        run.cursor = cursor
    return POLL_SECONDS


def _result(folder: Path, cursor: Cursor) -> UploadResult:
    reached = status_of(folder, cursor)
    return UploadResult(
        folder, reached.run_id, reached.url, reached.rows_acked, reached.bytes_acked, reached.done,
        reached.parked_reason, reached.parked_files, reached.parked_items,
    )  # fmt: skip

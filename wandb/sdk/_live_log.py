"""Where a run's log is written: in the run's folder, or on a local disk while the run goes on.

On a network filesystem neither locks nor maps can be relied on, so the log lives on a disk of this machine there and
comes into the run's folder when the run ends. The settings `live_log` and `local_log_dir` are for those who know
better.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Optional

from wandb_storage import Log, LogElsewhere, LogError, LogInUse, log_folder

from .._terminal import termlog, termwarn
from .wandb_settings import Settings


def create_log(folder: Path, settings: Settings) -> Log:
    """The log of a new run. Raises LogError where none can be kept."""
    assert settings.run_id is not None
    root = _local_root(folder, settings)
    if root is not None:
        from wandb_storage import create_away

        with _stays(folder):
            log = create_away(folder, settings.run_id, root, termwarn, settings.durability)
            _tell(folder, log.folder)
            return log
    return Log.create(folder, settings.run_id, warn=termwarn, durability=settings.durability)


def open_log(folder: Path, settings: Settings) -> Log:
    """The log of a run to go on with. Raises LogInUse while somebody has it, or another LogError."""
    root = _local_root(folder, settings)
    if root is not None:
        from wandb_storage import send_away

        with _stays(folder):
            _tell(folder, send_away(folder, root))
    return Log.open(folder, warn=termwarn, durability=settings.durability)


def bring_log_home(folder: Path) -> None:
    """At the end of a run: let its folder have the log. A failure leaves it where it is, and is said."""
    try:
        if log_folder(folder) != folder:
            from wandb_storage import bring_home

            bring_home(folder)
    except LogInUse:
        pass  # the uploader is doing it
    except LogError as error:
        termwarn(f"the run's log stays on the local disk ({error}); to bring it home, run: wandb sync {folder}")


def _local_root(folder: Path, settings: Settings) -> Optional[Path]:
    """The local folder for live logs, or None where the log of this run stays in the run's folder."""
    if settings.live_log == "run":
        return None
    from wandb_storage import filesystem_of

    if settings.live_log == "auto" and filesystem_of(folder).holds_live_logs:
        return None
    from wandb_storage import FilesystemKind, local_root  # which no ordinary run needs

    with _stays(folder):
        root, filesystem = local_root(settings.local_log_dir)
        if filesystem.kind is FilesystemKind.MEMORY:
            termwarn(f"{root} is in memory: until the run ends, its log doesn't survive a restart of this machine")
        return root
    return None


class _stays(contextlib.AbstractContextManager[None]):
    """Where the log can't be kept on a local disk, it stays in the run's folder, which is said."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __exit__(self, kind: object, error: Optional[BaseException], traceback: object) -> bool:
        if not isinstance(error, LogError) or isinstance(error, (LogInUse, LogElsewhere)):
            return False
        termwarn(f"the run's log is written to {self._folder}, on a network filesystem, which risks it: {error}")
        return True


def _tell(folder: Path, place: Path) -> None:
    from wandb_storage import filesystem_of

    kind = filesystem_of(folder).type
    termlog(f"{folder.parent} is on {kind}, so the run's log is written to {place}; it moves home when the run ends")

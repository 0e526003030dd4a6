"""The media of a run: files below `media/` in its folder, each under a name that holds its digest.

A file is complete, and in the page cache of the operating system, before the record that names it is appended: it
survives the death of the process as the row does. The log brings it to the disk before it commits that record, so that
both survive a power loss together.

Where the disk refuses, media wait in memory up to a bound, as records do, and are written when it takes them; the row
is logged in any case.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Set

from wandb_storage import FileSaved, Record, Telemetry, dump_json

from .._terminal import termwarn
from ..data_types._content import Content
from ..data_types._sink import NameOf
from ..errors import DataError, Error

if TYPE_CHECKING:
    from ..data_types._base import WBValue
    from ._run_artifacts import RunArtifacts

# Media that the disk refuses wait in memory, up to this much of them.
WAITING_BYTES_MAX = 64 << 20


# A batch often holds the same bytes twice: of so many files it is known that they are recorded.
_RECENT_MAX = 1_000

_numbers = itertools.count()


class RunMedia:
    """The media of one run in one process; safe between threads, and in a signal handler that interrupts one."""

    def __init__(self, root: Path, append: Callable[[Record], None], sync_first: Callable[[Path], None]) -> None:
        """`sync_first` is told of each file, and of each folder that gets one, before `append` gets the record."""
        self._root = str(root)
        self._append, self._sync_first = append, sync_first
        self._lock = threading.RLock()
        self._folders: Set[str] = set()  # that exist
        self._recent: Dict[str, None] = {}  # files that are recorded, the newest last
        self.labels: Dict[str, Any] = {}  # `kind:key`, as the log has them
        self._waiting: Dict[str, bytes] = {}
        self._waiting_bytes = 0
        self._lost = 0
        self._warned = False

    def keep(self, content: Content, name_of: NameOf) -> str:
        """Keep a medium's bytes; return their path in the run's files. Raises DataError where they can't be read."""
        if self._waiting:
            self._write_waiting()
        path = name_of(content) if content.in_memory else ""
        if path not in self._recent:
            try:
                path = self._write(content, name_of)
            except OSError as error:
                return self._put_off(content, name_of, error)
            self._record(path)
        content.moved_to(f"{self._root}/{path}")
        return path

    def keep_labels(self, kind: str, key: str, labels: Any) -> None:
        """Keep in the run's config what is the same for all steps: how a chart is drawn, the names of classes."""
        name = f"{kind}:{key}"
        text = dump_json({name: labels})
        with self._lock:
            if self.labels.get(name) == labels:
                return
            self.labels[name] = labels
        self._append(Telemetry(json=text, time=time.time()))

    def finish(self) -> None:
        """Write what waits, and say what is lost."""
        self._write_waiting()
        lost = self._lost + len(self._waiting)
        if lost:
            termwarn(f"the disk refused {lost} media of the run until its end; their rows name files that aren't there")

    # --- writing ------------------------------------------------------------------------------------------------------

    def _write(self, content: Content, name_of: NameOf) -> str:
        """Write the bytes under a temporary name, and then under the one that their digest gives them."""
        temporary = f"{self._folder('media')}/.{os.getpid()}.{next(_numbers)}.saving"
        try:
            with _open_new(temporary) as file:
                content.copy_to(file)
            path = name_of(content)
            self._folder(os.path.dirname(path))
            os.replace(temporary, f"{self._root}/{path}")
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        return path

    def _folder(self, name: str) -> str:
        """A folder below the run's files, made where it isn't there yet."""
        folder = f"{self._root}/{name}"
        if folder not in self._folders:
            missing: List[Path] = []
            parent = Path(folder)
            while not parent.is_dir():
                missing.append(parent)
                parent = parent.parent
            for one in reversed(missing):
                with contextlib.suppress(FileExistsError):
                    one.mkdir(0o700)
                self._sync_first(one.parent)
            self._folders.add(folder)
        return folder

    def _record(self, path: str) -> None:
        target = Path(self._root, path)
        self._sync_first(target)
        self._sync_first(target.parent)
        self._append(FileSaved(path=path, policy="now", time=time.time()))
        with self._lock:
            self._recent[path] = None
            if len(self._recent) > _RECENT_MAX:
                del self._recent[next(iter(self._recent))]

    # --- when the disk refuses ----------------------------------------------------------------------------------------

    def _put_off(self, content: Content, name_of: NameOf, error: OSError) -> str:
        try:
            data = content.read()
        except OSError as unreadable:
            raise DataError(f"the file of a medium can't be read: {unreadable}") from unreadable
        held = Content.of_bytes(data, content.extension)
        path = name_of(held)
        with self._lock:
            if self._waiting_bytes + len(data) <= WAITING_BYTES_MAX:
                self._waiting[path] = data
                self._waiting_bytes += len(data)
            else:
                self._lost += 1
            warned, self._warned = self._warned, True
        self._folders.clear()  # somebody may have removed one
        if not warned:
            termwarn(
                f"the disk refuses a medium ({error.strerror or error}: {self._root}/{path}). Logging goes on; media "
                f"wait in memory, up to {WAITING_BYTES_MAX >> 20} MiB, and are written when the disk takes them"
            )
        return path

    def _write_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        for path, data in list(waiting.items()):
            content = Content(data, None, "", "")
            try:
                self._write(content, lambda content, path=path: path)  # type: ignore[misc]
            except OSError:
                break
            del waiting[path]
            self._record(path)
        with self._lock:
            for path, data in waiting.items():
                self._waiting[path] = data
                self._waiting_bytes += len(data)


def log_table(run: RunArtifacts, table: WBValue, name: str, type: str, entry: str, incremental: bool) -> None:
    """Log an artifact that holds a table with its types and media. A disk that refuses costs the artifact, and not the
    row: the first rows of the table are in the run's file all the same."""
    from .artifacts._internal_artifact import InternalArtifact

    try:
        artifact = InternalArtifact(name, type, incremental=incremental)
        artifact.add(table, entry)
        run.log_artifact(artifact)
    except DataError:
        raise
    except (Error, OSError) as error:
        termwarn(f"the table {entry} is kept without an artifact, so only its first rows and no media: {error}")


def _open_new(path: str) -> Any:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb")

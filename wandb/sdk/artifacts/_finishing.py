"""What is left to do of an artifact that was logged: the hashes of its large files, and a full sync.

It is done in the background of the process that logged it. A process that ends before leaves it to the next one: the
uploader, `wandb sync`, or a run that uses the artifact.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Dict, Mapping, Optional

from wandb_storage import LogError, LogInUse, OwnerFile, Staged, StagedHeader

from ..._terminal import termwarn
from .._progress_bar import Progress
from ._hashing import Hashing
from .exceptions import ArtifactError


class Finishing:
    """One artifact on its way from logged to finished."""

    def __init__(self, staged: Staged, lock: OwnerFile, hashes: Mapping[str, Hashing], size: int) -> None:
        """hashes: of large files, by the names that they have."""
        self._staged, self._lock, self._hashes = staged, lock, dict(hashes)
        self._done = threading.Event()
        self._pid = os.getpid()
        self.size = size  # bytes to hash

    @property
    def is_ours(self) -> bool:
        """Whether it is this process, and not one that it was forked from, that does it."""
        return self._pid == os.getpid()

    @property
    def bytes_hashed(self) -> int:
        return sum(hashing.bytes_done for hashing in self._hashes.values())

    def run(self) -> None:
        try:
            digests = {name: hashing.result() for name, hashing in self._hashes.items()}
            self._staged.finish(digests, self._lock)
            names = {entry.digest: entry.file for entry in self._staged.entries() if entry.file}
            for hashing in self._hashes.values():
                hashing.kept_at = self._staged.folder / names[hashing.result()]
        except (LogError, OSError) as error:
            termwarn(f"an artifact could not be brought to the disk yet: {error}; the upload tries it again")
        finally:
            self._lock.close()
            self._done.set()
            _pending.pop(self._staged.folder, None)

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Whether it is done."""
        return self._done.wait(timeout)


# Those of this process, by their folders.
_pending: Dict[Path, Finishing] = {}


def start_finishing(staged: Staged, lock: OwnerFile, hashes: Mapping[str, Hashing], size: int) -> None:
    """Begin, in a thread of its own: it waits for hashes most of the time."""
    finishing = Finishing(staged, lock, hashes, size)
    _pending[staged.folder] = finishing
    threading.Thread(target=finishing.run, name="wandb-artifact", daemon=True).start()


def finished(staged: Staged) -> StagedHeader:
    """The header with the digest, after waiting for the hashes or computing them. Raises ArtifactError where another
    process is at it, LogError, OSError."""
    pending = _pending.get(staged.folder)
    if pending is not None and pending.is_ours:
        pending.wait()
    try:
        return staged.finish()
    except LogInUse:
        raise ArtifactError(
            f"another process is hashing the artifact in {staged.folder}; try again when it has logged it"
        ) from None


def wait_for_all(run_folder: Path) -> None:
    """Wait for what a run has logged; Ctrl-C lets go, and leaves it to the uploader."""
    mine = [one for folder, one in list(_pending.items()) if run_folder in folder.parents and one.is_ours]
    if not mine:
        return
    total = sum(one.size for one in mine)
    try:
        with Progress("hashing artifacts", total, "bytes") as progress:
            shown = 0
            while not all(one.wait(0.1) for one in mine):
                now = sum(one.bytes_hashed for one in mine)
                progress.advance(now - shown)
                shown = now
    except KeyboardInterrupt:
        termwarn("the artifacts are not hashed yet; the upload does it")


def _enter_child() -> None:
    _pending.clear()


os.register_at_fork(after_in_child=_enter_child)

"""An artifact that a run of this process has logged, on its way to having a number."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Optional, Tuple

from wandb_storage import Staged

from ..._terminal import termlog
from ...errors import CommError
from ._finishing import finished
from ._local import LocalVersion, local_of

if TYPE_CHECKING:
    from ...apis._client import Client
    from ..wandb_settings import Settings

_POLL_SECONDS = 0.1
# Who waits longer than this is told what for.
_SAID_SECONDS = 5.0


class Logged:
    """Where it is staged, and who numbers it: a server, or this machine."""

    def __init__(self, staged: Staged, run_folder: Path, client_id: str, settings: Settings) -> None:
        self.staged = staged
        self._run_folder, self._client_id, self._settings = run_folder, client_id, settings

    @property
    def is_local(self) -> bool:
        """Whether no server is going to number it while its run lasts."""
        return self._settings.mode in ("offline", "disabled")

    def local(self) -> Optional[LocalVersion]:
        """Its place among the versions of this machine; None where a server gives it one, or it is a part of a version
        only."""
        if self._settings.mode == "disabled":
            header = finished(self.staged)
            return LocalVersion(self.staged, header, 0, ["latest", *header.about.get("aliases", ())])
        return local_of(self._run_folder.parent, self.staged) if self.is_local else None

    def wait(self, timeout: Optional[float], patient: bool = True) -> Optional[Tuple[Client, str]]:
        """The server and its id there, when the server has all of it; None after `timeout` seconds, or, without
        patience, while the server can't be reached. Raises CommError where it was refused."""
        from wandb_uploader import run_status

        from ...apis._client import client_for
        from .._upload import start_uploader

        if self.is_local:
            raise CommError("the artifact was logged offline, as a part of a version that others write too")
        start_uploader(self._run_folder.parent, self._settings)  # the one that init started may have been stopped
        began = time.monotonic()
        said = False
        while True:
            status = run_status(self._run_folder, self._settings.base_url)
            if status is not None:
                if status.parked_reason:
                    raise CommError(f"the run's upload is parked: {status.parked_reason}")
                if self._client_id in status.artifacts:
                    outcome = status.artifacts[self._client_id]
                    if outcome.refused:
                        raise CommError(f"the server didn't take the artifact: {outcome.refused}")
                    return client_for(self._settings), outcome.id
                if status.last_error and not patient:
                    return None
            waited = time.monotonic() - began
            if timeout is not None and waited >= timeout:
                return None
            if waited > _SAID_SECONDS and not said:
                said = True
                why = f": {status.last_error}" if status is not None and status.last_error else ""
                termlog(f"waiting until the artifact is at {self._settings.base_url}{why}")
            time.sleep(_POLL_SECONDS)


# By the run's folder and the collection, what this process has logged last.
_latest: Dict[Tuple[Path, str], Logged] = {}


def note_logged(run_folder: Path, name: str, logged: Logged) -> None:
    _latest[run_folder, name] = logged


def wait_for_own(run_folder: Path, name: str) -> None:
    """Let a run that asks for a version see what it has logged itself, as far as the server can be reached."""
    logged = _latest.get((run_folder, name))
    if logged is not None:
        with contextlib.suppress(CommError):  # one that was refused is no version
            logged.wait(None, patient=False)
            _latest.pop((run_folder, name), None)

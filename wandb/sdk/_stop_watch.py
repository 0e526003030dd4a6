"""Somebody pressed "stop" on the run's page: the program gets a KeyboardInterrupt, as from Ctrl-C at its terminal."""

from __future__ import annotations

import _thread
import threading
from pathlib import Path

from ._terminal import termwarn

# The uploader hears of it with its next request, so looking more often would find nothing sooner.
_LOOK_SECONDS = 1.0


class StopWatch:
    """Looks whether the server wants the run to stop: one look at a file, which the uploader writes."""

    def __init__(self, folder: Path, base_url: str, since: float) -> None:
        self._folder, self._base_url, self._since = folder, base_url, since
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look_regularly, name="wandb-stop", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _look_regularly(self) -> None:
        from wandb_uploader import stop_requested

        while not self._stopped.wait(_LOOK_SECONDS):
            if stop_requested(self._folder, self._base_url, self._since):
                termwarn("the run is stopped from its page")
                _thread.interrupt_main()
                return

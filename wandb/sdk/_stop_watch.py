"""Somebody pressed "stop" on the run's page: the program gets a KeyboardInterrupt, as from Ctrl-C at its terminal."""

from __future__ import annotations

import _thread
from pathlib import Path
from typing import Callable

from .._terminal import termwarn
from ._loading import loading
from ._periodic import Periodic

# The uploader hears of it with its next request, so looking more often would find nothing sooner.
_LOOK_SECONDS = 1.0


def stop_watch(
    folder: Path, base_url: str, since: float, stop: Callable[[], None] = _thread.interrupt_main
) -> Periodic:
    """Looks whether the server wants the run to stop, and calls `stop`: one look at a file, which the uploader
    writes."""

    def look() -> bool:
        with loading:
            from wandb_uploader import stop_requested

        if not stop_requested(folder, base_url, since):
            return True
        termwarn("the run is stopped from its page")
        stop()
        return False

    return Periodic("wandb-stop", _LOOK_SECONDS, look)

"""What an uploader leaves for others to read while something is wrong with its server: for `status`, and for whoever
starts a run with another key."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Optional, Set

from ._cursor import Trouble
from ._home import Home, write_atomically

_log = logging.getLogger("wandb_uploader")


class Notes:
    """Of one wandb directory and server. A disk that doesn't take a note has trouble of its own."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def clear(self) -> None:
        self.paused(None)
        self.trouble(None)

    def paused(self, refused: Optional[Set[str]]) -> None:
        """The server refuses the keys of these fingerprints; None: it takes the one there is."""
        self._keep(self._home.paused_path, None if refused is None else json.dumps(sorted(refused)))

    def trouble(self, trouble: Optional[Trouble]) -> None:
        """Why nothing can be sent; None: nothing is wrong."""
        self._keep(self._home.trouble_path, None if trouble is None else json.dumps(dataclasses.asdict(trouble)))

    def _keep(self, path: Path, text: Optional[str]) -> None:
        try:
            if text is None:
                path.unlink(missing_ok=True)
            else:
                write_atomically(path, text.encode())
        except OSError as error:
            _log.warning("%s: %s", path, error)

"""`wandb replay --view`: the full-screen view, where there is a terminal and the library for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from . import fail

if TYPE_CHECKING:
    from wandb.replay._mirror import Mirror


def view(folder: Path, mirror: Optional[Mirror] = None, origin: str = "") -> None:
    """Show the run until the person leaves; that of a server has a mirror, a copy of any kind an origin."""
    # Textual draws on stderr, so that stdout can be redirected.
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or os.environ.get("TERM") == "dumb":
        fail("the view needs a terminal; without one, `wandb replay` tells the run and --follow follows it")
    from wandb.replay._needs import need

    need("textual", '"wandb[view]"', "the full-screen view")
    from wandb.replay._view import RunView

    RunView(folder, mirror, origin).run()

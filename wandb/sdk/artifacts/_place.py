"""Where drafts are staged."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .. import _globals


def staging_home() -> Path:
    """The wandb folder of the active run, into which its files move without being copied; without a run, the one that
    the next run will have."""
    run = _globals.active_run()
    if run is not None and not run.disabled:
        return Path(run.sync_dir).parent
    from .._folders import make_wandb_folder
    from ..wandb_settings import merged

    settings = merged()
    if settings.mode == "disabled" or run is not None:
        folder = Path(tempfile.gettempdir()) / f"wandb-{os.getuid()}"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder
    return make_wandb_folder(settings.root_dir)

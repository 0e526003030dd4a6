"""A run that the official client wrote and nobody has imported: told from an import that goes with its last reader."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Optional

from ._replay import Replay


def official_run(folder: Path) -> Optional[Replay]:
    """The run in a folder of the official client; None for any other folder.

    Nothing is written beside it, and its files are left where they are. Raises LogDamaged where nothing of its file can
    be read.
    """
    from wandb_storage import import_official, official_file

    file = official_file(folder)
    if file is None:
        return None
    place = tempfile.TemporaryDirectory(prefix="wandb-replay-")
    stand_in = Path(place.name) / folder.absolute().name
    stand_in.mkdir()
    (stand_in / file.name).symlink_to(file.absolute())
    imported = import_official(stand_in)
    client = f"the official client {imported.version}".rstrip()
    return Replay(imported.folder, origin=f"{folder}, written by {client}", keep=place)

"""What the server wants of a running program, for the program to ask."""

from __future__ import annotations

from pathlib import Path

from ._home import Home


def stop_requested(folder: Path, base_url: str, since: float = 0.0) -> bool:
    """Whether somebody asked at the server, after `since`, that the run in `folder` stop. One look at a file.

    A program that continues a run gives the time of its own start: an earlier session may have been stopped.
    """
    try:
        return Home(folder.parent, base_url).stop_path(folder.name).stat().st_mtime >= since
    except FileNotFoundError:
        return False

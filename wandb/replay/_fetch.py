"""A run that a server holds, as a log: whatever is told of logs can be told of it.

The log stands in a folder of its own, which goes with the last object that reads it.
"""

from __future__ import annotations

import datetime
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional
from urllib.parse import urlsplit

from wandb_storage import LogNotFound

from ._ended import Ended
from ._replay import Replay
from ._server_copy import ServerCopy, created_at, goes_on

if TYPE_CHECKING:
    from ..apis.public.runs import Run


class ServerPath(NamedTuple):
    """A run of a server: `entity/project/id`, and the address where it isn't that of the settings."""

    path: str
    base_url: Optional[str] = None


def server_path(text: str) -> Optional[ServerPath]:
    """What a person means by `entity/project/id` or the address of a run's page; None for the path of a file."""
    if text.startswith(("http://", "https://")):
        from wandb_uploader import app_url

        from ..sdk.wandb_settings import merged

        parts = urlsplit(text)
        base_url = f"{parts.scheme}://{parts.netloc}"
        own = merged().base_url
        return ServerPath(text, None if base_url in (own, app_url(own)) else base_url)
    parts_of_path = text.split("/")
    local = os.path.exists(text) or os.path.isdir(parts_of_path[0]) or text.startswith((".", "~"))
    return ServerPath(text) if len(parts_of_path) == 3 and all(parts_of_path) and not local else None


def counterpart(run: Replay) -> ServerPath:
    """The same run at its server: where it has been uploaded to, or else where the settings would upload it."""
    from ..sdk.wandb_settings import merged
    from ._uploads import uploads_of

    for one in uploads_of(run):
        if one.entity and not one.redirected:
            return ServerPath(f"{one.entity}/{one.project}/{one.run_id}", one.destination)
    start, settings = run.start, merged()
    project = start.project or settings.project or "uncategorized"
    owner = start.entity or settings.entity
    return ServerPath("/".join(part for part in (owner, project, run.run_id) if part), None)


def fetch(where: ServerPath, progress: Callable[[int, int], object] = max) -> Replay:
    """A run of a server, as it is there now. `progress` is told the steps that have been read, and how many there are.

    Raises LogNotFound where there is no such run, UsageError where there is no API key, AuthenticationError, CommError.
    """
    run = find_at_server(where)
    place = tempfile.TemporaryDirectory(prefix="wandb-replay-")
    folder = new_folder(run, place)
    copy = ServerCopy(run, folder)
    try:
        copy.bring(progress)
        copy.end()
    finally:
        copy.close()
    return Replay(folder, origin=f"{run.url}, as it was there a moment ago", said=said_of(run), keep=place)


def find_at_server(where: ServerPath) -> Run:
    """The run as the server describes it. Raises what `fetch` raises."""
    from ..apis.public.api import Api
    from ..errors import UsageError

    overrides = {"base_url": where.base_url} if where.base_url else {}
    try:
        run = Api(overrides).run(where.path)
    except ValueError as error:
        raise LogNotFound(str(error)) from None
    if os.path.basename(run.id) != run.id:  # what a server says becomes the name of a file
        raise UsageError(f"the server calls the run {run.id!r}, which is no id")
    return run


def new_folder(run: Run, place: tempfile.TemporaryDirectory[str]) -> Path:
    """A run folder in `place`, named as if it had been written there."""
    created = datetime.datetime.fromtimestamp(created_at(run))
    folder = Path(place.name) / f"run-{created:%Y%m%d_%H%M%S}-{run.id}"
    folder.mkdir()
    return folder


def said_of(run: Run) -> Optional[Ended]:
    """What only the server can say: that the run goes on, or that nothing was heard of it."""
    return Ended("running", f"the server calls it {run.state}") if goes_on(run) else None

"""Runs of a server as older commands take them: `RUN` with `-p` and `-e`, or all of it as a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from wandb.apis.public.runs import Run


def run_at_server(text: str, project: Optional[str], entity: Optional[str]) -> Run:
    """A run by `id`, `project:id`, `project/id`, `entity/project:id`, `entity/project/id` or the address of its page.

    Raises LogNotFound where there is none, CommError where the server can't be asked.
    """
    from wandb.apis.public.api import Api
    from wandb_storage import LogNotFound

    path = text if text.startswith(("http://", "https://")) else text.replace(":", "/", 1)
    overrides = {name: value for name, value in (("project", project), ("entity", entity)) if value}
    try:
        return Api(overrides).run(path)
    except ValueError as error:
        raise LogNotFound(str(error)) from None

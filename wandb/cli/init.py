"""`wandb init`: what runs of this folder belong to: a project, an entity, a mode."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Dict, List, Optional

import click

from ._help import command, option

# What belongs to a folder of runs, and not to a repository that it stands in.
_IGNORED = "*\n!settings\n"
_NAMES = ("project", "entity", "mode")


@command(
    "init",
    [
        "wandb init                                   asks",
        "wandb init --project digits --entity my-team",
        "wandb init --reset",
    ],
)
@option("-p", "--project", metavar="NAME", help="The project that runs of this folder belong to.")
@option("-e", "--entity", metavar="NAME", help="The user or team that owns the project.")
@option("-m", "--mode", type=click.Choice(["online", "offline", "disabled"]), help="How runs are logged.")
@option("--reset", is_flag=True, help="Forget project, entity and mode first.")
def init(project: Optional[str], entity: Optional[str], mode: Optional[str], reset: bool) -> None:
    """Say what the runs of this folder belong to. Without options, ask.

    Written to ./wandb/settings; environment variables, and what a script says, are stronger. A .gitignore beside it
    keeps runs out of the repository.
    """
    from wandb.sdk._settings._files import write_setting
    from wandb.sdk.wandb_settings import local_settings_path

    path = local_settings_path(os.environ.get("WANDB_DIR"))
    if reset and path.exists():
        for name in _NAMES:
            write_setting(path, name, None)
        click.echo(f"{path}: project, entity and mode are as anywhere else")
    given: Dict[str, Optional[str]] = {"project": project, "entity": entity, "mode": mode}
    if not any(given.values()):
        if reset:
            return
        given.update(_ask())
    for name, value in given.items():
        if value:
            write_setting(path, name, value)
            click.echo(f"{path}: {name} is {value}")
    _write_ignore(path.parent)


def _ask() -> Dict[str, Optional[str]]:
    if not sys.stdin.isatty():
        raise click.UsageError("there is nobody to ask; name a --project, an --entity or a --mode")
    known = _known_projects()
    if known:
        click.echo("Projects: " + ", ".join(known))
    default = Path.cwd().name
    project = click.prompt("Project", default=default)
    entity = click.prompt("Entity (empty: your own)", default="", show_default=False)
    return {"project": str(project), "entity": str(entity) or None}


def _known_projects() -> List[str]:
    """What the server knows, as far as it can be asked; nobody waits long for a suggestion."""
    from wandb.errors import Error

    try:
        from wandb.apis.public.api import Api

        return [project.name for project, _ in zip(Api(timeout=3).projects(), range(20))]
    except Error:
        return []


def _write_ignore(folder: Path) -> None:
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text(_IGNORED)

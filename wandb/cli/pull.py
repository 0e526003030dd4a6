"""`wandb pull`: the files of a run that a server holds."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import click

from . import FAILED, complain
from ._help import command, option
from ._progress import shown
from ._run_names import run_at_server

if TYPE_CHECKING:
    from wandb.apis.public.files import File

_CHUNK = 1 << 20


@command(
    "pull",
    [
        "wandb pull a1b2c3d4 -p digits",
        "wandb pull my-team/digits/a1b2c3d4 --root rescued",
        "wandb pull digits/a1b2c3d4 --files 'media/*'",
    ],
)
@click.argument("run")
@option("-p", "--project", metavar="NAME", help="The run's project, where RUN doesn't say it.")
@option("-e", "--entity", metavar="NAME", help="The run's entity, where RUN doesn't say it.")
@option("--root", type=click.Path(file_okay=False, path_type=Path), default=".", help="The folder they go to [here].")
@option("--files", "pattern", metavar="GLOB", help="Only files whose path fits.")
def pull(run: str, project: Optional[str], entity: Optional[str], root: Path, pattern: Optional[str]) -> None:
    """Download the files of RUN, below ROOT under their paths. What is there with the same content stays as it is.

    RUN is an id, `project/id`, `entity/project/id` or the address of the run's page. Its rows, config and console are
    what `wandb replay entity/project/id` tells.
    """
    from wandb.errors import CommError
    from wandb.replay._words import clean, size

    found = run_at_server(run, project, entity)
    files = [file for file in found.files() if pattern is None or _fits(str(file.name), pattern)]
    total, done, complete = sum(file.size for file in files), 0, True
    with shown("downloading", "bytes") as show:
        for file in files:
            try:
                state = "is there" if _is_there(root, file) else _download(root, file)
                click.echo(f"{clean(str(file.name))}: {state}")
            except (CommError, ValueError, OSError) as error:
                complete = False
                complain(clean(f"{file.name}: {error}"))
            done += file.size
            show(done, total)
    click.echo(f"{len(files)} files, {size(total)}", err=True)
    if not complete:
        raise click.exceptions.Exit(FAILED)


def _fits(name: str, pattern: str) -> bool:
    import fnmatch

    return fnmatch.fnmatchcase(name, pattern)


def _download(root: Path, file: File) -> str:
    file.download(str(root), replace=True).close()
    return f"{file.size:,} bytes"


def _is_there(root: Path, file: File) -> bool:
    """Whether the file is here with the content that the server has."""
    from wandb.apis.public.files import path_below

    path, wanted = path_below(root, str(file.name)), getattr(file, "md5", None)
    if not wanted or not path.is_file() or path.stat().st_size != file.size:
        return False
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return wanted in (digest.hexdigest(), base64.b64encode(digest.digest()).decode())

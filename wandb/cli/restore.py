"""`wandb restore`: the code and the config of a run, as they were, from its log or from its server."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import click

from . import FAILED, complain, fail
from ._help import RUN, command, option
from ._run_names import run_at_server

_PATCH = "diff.patch"
_GIT_SECONDS = 600


class _Found(NamedTuple):
    """What is known of a run."""

    run_id: str
    config: Dict[str, Any]
    metadata: Dict[str, Any]  # wandb-metadata.json
    patch: Optional[bytes]


@command(
    "restore",
    [
        "wandb restore a1b2c3d4               of this folder, or of the server",
        "wandb restore my-team/digits/a1b2c3d4",
        "wandb restore a1b2c3d4 --no-branch",
    ],
)
@click.argument("run", type=RUN)
@option("--no-git", is_flag=True, help="Only the config; touch no files of the repository.")
@option("--branch/--no-branch", default=True, help="Make the branch wandb/ID, or only check the commit out.")
@option("-p", "--project", metavar="NAME", help="The run's project, where RUN doesn't say it.")
@option("-e", "--entity", metavar="NAME", help="The run's entity, where RUN doesn't say it.")
def restore(run: str, no_git: bool, branch: bool, project: Optional[str], entity: Optional[str]) -> None:
    """Check out the commit that RUN was started from, apply what was not committed, and write its config.

    The config goes to wandb/config.yaml. RUN is a run of this folder, or one of the server: an id, `project:id` or
    `entity/project/id`. What git would have to overwrite stays, and git says so.
    """
    found = _find(run, project, entity)
    _write_config(found)
    git = found.metadata.get("git")
    complete = True
    if not no_git and isinstance(git, dict) and git.get("commit"):
        complete = _restore_code(found, str(git["commit"]), str(git.get("remote") or ""), branch)
    elif not no_git:
        click.echo("The run recorded no commit: only its config was restored.", err=True)
    _tell_program(found)
    if not complete:
        raise click.exceptions.Exit(FAILED)


def _find(run: str, project: Optional[str], entity: Optional[str]) -> _Found:
    from wandb.replay import Replay, find_run
    from wandb_storage import LogNotFound

    if project is None and entity is None:
        try:
            here = Replay(find_run(run))
            metadata = json.loads(here.start.environment or "{}")
            return _Found(here.run_id, here.config, metadata, _read(here.folder / "files" / _PATCH))
        except LogNotFound:
            pass  # then it is the server's
    there = run_at_server(run, project, entity)
    patches = list(there.files(names=[_PATCH]))
    return _Found(there.id, there.config, there.metadata or {}, patches[0].read() if patches else None)


def _read(path: Path) -> Optional[bytes]:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write_config(found: _Found) -> None:
    import yaml

    from wandb.sdk._folders import make_wandb_folder

    own = {key: value for key, value in found.config.items() if not key.startswith("_")}
    path = make_wandb_folder(os.environ.get("WANDB_DIR") or "") / "config.yaml"
    path.write_text(yaml.safe_dump(own, sort_keys=False, allow_unicode=True))
    click.echo(f"{path}: the config, {len(own)} keys")


# --- code -------------------------------------------------------------------------------------------------------------


def _restore_code(found: _Found, commit: str, remote: str, branch: bool) -> bool:
    """Whether the repository is now as it was."""
    root = _git("rev-parse", "--show-toplevel")
    if root.returncode:
        fail(f"this is no git repository; clone {remote or 'the one of the run'} and run this in it, or use --no-git")
    top = Path(root.stdout.strip())
    if _git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        click.echo(f"fetching, since commit {commit[:10]} is not here", err=True)
        _git("fetch", "--all", "--quiet")
        if _git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
            fail(f"commit {commit} is not in this repository; is it that of {remote or 'the run'}?")
    name = f"wandb/{found.run_id}"
    if branch and _git("rev-parse", "--verify", "--quiet", f"refs/heads/{name}").returncode == 0:
        fail(f"there is a branch {name} already; check it out, remove it, or use --no-branch")
    done = _git("checkout", "-b", name, commit) if branch else _git("checkout", "--detach", commit)
    if done.returncode:
        fail(f"git checkout: {done.stderr.strip()}\nCommit or stash your changes first")
    click.echo(f"{top}: commit {commit[:10]}" + (f" on the branch {name}" if branch else ""))
    return found.patch is None or not found.patch.strip() or _apply(found.patch, top)


def _apply(patch: bytes, top: Path) -> bool:
    done = _git("apply", "--whitespace=nowarn", "-", cwd=top, given=patch.decode("utf-8", "surrogateescape"))
    if done.returncode:
        kept = top / "wandb-diff.patch"
        kept.write_bytes(patch)
        complain(
            f"what was not committed doesn't apply: {done.stderr.strip()}\nIt is in {kept}; `git apply --3way` may do"
        )
        return False
    click.echo("and what was not committed then")
    return True


def _git(*arguments: str, cwd: Optional[Path] = None, given: Optional[str] = None) -> subprocess.CompletedProcess[str]:
    line: List[str] = ["git", *arguments]
    try:
        return subprocess.run(
            line, cwd=cwd, input=given, capture_output=True, text=True, check=False, timeout=_GIT_SECONDS,
            errors="surrogateescape",
        )  # fmt: skip
    except FileNotFoundError:
        fail("git is not installed here; --no-git restores the config alone")


def _tell_program(found: _Found) -> None:
    """How the run was started, for whoever wants to start it again."""
    from wandb.replay._words import clean

    program = found.metadata.get("program")
    if program:
        arguments = [str(argument) for argument in found.metadata.get("args") or ()]
        click.echo(f"It was started as: {clean(shlex.join([str(program), *arguments]))}")
    image = found.metadata.get("docker")
    if image:
        click.echo(f"It ran in a container: wandb docker {clean(shlex.quote(str(image)))}")

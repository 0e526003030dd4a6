"""`wandb artifact`: versions of files from the command line."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional, Sequence

import click

from . import fail
from ._help import command, examples, option

if TYPE_CHECKING:
    from wandb.sdk.artifacts._names import ArtifactPath
    from wandb.sdk.artifacts.artifact import Artifact

_EXAMPLES = [
    "wandb artifact put data/ --name digits/training-data",
    "wandb artifact get digits/training-data:latest --root data",
    "wandb artifact ls digits",
    "wandb artifact cache cleanup 10GB",
]


@click.group("artifact", epilog=examples(_EXAMPLES))
def artifact() -> None:
    """Make, download and list versions of artifacts; keep their cache small."""


@command(
    "put",
    [
        "wandb artifact put model.pt -n digits/model -t model -a best",
        "wandb artifact put s3://bucket/data -n digits/data",
    ],
)
@click.argument("path")
@option("-n", "--name", metavar="[PROJECT/]NAME", help="What it is called [the last part of PATH].")
@option("-t", "--type", "kind", default="dataset", show_default=True, help="What kind of thing it is.")
@option("-d", "--description", help="What it is, in words.")
@option("-a", "--alias", "aliases", multiple=True, default=["latest"], metavar="ALIAS", help="A name of the version.")
@option("--id", "run_id", metavar="RUN", help="Log it to the run of this id.")
@option("--resume", is_flag=True, help="Log it to the run that a crash has ended here.")
@option("--skip_cache", is_flag=True, help="Keep the files out of the cache.")
@option(
    "--policy", type=click.Choice(["mutable", "immutable"]), default="mutable", show_default=True,
    help="Whether the files may change while they are uploaded.",
)  # fmt: skip
def put(
    path: str, name: Optional[str], kind: str, description: Optional[str], aliases: Sequence[str],
    run_id: Optional[str], resume: bool, skip_cache: bool, policy: str,
) -> None:  # fmt: skip
    """Make a version of PATH: a file, a folder, or an address such as s3://bucket/folder, which is referred to."""
    import wandb
    from wandb.sdk.artifacts._names import ArtifactPath, check_aliases

    check_aliases(aliases)  # before there is a run for them
    where = _with_project(ArtifactPath.parse(name or os.path.basename(os.path.normpath(path))))
    made = wandb.Artifact(where.name, type=kind, description=description)
    if os.path.isdir(path):
        made.add_dir(path, skip_cache=skip_cache, policy=policy)
    elif os.path.isfile(path):
        made.add_file(path, skip_cache=skip_cache, policy=policy)
    elif "://" in path:
        made.add_reference(path)
    else:
        fail(f"{path} is no file, no folder and no address")
    place = {"entity": where.entity, "project": where.project, "id": run_id, "resume": "auto" if resume else None}
    with wandb.init(**place, job_type="cli_put", config={"path": path}) as run:  # type: ignore[arg-type]
        run.log_artifact(made, aliases=list(aliases))
    made.wait()
    click.echo(f'{made.qualified_name}\nUse it with: run.use_artifact("{made.qualified_name}")', err=True)


@command("get", ["wandb artifact get digits/training-data:v3", "wandb artifact get digits/model:best --root here"])
@click.argument("path", metavar="[[ENTITY/]PROJECT/]NAME[:ALIAS]")
@option("--root", metavar="FOLDER", help="Where to [./artifacts/NAME:VERSION].")
@option("--type", "kind", help="What kind of thing it must be.")
def get(path: str, root: Optional[str], kind: Optional[str]) -> None:
    """Download a version; print the folder. Files that are there already are left as they are."""
    from wandb.sdk.artifacts._names import ArtifactPath

    found = _find(_with_project(ArtifactPath.parse(path)))
    if kind is not None and found.type != kind:
        fail(f"{found.qualified_name} is of the type {found.type!r}, not {kind!r}")
    click.echo(found.download(root))


@command("ls", ["wandb artifact ls digits", "wandb artifact ls my-team/digits -t model"])
@click.argument("path", metavar="[ENTITY/]PROJECT", required=False)
@option("-t", "--type", "kind", help="Only those of this type.")
@option("--json", "as_json", is_flag=True, help="One JSON document.")
def ls(path: Optional[str], kind: Optional[str], as_json: bool) -> None:
    """List the artifacts of a project: type, when the latest version was made, its size and its name."""
    from wandb.sdk._progress_bar import amount

    found = list(_listed(path, kind))
    if as_json:
        click.echo(json.dumps({"artifacts": found}, indent=2))
        return
    if not found:
        click.echo("There are no artifacts.", err=True)
    for one in found:
        if one["version"] is None:
            click.echo(f"{one['type']:<15} {'':<20} {'':>10} {one['name']} (no versions)")
        else:
            size, name = amount(one["bytes"]), f"{one['name']}:{one['version']}"
            click.echo(f"{one['type']:<15} {one['updated']:<20} {size:>10} {name}")


@click.group("cache", epilog=examples(["wandb artifact cache cleanup 10GB"]))
def cache() -> None:
    """The files of artifacts that were downloaded or uploaded on this machine."""


@command("cleanup", ["wandb artifact cache cleanup 10GB", "wandb artifact cache cleanup 0 --remove-temp"])
@click.argument("size")
@option("--remove-temp/--no-remove-temp", default=False, help="Files too that are on their way in, or were left on it.")
def cleanup(size: str, remove_temp: bool) -> None:
    """Leave no more than SIZE (10GB, 500MiB) in the cache: what was used longest ago goes first."""
    from wandb.sdk._progress_bar import amount
    from wandb.sdk.artifacts.artifact_file_cache import get_artifact_file_cache
    from wandb_uploader import parse_size

    try:
        target = parse_size(size)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="SIZE") from None
    held = get_artifact_file_cache()
    use = held.cleanup(target, remove_temp)
    click.echo(f"{held.folder}: {amount(use.before)} before, {amount(use.reclaimed)} reclaimed")
    if use.temporary:
        click.echo(f"{amount(use.temporary)} are on their way in; --remove-temp removes what was left on it", err=True)


artifact.add_command(put)
artifact.add_command(get)
artifact.add_command(ls)
artifact.add_command(cache)
cache.add_command(cleanup)


def _listed(path: Optional[str], kind: Optional[str]) -> Iterator[Dict[str, Any]]:
    """Each collection of a project, with its latest version."""
    import wandb

    api = wandb.Api(local=_is_offline())
    types = [api.artifact_type(kind, path)] if kind else api.artifact_types(path)
    for each in types:
        for collection in each.collections():
            latest = next(iter(collection.artifacts(per_page=1)), None)
            yield {
                "type": each.name, "name": collection.name, "version": latest and latest.version,
                "updated": latest and latest.updated_at, "bytes": latest and latest.size,
            }  # fmt: skip


def _settings() -> Any:
    from wandb.sdk.wandb_settings import merged

    return merged()


def _is_offline() -> bool:
    return bool(_settings().mode == "offline")


def _with_project(path: ArtifactPath) -> ArtifactPath:
    """A path that names its project: one that is set, or that the user types."""
    project = path.project or _settings().project
    if project is None:
        if not sys.stdin.isatty():
            fail(f"{path.name}: put the project before the name (PROJECT/{path.name}), or set WANDB_PROJECT")
        project = click.prompt("The project")
    return path._replace(project=project)


def _find(path: ArtifactPath) -> Artifact:
    import wandb

    return wandb.Api(local=_is_offline()).artifact(str(path))

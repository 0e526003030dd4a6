"""`wandb superagent`: run jobs of queues on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence

import click

from . import DONE
from ._help import command, option


@command(
    "superagent",
    [
        "wandb superagent --queue gpu-jobs --gpus auto",
        "wandb superagent -e my-team --slots 4",
        "wandb superagent --queue cluster --slots 100 --via slurm -o --partition=gpu",
        "wandb superagent my-team/digits        the queues of a project",
    ],
)
@click.argument("path", metavar="[[ENTITY/]PROJECT]", required=False)
@option("-p", "--project", metavar="NAME", help="The project that holds the queues.")
@option("-e", "--entity", metavar="NAME", help="Whose queues [yours].")
@option(
    "-q", "--queue", "queues", multiple=True, metavar="NAME", help="Serve this queue; several in their order [all]."
)
@option("--slots", type=click.IntRange(min=1), metavar="N", help="Jobs at a time [one for each GPU, or 1].")
@option("--gpus", default="none", metavar="LIST", help="GPUs that jobs get: auto, or 0,1,… [none].")
@option("--count", type=click.IntRange(min=1), metavar="N", help="End after so many jobs.")
@option("--drain", is_flag=True, help="End when the queues are empty.")
@option(
    "--via", type=click.Choice(["process", "slurm", "kubernetes"]), default="process", show_default=True,
    help="Where jobs run.",
)  # fmt: skip
@option("-o", "--option", "options", multiple=True, metavar="OPTION", help="Of srun or kubectl, for every job.")
@option("--image", help="For jobs of Kubernetes that name none.")
@option("--template", metavar="FILE", help="A Job in YAML, with what jobs of Kubernetes are to have.")
def superagent(
    path: Optional[str], project: Optional[str], entity: Optional[str], queues: Sequence[str], slots: Optional[int],
    gpus: str, count: Optional[int], drain: bool, via: str, options: Sequence[str], image: Optional[str],
    template: Optional[str],
) -> None:  # fmt: skip
    """Run jobs that wait in queues, until Ctrl-C: docs/queues.md.

    Ctrl-C once takes no more and waits for those that run; twice ends them, as SIGTERM does, and other agents get them.
    What a killed agent leaves is gone on with by the next one that is started in this folder.
    """
    from wandb.superagent import Superagent
    from wandb.superagent._agent import connect
    from wandb.superagent._gpus import find_gpus
    from wandb.superagent._launchers import launcher_of
    from wandb.superagent._server import QUEUES_PROJECT

    given_entity, _, given_project = (path or "").strip("/").rpartition("/")
    launcher = launcher_of(via, image or "", options, Path(template) if template else None)
    server = connect(entity or given_entity or None, project or given_project or QUEUES_PROJECT)
    agent = Superagent(
        server, queues, slots, find_gpus(gpus), launcher, count=count, drain=drain,
    )  # fmt: skip
    code = agent.run()
    if code != DONE:
        raise click.exceptions.Exit(code)

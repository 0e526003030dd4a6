"""`wandb queue`: jobs that wait for a machine."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, NamedTuple, Optional, Sequence

import click

from . import fail
from ._help import Parsed, command, examples, option
from ._table import Table
from ._times import SPAN

if TYPE_CHECKING:
    from wandb.superagent import QueueServer

_EXAMPLES = [
    "wandb queue create gpu-jobs",
    "wandb queue push gpu-jobs --gpus 1 -- python train.py --epochs 10",
    "wandb queue ls gpu-jobs",
    "wandb superagent -q gpu-jobs --gpus auto      on a machine that runs them",
]
_STATES = {"PENDING": "dim", "LEASED": "cyan", "CLAIMED": "green", "FINISHED": "blue", "FAILED": "red"}
_WORDS = {"PENDING": "waiting", "LEASED": "prepared", "CLAIMED": "running", "FINISHED": "finished", "FAILED": "failed"}
_STYLES = {_WORDS[state]: style for state, style in _STATES.items()}
# An agent that was not heard for so long has its jobs taken from it by the next one.
_SILENT_SECONDS = 300


class _Path(NamedTuple):
    """A queue as people name it: `[[ENTITY/]PROJECT/]NAME`."""

    name: str
    project: Optional[str] = None
    entity: Optional[str] = None

    @classmethod
    def parse(cls, text: str) -> _Path:
        """Raises ValueError, which says what one looks like."""
        parts = text.strip("/").split("/")
        if not 1 <= len(parts) <= 3 or not all(parts):
            raise ValueError(f"{text!r} is no queue: one is called NAME, PROJECT/NAME or ENTITY/PROJECT/NAME")
        return cls(*reversed(parts))


QUEUE = Parsed("queue", _Path.parse)


def _server(path: _Path, entity: Optional[str]) -> QueueServer:
    from wandb.superagent._agent import connect
    from wandb.superagent._server import QUEUES_PROJECT

    return connect(path.entity or entity, path.project or QUEUES_PROJECT, patience=None)


@click.group("queue", epilog=examples(_EXAMPLES))
def queue() -> None:
    """Jobs that wait for a machine: make queues, push jobs, see what becomes of them."""


@command("create", ["wandb queue create gpu-jobs", "wandb queue create -e my-team nightly"])
@click.argument("name", metavar="[[ENTITY/]PROJECT/]NAME", type=QUEUE)
@option("-e", "--entity", metavar="NAME", help="Whose queue it is [yours].")
@option("--private", is_flag=True, help="For you alone, not for everybody of the project.")
@option("--no-priorities", is_flag=True, help="Jobs run in the order in which they come.")
def create(name: _Path, entity: Optional[str], private: bool, no_priorities: bool) -> None:
    """Make a queue. Without a PROJECT it is where the official client has its queues."""
    server = _server(name, entity)
    server.create(name.name, not no_priorities, private)
    place = f"{server.entity}/{server.project}"
    click.echo(f"Made the queue {name.name} in {place}.")
    click.echo(f"Push jobs with: wandb queue push {_shown(name, server)} -- python train.py", err=True)


@command(
    "push",
    [
        "wandb queue push gpu-jobs -- python train.py --epochs 10",
        "wandb queue push gpu-jobs -c lr=0.1 --gpus 2 --retries 2 -- python train.py",
        "wandb queue push q --requirements needs.txt -- python train.py '${args}'",
        "wandb queue push gpu-jobs --job my-team/jobs/train:latest -c lr=0.1",
    ],
    context_settings={"ignore_unknown_options": True},
)
@click.argument("queue", metavar="QUEUE", type=QUEUE)
@click.argument("words", metavar="[--] COMMAND...", nargs=-1, type=click.UNPROCESSED)
@option("-p", "--project", metavar="NAME", help="Where its run goes [that of the folder].")
@option("-e", "--entity", metavar="NAME", help="Whose queue and run it is [yours].")
@option("--name", help="What the run is called.")
@option("--priority", type=click.IntRange(0, 3), help="0 is urgent, 1 high, 2 usual, 3 low [2].")
@option("-c", "--config", "config", multiple=True, metavar="KEY=VALUE", help="A value for the run's config.")
@option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of its environment.")
@option("--here", is_flag=True, help="Run in this folder of this machine, not at its commit.")
@option("--job", metavar="ARTIFACT", help="Run a job of W&B Launch: ENTITY/PROJECT/NAME:ALIAS.")
@option("--image", help="The container image that it runs in, where agents use Kubernetes.")
@option("--requirements", metavar="FILE", help="Install what this requirements.txt lists.")
@option("--gpus", type=click.IntRange(min=0), metavar="N", help="It gets so many GPUs.")
@option("--memory", metavar="SIZE", help="End it beyond so much memory: 16GB.")
@option("--time", "time_limit", type=SPAN, metavar="SPAN", help="End it after so long: 12h.")
@option("--retries", type=click.IntRange(0, 100), metavar="N", help="Try it again when it fails, so often.")
@option("--json", "as_json", is_flag=True, help="Print the job as JSON.")
def push(
    queue: _Path, words: Sequence[str], project: Optional[str], entity: Optional[str], name: Optional[str],
    priority: Optional[int], config: Sequence[str], variables: Sequence[str], here: bool, job: Optional[str],
    image: Optional[str], requirements: Optional[str], gpus: Optional[int], memory: Optional[str],
    time_limit: Optional[float], retries: Optional[int], as_json: bool,
) -> None:  # fmt: skip
    """Put a job into QUEUE: a COMMAND, as it would run in this folder.

    In a git repository with a remote, agents check out the commit, and apply what was changed since; elsewhere the job
    runs in this folder of this machine. In COMMAND, `${args}` becomes `--key=value` for each value of the config, and
    other macros are those of sweeps.
    """
    from wandb.sdk.wandb_settings import merged
    from wandb.superagent._push import describe_job, read_requirements
    from wandb.superagent._server import item_number

    settings = merged()
    if not (words or job or image):
        fail("what is to run? Give a command behind `--`, or --job", 2)
    limits = {"memory": _size(memory), "seconds": time_limit}
    server = _server(queue, entity)
    described = describe_job(
        words, settings, folder=Path.cwd(), here=here, config=_pairs("--config", config, parsed=True),
        entity=server.entity, project=project or settings.project or "uncategorized", name=name, job=job, image=image,
        requirements=read_requirements(requirements), environment=_pairs("--env", variables),
        gpus=gpus, retries=retries, limits={key: value for key, value in limits.items() if value is not None},
        author=settings.username,
    )  # fmt: skip
    for warning in described.warnings:
        click.echo(f"Warning: {warning}", err=True)
    item = server.push(queue.name, described.spec, priority)
    if as_json:
        click.echo(json.dumps({"id": item, "number": item_number(item), "spec": described.spec}, indent=2))
        return
    click.echo(f"Pushed job {item_number(item)} to {queue.name}: {described.code}")
    click.echo(f"See what becomes of it with: wandb queue ls {_shown(queue, server)}", err=True)


@command("ls", ["wandb queue ls", "wandb queue ls gpu-jobs", "wandb queue ls gpu-jobs --json | jq '.jobs[].state'"])
@click.argument("queue", metavar="[QUEUE]", type=QUEUE, required=False)
@option("-p", "--project", metavar="NAME", help="The queues of this project.")
@option("-e", "--entity", metavar="NAME", help="Whose queues [yours].")
@option("--json", "as_json", is_flag=True, help="One JSON document.")
def ls(queue: Optional[_Path], project: Optional[str], entity: Optional[str], as_json: bool) -> None:
    """List queues, or the jobs of QUEUE, the next one first."""
    server = _server(queue or _Path("", project), entity)
    if queue is None:
        _list_queues(server, as_json)
        return
    items = server.items(queue.name)
    if as_json:
        click.echo(json.dumps({"queue": queue.name, "jobs": items}, indent=2))
    elif not items:
        click.echo(f"The queue {queue.name} is empty.", err=True)
    else:
        _list_items(items)


@command("rm", ["wandb queue rm gpu-jobs 12 13", "wandb queue rm gpu-jobs --force"])
@click.argument("queue", metavar="QUEUE", type=QUEUE)
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@option("-e", "--entity", metavar="NAME", help="Whose queue [yours].")
@option("--force", is_flag=True, help="Remove the queue with the jobs that wait or run.")
def rm(queue: _Path, jobs: Sequence[str], entity: Optional[str], force: bool) -> None:
    """Take JOBs out of QUEUE, or remove QUEUE. Jobs that run are ended by their agents."""
    from wandb.superagent._server import item_number

    server = _server(queue, entity)
    items = {item_number(item["id"]): item for item in server.items(queue.name)}
    unknown = [job for job in jobs if job not in items]
    if unknown:
        fail(f"the queue {queue.name} has no job {unknown[0]}; `wandb queue ls {queue.name}` shows what it has")
    if jobs:
        for job in jobs:
            server.remove(queue.name, items[job]["id"])
        click.echo(f"Removed {len(jobs)} of {len(items)} jobs of {queue.name}.")
        return
    busy = [item for item in items.values() if item["state"] in ("PENDING", "LEASED", "CLAIMED")]
    if busy and not force:
        fail(f"{len(busy)} jobs of {queue.name} wait or run; --force removes it with them")
    found = {one["name"]: one["id"] for one in server.queues()}
    server.delete(found[queue.name])
    click.echo(f"Removed the queue {queue.name} with {len(items)} jobs.")


def _list_queues(server: QueueServer, as_json: bool) -> None:
    found = []
    for one in server.queues():
        states = [item["state"] for item in server.items(one["name"])]
        found.append({**one, "counts": {state: states.count(state) for state in _STATES}})
    if as_json:
        place = {"entity": server.entity, "project": server.project}
        click.echo(json.dumps({**place, "queues": found}, indent=2))
        return
    if not found:
        click.echo(
            f"There are no queues in {server.entity}/{server.project}. Make one: wandb queue create NAME", err=True
        )
        return
    titles = [word.upper() for word in _WORDS.values()]
    table = Table(("QUEUE", *titles, "ACCESS"), right=titles, kept=("QUEUE",))
    for one in found:
        counts: Mapping[str, int] = one["counts"]
        table.add(one["name"], *(str(counts[state]) for state in _STATES), str(one["access"]).lower())
    table.show()


def _list_items(items: Sequence[Mapping[str, Any]]) -> None:
    from wandb.replay._words import clean
    from wandb.superagent._server import item_number
    from wandb.superagent._spec import title_of

    table = Table(
        ("JOB", "STATE", "PRIORITY", "WHAT", "RUN", "AGENT", "PUSHED", "SAID"), right=("PRIORITY",),
        kept=("WHAT",), styled="STATE", styles=_STYLES,
    )  # fmt: skip
    for item in items:
        pushed = str(item["createdAt"])[:16].replace("T", " ")
        said = (item.get("message") or "").splitlines()
        table.add(
            item_number(item["id"]),
            _WORDS.get(item["state"], item["state"]),
            str(item["priority"]),
            clean(title_of(item["runSpec"])),
            item.get("associatedRunId") or "",
            clean(_agent(item)),
            pushed,
            clean(said[-1], 60) if said else "",
        )
    table.show()


def _agent(item: Mapping[str, Any]) -> str:
    """Who runs it, and whether he was heard."""
    agent = item.get("launchAgent")
    if not agent or item["state"] not in ("LEASED", "CLAIMED"):
        return ""
    heard = datetime.datetime.fromisoformat(agent["heartbeatAt"].replace("Z", "+00:00"))
    silent = datetime.datetime.now(datetime.timezone.utc) - heard
    return str(agent["hostname"]) + (" (silent)" if silent.total_seconds() > _SILENT_SECONDS else "")


def _shown(path: _Path, server: QueueServer) -> str:
    """As the queue is named in the next command."""
    return "/".join(part for part in (path.entity, path.project, path.name) if part)


def _pairs(what: str, given: Sequence[str], parsed: bool = False) -> Dict[str, Any]:
    """`key=value`; values as YAML reads them where they are `parsed`."""
    import yaml

    found: Dict[str, Any] = {}
    for text in given:
        key, separator, value = text.partition("=")
        if not key or not separator:
            fail(f"{what} takes KEY=VALUE, not {text!r}", 2)
        found[key] = yaml.safe_load(value) if parsed else value
    return found


def _size(text: Optional[str]) -> Optional[int]:
    from wandb_uploader import parse_size

    try:
        return None if text is None else parse_size(text)
    except ValueError as error:
        fail(f"--memory: {error}", 2)


for _inner in (create, push, ls, rm):
    queue.add_command(_inner)

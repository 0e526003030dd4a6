"""`wandb docker` and `wandb docker-run`: the program `docker`, with what a run in the container needs.

The API key goes to docker by its environment, never on a command line, which other users of the machine can read.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Dict, List, NoReturn, Optional, Sequence, Tuple

import click

from . import FAILED, fail
from ._help import command, option

_IMAGE = "python:3.12"
_SHELL = "/bin/bash"
_JUPYTER = "pip install --quiet jupyterlab && jupyter lab --allow-root --ip=0.0.0.0 --no-browser --port=8888"
# What the container's program is started by: it says what is missing, and goes on.
_CHECK = "python3 -c 'import wandb' 2>/dev/null || echo 'wandb: this image has no wandb: install it there' >&2; "
# Options of `docker run` that take no value: what follows them is not theirs.
_FLAGS = frozenset((
    "-d", "--detach", "--disable-content-trust", "--help", "--init", "-i", "--interactive", "--no-healthcheck",
    "--oom-kill-disable", "--privileged", "-P", "--publish-all", "-q", "--quiet", "--read-only", "--rm", "--sig-proxy",
    "-t", "--tty",
))  # fmt: skip
# `-h` is docker's: a host's name.
_PASSED_ON = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


@command(
    "docker",
    [
        "wandb docker                              python, in the working directory",
        "wandb docker -v /mnt/dataset:/app/data    options of docker run",
        "wandb docker my/image --no-tty --cmd 'python train.py'",
        "wandb docker --jupyter --port 8889",
    ],
    context_settings=_PASSED_ON,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[DOCKER_ARGS]... [IMAGE]")
@option("--nvidia/--no-nvidia", default=None, help="With the machine's GPUs [if nvidia-smi is here].")
@option("--digest", is_flag=True, help="Only print which image it is.")
@option("--jupyter/--no-jupyter", default=False, help="JupyterLab instead of a shell.")
@option("--dir", "folder", default="/app", metavar="PATH", help="Where the working directory is mounted [/app].")
@option("--no-dir", is_flag=True, help="Don't mount the working directory.")
@option("--shell", default=_SHELL, metavar="PATH", help=f"The shell to start [{_SHELL}].")
@option("--port", default="8888", metavar="PORT", help="JupyterLab's port on this machine [8888].")
@option("--cmd", metavar="COMMAND", help="Run this instead of a shell.")
@option("--no-tty", is_flag=True, help="Without a terminal.")
@option("--dry-run", is_flag=True, help="Only print the command line.")
def docker(
    arguments: Sequence[str], nvidia: Optional[bool], digest: bool, jupyter: bool, folder: str, no_dir: bool,
    shell: str, port: str, cmd: Optional[str], no_tty: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Run a shell, JupyterLab or a command in a container that knows the server and the API key.

    What isn't listed below goes to `docker run`, the last argument being the image. The image must have wandb.
    """
    options, image, rest = split_arguments(arguments)
    image = image or _IMAGE
    if digest:
        click.echo(_image_digest(image) or image)
        return
    line = ["docker", "run", "-e", "LANG=C.UTF-8", "--ipc", "host", "-w", folder]
    if not no_dir:
        line += ["-v", f"{os.getcwd()}:{folder}"]
    if not no_tty:
        line += ["-i", "-t"]
    program = cmd
    if jupyter:
        line += ["-p", f"127.0.0.1:{port}:8888"]
        program = program or _JUPYTER
    entry = ["--entrypoint", "/bin/sh"]
    command_line = ["-c", _CHECK + (program or f"exec {shell}")]
    _run([*line, *_wanted(options, image, nvidia), *options, *entry, image, *command_line, *rest], dry_run)


@command(
    "docker-run",
    ["wandb docker-run my/image python train.py", "wandb docker-run --rm -it -v $PWD:/app my/image bash"],
    context_settings={**_PASSED_ON, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[DOCKER_ARGS]... IMAGE [COMMAND]...")
def docker_run(arguments: Sequence[str]) -> None:
    """Run `docker run` with the same arguments, and with what a run in the container needs.

    WANDB_API_KEY, WANDB_BASE_URL and WANDB_DOCKER, the image, are put into the container's environment, and --gpus all
    where nvidia-smi is here, unless the arguments say something else. `wandb docker-run` with --dry-run before them
    only prints the command line.
    """
    dry_run = arguments[:1] == ("--dry-run",)
    given = list(arguments[1:] if dry_run else arguments)
    if given[:1] == ["run"]:
        given = given[1:]
    options, image, rest = split_arguments(given)
    if not image:
        raise click.UsageError("no image is named; the arguments are those of docker run")
    _run(["docker", "run", *_wanted(options, image, None), *options, image, *rest], dry_run)


def split_arguments(arguments: Sequence[str]) -> Tuple[List[str], str, List[str]]:
    """Arguments of `docker run`: its options, the image, what follows it."""
    place = 0
    while place < len(arguments):
        argument = arguments[place]
        if not argument.startswith("-"):
            return list(arguments[:place]), argument, list(arguments[place + 1 :])
        place += 2 if _takes_next(argument) else 1
    return list(arguments), "", []


def _takes_next(option: str) -> bool:
    """Whether the argument behind an option is its value: `-v DIR`, but not `-vDIR`, `-it`, `--rm`, `--name=x`."""
    if option in _FLAGS or "=" in option:
        return False
    if option.startswith("--"):
        return True
    valued = [place for place, letter in enumerate(option[1:], 1) if f"-{letter}" not in _FLAGS]
    return bool(valued) and valued[0] == len(option) - 1


def _wanted(options: Sequence[str], image: str, nvidia: Optional[bool]) -> List[str]:
    """What the container gets, unless the options say something else of it."""
    wanted: List[str] = []
    text = " ".join(options)
    gpus = shutil.which("nvidia-smi") is not None if nvidia is None else nvidia
    if gpus and "--gpus" not in text and "--runtime" not in text:
        wanted += ["--gpus", "all"]
    for name in _environment():
        if f"{name}=" not in text:
            wanted += ["-e", name]
    if _is_loopback() and "--net" not in text:
        wanted += ["--network", "host"]  # where the server of this machine is reached by the same address
    if "WANDB_DOCKER=" not in text:
        wanted += ["-e", f"WANDB_DOCKER={_image_digest(image) or image}"]
    return wanted


def _environment() -> Dict[str, str]:
    """Variables that docker takes from its own environment by name."""
    from wandb.errors import Error
    from wandb.sdk.wandb_login import api_key_for
    from wandb.sdk.wandb_settings import merged

    settings = merged()
    found = {"WANDB_BASE_URL": settings.base_url}
    try:
        key = settings.api_key or api_key_for(settings.base_url)
    except Error as error:
        fail(str(error))
    if key:
        found["WANDB_API_KEY"] = key
    return found


def _is_loopback() -> bool:
    from urllib.parse import urlsplit

    from wandb.sdk.wandb_settings import merged

    return urlsplit(merged().base_url).hostname in ("127.0.0.1", "localhost", "::1")


def _image_digest(image: str) -> Optional[str]:
    """What names exactly this image, where docker knows it already."""
    if shutil.which("docker") is None:
        return None
    line = ["docker", "image", "inspect", image]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    try:
        (known,) = json.loads(done.stdout)
        digests: List[str] = known.get("RepoDigests") or [known["Id"]]
        return digests[0]
    except (ValueError, KeyError, TypeError, IndexError):
        return None


def _run(line: List[str], dry_run: bool) -> NoReturn:
    """Become docker; the key is in its environment."""
    if dry_run:
        import shlex

        click.echo(shlex.join(line))
        raise click.exceptions.Exit(0)
    if shutil.which("docker") is None:
        fail("docker is not installed here, or not on the PATH")
    sys.stdout.flush()
    os.execvpe("docker", line, {**os.environ, **_environment()})
    raise click.exceptions.Exit(FAILED)

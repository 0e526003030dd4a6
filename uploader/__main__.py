"""`wandb-uploader`: run, look at and stop the uploader of a wandb directory."""

from __future__ import annotations

import dataclasses
import json
import logging
import logging.handlers
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import List, Optional

import click

from ._destination import Destination
from ._errors import NotUploadable, UploaderRunning
from ._home import Home, lock_holder
from ._service import IDLE_SECONDS, STOP_SECONDS, Service
from ._status import RunStatus
from ._status import status as read_status

# The log of the process: one file of this size, and the one before it.
LOG_BYTES_MAX = 1 << 20
_STOP_WAIT_SECONDS = STOP_SECONDS + 5.0

_DIR = click.option(
    "--dir", "wandb_dir", type=click.Path(path_type=Path, file_okay=False), default=Path("wandb"), show_default=True,
    help="The wandb directory, which holds the folders of the runs.",
)  # fmt: skip
_URL = click.option(
    "--url", "base_url", envvar="WANDB_BASE_URL", show_envvar=True, help="The server's address, as in WANDB_BASE_URL."
)


def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "".join(f"  {line}\n" for line in lines)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_examples("wandb-uploader status", "wandb-uploader run --url http://localhost:8080 --verbose"),
)
def main() -> None:
    """Bring the runs of a wandb directory to a W&B server.

    wandb.init() starts the uploader by itself; these commands are for looking after it. API keys come from
    WANDB_API_KEY or from the netrc file, never from the command line.
    """


@main.command(
    epilog=_examples(
        "wandb-uploader run --url http://localhost:8080 --verbose",
        "wandb-uploader run --dir /scratch/wandb --stay --drain 60     as a service",
    )
)
@_DIR
@_URL
@click.option("--take-over", is_flag=True, hidden=True)  # `start` says so: the process before this one is ending
@click.option("--stay", is_flag=True, help="Don't leave when nothing is left to do: for a service or a sidecar.")
@click.option(
    "--drain", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
    help="When asked to end (SIGTERM), first send what is there, for so long at most.",
)  # fmt: skip
@click.option("--verbose", is_flag=True, help="Write the log to the terminal instead of the log file.")
def run(wandb_dir: Path, base_url: Optional[str], take_over: bool, stay: bool, drain: float, verbose: bool) -> None:
    """Upload until nothing is left to do and no run is being written."""
    home = _home(wandb_dir, base_url)
    home.create()
    _log_to(None if verbose else home.log_path)
    service = Service(home, Destination(home.base_url), idle_seconds=math.inf if stay else IDLE_SECONDS)
    asked: List[int] = []

    def end(number: int, frame: object) -> None:
        asked.append(number)
        if drain and len(asked) == 1:
            service.drain(drain)
        else:
            service.stop()

    # The terminal's signals are for the training script; the uploader goes on with what is left.
    signal.signal(signal.SIGINT, signal.default_int_handler if verbose else signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end)
    try:
        service.run(take_over)
    except UploaderRunning as error:
        logging.getLogger("wandb_uploader").info("not needed: %s", error)
        click.echo(str(error), err=True)
    except KeyboardInterrupt:
        pass
    logging.shutdown()
    sys.stdout.flush()
    # A request in flight may hold its thread for minutes; the cursors are on disk.
    os._exit(0)


@main.command(
    epilog=_examples("wandb-uploader status", "wandb-uploader status --json | jq '.uploads[] | select(.done | not)'")
)
@_DIR
@_URL
@click.option("--json", "as_json", is_flag=True, help="One JSON document with every figure.")
def status(wandb_dir: Path, base_url: Optional[str], as_json: bool) -> None:
    """Show how far the runs of a directory have come."""
    found = read_status(wandb_dir, base_url)
    if as_json:
        uploads = [{**dataclasses.asdict(one), "folder": str(one.folder)} for one in found]
        click.echo(json.dumps({"directory": os.path.abspath(wandb_dir), "uploads": uploads}, indent=2))
        return
    if not found:
        click.echo(f"There are no runs in {wandb_dir}.")
    for one in found:
        click.echo(f"{one.folder.name}  {_describe(one)}")


@main.command(epilog=_examples("wandb-uploader stop --url http://localhost:8080"))
@_DIR
@_URL
def stop(wandb_dir: Path, base_url: Optional[str]) -> None:
    """Stop the uploader of a directory; what is left goes out with the next one."""
    home = _home(wandb_dir, base_url)
    holder = lock_holder(home.lock_path)
    if holder is None:
        click.echo("no uploader is running for this directory and server")
        return
    if not holder.get("pid"):
        raise click.ClickException("the uploader is just starting; try again")
    os.kill(int(holder["pid"]), signal.SIGTERM)
    deadline = time.monotonic() + _STOP_WAIT_SECONDS
    while lock_holder(home.lock_path) is not None:
        if time.monotonic() > deadline:
            raise click.ClickException(f"process {holder['pid']} has not ended yet; see {home.log_path}")
        time.sleep(0.05)
    click.echo(f"process {holder['pid']} has stopped")


def _home(wandb_dir: Path, base_url: Optional[str]) -> Home:
    if not base_url:
        raise click.UsageError("which server? Give --url or set WANDB_BASE_URL")
    try:
        return Home(wandb_dir, base_url)
    except NotUploadable as error:
        raise click.UsageError(str(error)) from None


def _log_to(path: Optional[Path]) -> None:
    handler: logging.Handler = (
        logging.StreamHandler()
        if path is None
        else logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES_MAX, backupCount=1, encoding="utf-8")
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    logger = logging.getLogger("wandb_uploader")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _describe(one: RunStatus) -> str:
    said = f"{one.rows_acked} rows, {one.bytes_acked} bytes at {one.destination or 'no server yet'}"
    if one.redirected:
        said += f", as {one.url or 'another run'}"
    if one.parked_reason:
        said += f"; PARKED: {one.parked_reason}"
    elif one.last_error:
        said += f"; waiting: {one.last_error}"
    elif one.done:
        said += "; done"
    for path, reason in one.parked_files.items():
        said += f"; file {path} PARKED: {reason}"
    return said


if __name__ == "__main__":
    main()

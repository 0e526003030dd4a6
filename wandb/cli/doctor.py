"""`wandb doctor`: what keeps runs from being logged or uploaded on this machine, and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional

import click

from . import FAILED
from ._help import command, option

if TYPE_CHECKING:
    from ._checks import Check, Finding, Place

_MARKS = {"ok": ("✔", "green"), "warning": ("!", "yellow"), "error": ("✖", "red")}


@command(
    "doctor",
    ["wandb doctor", "wandb doctor --host https://wandb.example.com", "wandb doctor --offline --json"],
)
@option("--host", metavar="URL", help="Look at this server, not at that of the settings.")
@option("--offline", is_flag=True, help="Ask no server.")
@option("--dir", "directory", type=click.Path(path_type=Path), help="Look at this wandb folder.  [./wandb]")
@option("--json", "as_json", is_flag=True, help="One JSON document.")
def doctor(host: Optional[str], offline: bool, directory: Optional[Path], as_json: bool) -> None:
    """Check this machine: the installation, disk, filesystem, credentials, the server, clocks, what waits.

    A log is written and removed again in the wandb folder, and the server is asked whose the API key is; nothing else
    is changed. The exit code is 1 where something is wrong; a warning alone is 0.
    """
    from wandb.replay import wandb_directory
    from wandb.sdk.wandb_settings import merged
    from wandb_uploader import normalize_url

    from ._checks import LOCAL, REMOTE, Place

    settings = merged(("--host", {"base_url": host} if host else {}))
    place = Place(wandb_directory(directory), settings, normalize_url(settings.base_url))
    found: List[Finding] = []
    for check in [*LOCAL, *([] if offline else REMOTE)]:
        for finding in _look(check, place):
            found.append(finding)
            if not as_json:
                _show(finding)
    wrong = any(finding.state == "error" for finding in found)
    if as_json:
        click.echo(json.dumps({"ok": not wrong, "findings": [finding._asdict() for finding in found]}, indent=2))
    if wrong:
        raise click.exceptions.Exit(FAILED)


def _look(check: Check, place: Place) -> List[Finding]:
    """What a check finds; one that fails itself is a finding, and the others go on."""
    from ._checks import BAD, Finding

    try:
        return list(check(place))
    except Exception as error:
        return [Finding(check.__name__, BAD, f"could not be looked at: {type(error).__name__}: {error}")]


def _show(finding: Finding) -> None:
    mark, colour = _MARKS[finding.state]
    click.echo(f"{click.style(mark, fg=colour)} {finding.what:<13} {finding.text}")
    if finding.advice:
        click.echo(f"  {'':<13} → {finding.advice}")

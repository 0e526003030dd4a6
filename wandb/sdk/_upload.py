"""The SDK's view of the uploader: starting it, and asking how far it is.

The uploader's package is imported when it is needed: an offline run never does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional

from ._terminal import termwarn

if TYPE_CHECKING:
    from wandb_uploader import RunStatus


def start_uploader(wandb_folder: Path, base_url: str, disk_budget: Optional[str]) -> None:
    """Make sure that somebody uploads the runs of a wandb folder, and keeps to its budget. A failure leaves the run in
    its log, and is said."""
    import wandb_uploader

    try:
        _keep_budget(wandb_folder, disk_budget)
        wandb_uploader.start(wandb_folder, base_url)
    except OSError as error:
        termwarn(f"the uploader could not be started ({error}); the run is kept, upload it with: wandb sync")


def _keep_budget(wandb_folder: Path, disk_budget: Optional[str]) -> None:
    import wandb_uploader

    try:
        budget = None if disk_budget is None else wandb_uploader.parse_size(disk_budget)
    except ValueError as error:
        termwarn(f"disk_budget (WANDB_DISK_BUDGET) is not applied: {error}")
        return
    wandb_uploader.keep_budget(wandb_folder, budget)


def upload_status(run_folder: Path, base_url: str) -> Optional[RunStatus]:
    """How far the upload of a run is, or None where nothing is known of it. Cheap enough to ask ten times a second."""
    import wandb_uploader

    return wandb_uploader.run_status(run_folder, base_url)

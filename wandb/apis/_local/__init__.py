"""The public Api on logs of this machine: the same objects, and no server.

`_logs` answers the documents that `wandb.apis.public` sends, out of the runs of a wandb folder: `_run` knows one of
them, `_history` reads its rows, and `_changes` writes what is changed into its log.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ._logs import LocalLogs

if TYPE_CHECKING:
    from ...sdk.wandb_settings import Settings
    from ..public.runs import Run

__all__ = ["LocalLogs", "run_in"]


def run_in(folder: Path, settings: Settings) -> Run:
    """The run of one folder. Raises CommError where its log can't be read."""
    from ..public.runs import Run

    logs = LocalLogs(settings, folder.parent, folder)
    one = logs.open(folder)
    return Run(logs, one.entity, one.project, one.run_id, one.attrs())

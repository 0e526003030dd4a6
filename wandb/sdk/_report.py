"""What a person sees of a run at its start and at its end."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple

from .._row_keys import flattened
from .._terminal import is_shown, termlog, termwarn
from . import _jupyter
from ._history_sample import sparkline

if TYPE_CHECKING:
    from .wandb_run import Run

_REFUSED_SHOWN = 5
# What every run has among its files.
_OWN_FILES = (
    "config.yaml", "diff.patch", "output.log", "requirements.txt", "wandb-metadata.json", "wandb-summary.json",
)  # fmt: skip


def show_start(run: Run) -> None:
    """Say where the run is kept and where it will be seen."""
    from wandb import __version__

    settings = run.settings
    if is_shown("") and _jupyter.show_start(run):
        return
    termlog(f"Tracking run with wandb version {__version__}")
    if run.offline:
        termlog("Offline: nothing is uploaded. Set WANDB_MODE=online to upload while training.")
    termlog(f"Run data is saved locally in {run.sync_dir}")
    if not run.offline:
        verb = "Resuming" if run.resumed else "Syncing"
        termlog(f"{verb} run {run.name} to {settings.base_url}")


def show_end(run: Run, quiet: bool, wait: Optional[bool]) -> None:
    """The end of a run: its history as sparklines, its summary, and the upload (`wait` as in `Run.finish`)."""
    settings = run.settings
    if not quiet and not settings.quiet and is_shown("") and not _jupyter.show_tables(run):
        _show_tables(run)
    if run._progress.late_rows:
        termwarn(
            f"{run._progress.late_rows} rows came late: they named a step below the run's current one. All were kept."
        )
    lost = run._log.lost if run._log is not None else 0
    if lost:
        termwarn(f"{lost} records were lost: neither the disk nor memory could take them")
    if run.offline:
        termlog("You can sync this run to the server by running:")
        termlog(f"wandb sync {run.sync_dir}")
    else:
        _follow_upload(run, run.settings.finish_timeout if wait is None else math.inf if wait else 0)
    termlog(f"Look at this run from its log: wandb replay {run.id}")


def history_shown(run: Run) -> Tuple[List[Tuple[str, List[float]]], int]:
    """The metrics whose course is shown, and how many others there are."""
    series = {key: values for key, values in run._history.series().items() if not key.startswith("_")}
    shown = sorted(series)[: run.settings.max_end_of_run_history_metrics]
    return [(key, series[key]) for key in shown], len(series) - len(shown)


def summary_shown(run: Run) -> Tuple[List[Tuple[str, str]], int]:
    """The summary's values that are shown, as text, and how many others there are; `accuracy.max` of a nested one."""
    values = {key: value for key, value in flattened(run.summary.as_dict()) if isinstance(value, (int, float, str))}
    values = {key: value for key, value in values.items() if not key.startswith("_")}
    shown = sorted(values)[: run.settings.max_end_of_run_summary_metrics]
    texts = [(key, f"{values[key]:.5g}" if isinstance(values[key], float) else str(values[key])) for key in shown]
    return [(key, text[:60]) for key, text in texts], len(values) - len(shown)


def _show_tables(run: Run) -> None:
    history, more_history = history_shown(run)
    summary, more_summary = summary_shown(run)
    _show_table("Run history:", [(key, sparkline(values)) for key, values in history], more_history)
    _show_table("Run summary:", summary, more_summary)
    if summary:
        termlog()


def _show_table(title: str, rows: Sequence[Tuple[str, str]], more: int) -> None:
    if not rows:
        return
    width = max(len(key) for key, _ in rows)
    termlog()
    termlog(title)
    for key, text in rows:
        termlog(f"{key:>{width}} {text}")
    if more:
        termlog(f"+{more} ...")


def _follow_upload(run: Run, patience: float) -> None:
    """Show the upload until it is done, stalls for so many seconds, or the user lets go."""
    from ._upload import start_uploader
    from ._upload_progress import follow_upload

    assert run._log is not None
    folder, settings = Path(run.sync_dir), run.settings

    def start() -> Optional[Path]:
        return start_uploader(folder.parent, settings)

    _say_upload(run, follow_upload(folder, settings.base_url, run._log.sequence, patience, start))


def _say_upload(run: Run, status: Any) -> None:
    assert run._log is not None
    if status is not None and status.has_all(run._log.sequence):
        refused = {**status.parked_items, **status.parked_files}
        for what, reason in list(refused.items())[:_REFUSED_SHOWN]:
            termwarn(f"the server doesn't have {what}: {reason}")
        if refused:
            termwarn(f"nothing is lost; try again with: wandb sync --retry-parked {run.sync_dir}")
        termlog(f"🚀 View run {run.name} at: {status.url}")
        project, _, _ = status.url.rpartition("/runs/")
        termlog(f"⭐️ View project at: {project}")
        termlog(f"Synced {_counted(status.files_acked, status.artifact_files_acked)}")
        return
    if status is not None and status.parked_reason:
        termwarn(f"the server refuses the run: {status.parked_reason}. Nothing is lost; see `wandb status`")
        return
    why = f" ({status.last_error})" if status is not None and status.last_error else ""
    termlog(f"The upload goes on in the background{why}. Follow it with: wandb status")
    termlog(f"or finish it here with: wandb sync {run.sync_dir}")


def _counted(paths: Sequence[str], artifact_files: int) -> str:
    """How many files of each sort the server has."""
    own = sum(path in _OWN_FILES for path in paths)
    media = sum(path.startswith("media/") for path in paths)
    other = len(paths) - own - media
    return f"{own} W&B file(s), {media} media file(s), {artifact_files} artifact file(s) and {other} other file(s)"

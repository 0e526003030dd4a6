"""What a person sees of a run at its start and at its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._history_sample import sparkline
from ._terminal import termlog, termwarn
from ._upload_progress import follow_upload

if TYPE_CHECKING:
    from .wandb_run import Run

_REFUSED_SHOWN = 5


def show_start(run: Run) -> None:
    """Say where the run is kept and where it will be seen."""
    from wandb import __version__

    settings = run.settings
    termlog(f"Tracking run with wandb version {__version__}")
    if run.offline:
        termlog("Offline: nothing is uploaded. Set WANDB_MODE=online to upload while training.")
    termlog(f"Run data is saved locally in {run.sync_dir}")
    if not run.offline:
        verb = "Resuming" if run.resumed else "Syncing"
        termlog(f"{verb} run {run.name} to {settings.base_url}")


def show_end(run: Run, quiet: bool) -> None:
    """The end of a run: its history as sparklines, its summary, and the upload."""
    settings = run.settings
    if not (quiet or settings.quiet):
        _show_history(run)
        _show_summary(run)
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
        _follow_upload(run)
    termlog(f"Look at this run from its log: wandb replay {run.id}")


def _show_history(run: Run) -> None:
    series = {key: values for key, values in run._history.series().items() if not key.startswith("_")}
    shown = sorted(series)[: run.settings.max_end_of_run_history_metrics]
    if not shown:
        return
    width = max(len(key) for key in shown)
    termlog()
    termlog("Run history:")
    for key in shown:
        termlog(f"{key:>{width}} {sparkline(series[key])}")
    if len(series) > len(shown):
        termlog(f"+{len(series) - len(shown)} ...")


def _show_summary(run: Run) -> None:
    values = {key: value for key, value in run.summary.items() if isinstance(value, (int, float, str))}
    values = {key: value for key, value in values.items() if not key.startswith("_")}
    shown = sorted(values)[: run.settings.max_end_of_run_summary_metrics]
    if not shown:
        return
    width = max(len(key) for key in shown)
    termlog()
    termlog("Run summary:")
    for key in shown:
        value = values[key]
        text = f"{value:.5g}" if isinstance(value, float) else str(value)
        termlog(f"{key:>{width}} {text[:60]}")
    if len(values) > len(shown):
        termlog(f"+{len(values) - len(shown)} ...")
    termlog()


def _follow_upload(run: Run) -> None:
    """Show the upload until it is done, stalls for `finish_timeout`, or the user lets go."""
    assert run._log is not None
    settings = run.settings
    _say_upload(run, follow_upload(Path(run.sync_dir), settings.base_url, run._log.sequence, settings.finish_timeout))


def _say_upload(run: Run, status: Any) -> None:
    if status is not None and status.done:
        refused = {**status.parked_items, **status.parked_files}
        for what, reason in list(refused.items())[:_REFUSED_SHOWN]:
            termwarn(f"the server doesn't have {what}: {reason}")
        if refused:
            termwarn(f"nothing is lost; try again with: wandb sync --retry-parked {run.sync_dir}")
        termlog(f"🚀 View run {run.name} at: {status.url}")
        return
    if status is not None and status.parked_reason:
        termwarn(f"the server refuses the run: {status.parked_reason}. Nothing is lost; see `wandb status`")
        return
    why = f" ({status.last_error})" if status is not None and status.last_error else ""
    termlog(f"The upload goes on in the background{why}. Follow it with: wandb status")
    termlog(f"or finish it here with: wandb sync {run.sync_dir}")

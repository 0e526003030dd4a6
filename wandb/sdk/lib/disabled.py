"""Runs of mode "disabled": a real Run to scripts, of which nothing is recorded."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from wandb_storage import Record

from ..wandb_run import Run


class RunDisabled(Run):
    """A run of mode "disabled": config and summary work in memory, and nothing is recorded."""

    def _append(self, record: Record) -> None:
        """Nothing is kept."""

    def log(
        self,
        data: Mapping[str, Any],
        step: Optional[int] = None,
        commit: Optional[bool] = None,
        sync: Optional[bool] = None,
    ) -> None:
        """Take the row into the summary; nothing is recorded."""
        if step is not None:
            self._progress.step = max(self._progress.step, step)
        elif commit is not False:
            self._progress.step += 1
        self._latest.update(data)

    def finish(self, exit_code: Optional[int] = None, quiet: Optional[bool] = None) -> None:
        """End the run."""
        if not self._finished:
            self._finished = True
            self._on_finish(self, True)

    @property
    def disabled(self) -> bool:
        """True."""
        return True

    @property
    def url(self) -> Optional[str]:
        """None."""
        return None

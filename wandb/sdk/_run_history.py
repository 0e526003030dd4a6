"""`run.history`, as libraries written for the client of 2020 use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

if TYPE_CHECKING:
    from .wandb_run import Run


class History:
    """The rows of a run: where they stand, and adding to them."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def _step(self) -> int:
        return self._run.step

    @property
    def _data(self) -> Dict[str, Any]:
        """The latest value of each key; the row that is being logged is a part of it."""
        return dict(self._run._latest)

    def add(self, d: Mapping[str, Any], step: Optional[int] = None) -> None:
        """Log a row."""
        self._run.log(d, step=step)

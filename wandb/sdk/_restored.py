"""What a run knows when it begins: nothing, or what its earlier sessions left."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Dict, Optional

if TYPE_CHECKING:
    from wandb_storage import MetricRules, RunState


@dataclasses.dataclass(eq=False, repr=False)
class Restored:
    """What a run knows of its earlier sessions."""

    resumed: bool = False
    step: int = 0
    runtime: float = 0.0
    config: Dict[str, Any] = dataclasses.field(default_factory=dict)
    summary: Dict[str, Any] = dataclasses.field(default_factory=dict)
    metrics: Optional[MetricRules] = None
    elsewhere: bool = False  # the sessions are the server's to know, and not in the log
    branch_run: Optional[str] = None  # the run whose beginning the log repeats
    branch_step: int = 0


def restored_from(state: RunState) -> Restored:
    """What the records of a log add up to, for the session that follows them."""
    state.complete_row()
    return Restored(
        resumed=True,
        step=state.step,
        runtime=state.runtime,
        config=state.config,
        summary=state.summary,
        metrics=state.metrics if state.metrics.definitions else None,
    )

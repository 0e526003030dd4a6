"""What a program writes for TensorBoard, as rows of its run: `init(sync_tensorboard=True)`.

    the program's writer ──► events file ──► a thread of the run ──► rows of the log
    add_scalar(...)          durable          _sync: every second     FromLane records

Nothing happens in `add_scalar`: the events files are read while they grow. `_writers` knows which files the program
writes, `_records` reads their records, `_events` what the records hold.

A row of an events file comes into the log as a lane's rows do, so it disturbs no row that the program puts together
itself, and the log says, row by row, up to where each file has been read: a run that was killed and is resumed goes on
there. Rows are complete when a later step begins. Their metrics are drawn over `global_step`, the step that the program
gave TensorBoard.
"""

from __future__ import annotations

from typing import NamedTuple, Optional


class Request(NamedTuple):
    """What `wandb.tensorboard.patch` was asked for: all later runs take it over."""

    root: str
    save: bool


request: Optional[Request] = None

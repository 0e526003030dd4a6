"""TensorBoard: what programs write for it becomes rows of their runs. `init(sync_tensorboard=True)` is all it takes.

`patch` is for programs that set it up apart from `init`, `log` for those that make summaries themselves.
"""

from __future__ import annotations

import sys
from typing import Any, Optional

from .errors import Error
from .sdk import _globals, _tensorboard

__all__ = ["log", "patch", "unpatch"]


def patch(
    save: bool = True, tensorboardX: Optional[bool] = None, pytorch: Optional[bool] = None, root_logdir: str = ""
) -> None:
    """Let every later run log what the program writes for TensorBoard, with whatever writer.

    >>> import wandb
    >>> wandb.tensorboard.patch(root_logdir="logs")  # of logs/train/…, keys are train/…
    >>> with wandb.init(mode="offline"):
    ...     pass
    >>> wandb.tensorboard.unpatch()

    save: keep the events files with the run. root_logdir: the folder below which folders name parts of the run; without
    it, the first one that is written to, or the one around it where that is called train, validation, test or eval.
    `tensorboardX` and `pytorch` are accepted for callers of other clients.
    """
    from .sdk._tensorboard._writers import writers

    writers.install()  # what is written before the run begins belongs to it as well
    _tensorboard.request = _tensorboard.Request(root_logdir, save)
    sys.modules["wandb"].patched["tensorboard"].append(root_logdir)


def unpatch() -> None:
    """Let later runs log it only where they ask for it.

    >>> unpatch()
    """
    _tensorboard.request = None
    sys.modules["wandb"].patched["tensorboard"].clear()


def log(tf_summary_str_or_pb: Any, history: Any = None, step: int = 0, namespace: str = "", **kwargs: Any) -> None:
    """Log a `Summary` of TensorFlow, or its bytes, to the active run.

    >>> import wandb
    >>> run = wandb.init(mode="offline")
    >>> summary = bytes([10, 11, 10, 4]) + b"loss" + bytes([21, 0, 0, 0, 63])  # one of TensorFlow's, as bytes
    >>> wandb.tensorboard.log(summary, step=7, namespace="train")
    >>> run.summary["train/loss"], run.summary["train/global_step"]
    (0.5, 7)
    >>> run.finish()

    namespace: stands before the tags. More arguments are logged beside them. `history` is accepted for callers of
    other clients. Raises Error where no run is active, and for what is no summary.
    """
    from wandb_storage import Undecodable

    from .sdk._tensorboard._events import read_summary
    from .sdk._tensorboard._media import loggable
    from .sdk._tensorboard._sync import GLOBAL_STEP

    run = _globals.active_run()
    if run is None:
        raise Error("You must call wandb.init() before wandb.tensorboard.log()")
    try:
        values = read_summary(tf_summary_str_or_pb)
    except (Undecodable, TypeError) as error:
        raise Error(f"wandb.tensorboard.log takes a Summary of TensorFlow or its bytes: {error}") from None
    before = f"{namespace}/" if namespace else ""
    row = {f"{before}{tag}": loggable(value, tag) for tag, value in values.items()}
    run.log({**row, f"{before}{GLOBAL_STEP}": step, **kwargs})


_log = log  # as callers of other clients know it

"""`wandb.log` and the like: the methods of the active run, as functions.

They look up the run when they are called, so a name that was imported before `wandb.init` works after it.
"""

from __future__ import annotations

import datetime
import os
import sys
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Sequence, TextIO, Union

from .errors import Error

if TYPE_CHECKING:
    from wandb_storage import MetricDefinition

    from .sdk.wandb_alerts import AlertLevel
    from .sdk.wandb_run import Run


def _active(name: str) -> Run:
    run: Optional[Run] = sys.modules["wandb"].run
    if run is None:
        raise Error(f"You must call wandb.init() before wandb.{name}()")
    return run


def log(
    data: Mapping[str, Any], step: Optional[int] = None, commit: Optional[bool] = None, sync: Optional[bool] = None
) -> None:
    """Log a row to the active run.

    >>> import wandb
    >>> run = wandb.init(mode="disabled")
    >>> wandb.log({"loss": 0.5, "accuracy": 0.9})
    >>> wandb.log({"loss": 0.4}, step=10)
    >>> run.finish()

    Without `step` and `commit` the call is a row of its own. With `commit=False`, or with a `step`, calls add up to
    one row, which is complete when a call commits it or names a later step.
    """
    _active("log").log(data, step, commit, sync)


def define_metric(
    name: str,
    step_metric: Union[None, str, MetricDefinition] = None,
    step_sync: Optional[bool] = None,
    hidden: Optional[bool] = None,
    summary: Optional[str] = None,
    goal: Optional[str] = None,
    overwrite: Optional[bool] = None,
) -> MetricDefinition:
    """Say how a metric of the active run, or all that match a glob, is summarized and drawn.

    >>> import wandb
    >>> with wandb.init(mode="offline") as run:
    ...     _ = wandb.define_metric("val/*", step_metric="epoch", summary="max")
    ...     wandb.log({"val/accuracy": 0.9, "epoch": 0})
    ...     wandb.log({"val/accuracy": 0.8, "epoch": 1})
    ...     print(wandb.summary["val/accuracy"])
    {'max': 0.9}
    """
    return _active("define_metric").define_metric(name, step_metric, step_sync, hidden, summary, goal, overwrite)


def alert(
    title: str,
    text: str = "",
    level: Union[None, str, AlertLevel] = None,
    wait_duration: Union[None, float, datetime.timedelta] = None,
) -> None:
    """Send the owner of the active run a message, at most every `wait_duration`.

    >>> import wandb
    >>> with wandb.init(mode="disabled"):
    ...     wandb.alert("Low accuracy", "0.2 after an epoch", level=wandb.AlertLevel.WARN)
    """
    _active("alert").alert(title, text, level, wait_duration)


def mark_preempting() -> None:
    """Record that the scheduler is about to take the machine from the active run.

    >>> import wandb
    >>> with wandb.init(mode="disabled"):
    ...     wandb.mark_preempting()
    """
    _active("mark_preempting").mark_preempting()


def pin_config_keys(keys: Sequence[str] = ()) -> None:
    """Show these keys of the config at the top of the active run's page, in this order.

    >>> import wandb
    >>> with wandb.init(mode="offline", config={"lr": 0.1, "notes": "see *experiment 12*"}):
    ...     wandb.pin_config_keys(["notes", "lr"])
    """
    _active("pin_config_keys").pin_config_keys(keys)


def save(
    glob_str: Union[None, str, os.PathLike[str]] = None,
    base_path: Union[None, str, os.PathLike[str]] = None,
    policy: str = "live",
    glob: bool = True,
) -> List[str]:
    """Keep files with the active run: "now" as they are, "live" as they change, "end" as they are at the end.

    >>> import wandb
    >>> from pathlib import Path
    >>> _ = Path("notes.txt").write_text("batch size doubled")
    >>> with wandb.init(mode="offline") as run:
    ...     paths = wandb.save("notes.txt")
    >>> Path(paths[0]).relative_to(run.dir).as_posix()
    'notes.txt'
    """
    return _active("save").save(glob_str, base_path, policy, glob)


def restore(
    name: str, run_path: Optional[str] = None, replace: bool = False, root: Optional[str] = None
) -> Optional[TextIO]:
    """Open a file that the active run has saved, or the run `run_path` ([entity/project/]id), here or at the server.

    >>> import wandb
    >>> from pathlib import Path
    >>> _ = Path("best.txt").write_text("epoch 3")
    >>> with wandb.init(mode="offline", id="first"):
    ...     _ = wandb.save("best.txt", policy="now")
    >>> with wandb.init(mode="offline"):
    ...     with wandb.restore("best.txt", run_path="first") as file:
    ...         print(file.read())
    epoch 3

    Without an active run, `run_path` is needed, and the file comes into the working directory.
    """
    run: Optional[Run] = sys.modules["wandb"].run
    if run is None and run_path is not None:
        from .sdk._run_restore import restore_without_run

        return restore_without_run(name, run_path, replace, root)
    return _active("restore").restore(name, run_path, replace, root)


def watch(
    models: Any,
    criterion: Any = None,
    log: Optional[str] = "gradients",
    log_freq: int = 1000,
    idx: Optional[int] = None,
    log_graph: bool = False,
) -> None:
    """Log histograms of a PyTorch model's gradients, parameters or both, every `log_freq` steps; with `log_graph` its
    graph, once, into the summary.

    >>> import wandb
    >>> with wandb.init(mode="disabled"):
    ...     model = ...  # a torch.nn.Module
    ...     wandb.watch(model, log="all", log_freq=100)
    """
    _active("watch").watch(models, criterion, log, log_freq, idx, log_graph)


def unwatch(models: Any = None) -> None:
    """Watch these models no more, or none at all.

    >>> import wandb
    >>> with wandb.init(mode="disabled"):
    ...     wandb.unwatch()
    """
    _active("unwatch").unwatch(models)

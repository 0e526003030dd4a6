"""`WandbModelCheckpoint`: Keras's checkpoints, each a version of an artifact."""

from __future__ import annotations

import os
import string
from pathlib import Path
from typing import Any, Optional, Tuple, Union

from ..._terminal import termwarn
from .._library import active_run
from .._models import log_model_file
from ._backend import keras

_ModelCheckpoint: Any = keras.callbacks.ModelCheckpoint


class WandbModelCheckpoint(_ModelCheckpoint):  # type: ignore[misc] # a class of a library that has no types
    """Save the model or its weights as `keras.callbacks.ModelCheckpoint` does, and log what it saves as `run_ID_model`.

    The arguments are Keras's. A version has the aliases `latest` and `epoch_N`, or `epoch_N_batch_M` where `save_freq`
    is a number of batches. With `save_best_only` an epoch that is no better gets no version.

    Raises Error where no run is active.
    """

    def __init__(
        self,
        filepath: Union[str, os.PathLike[str]],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Union[str, int] = "epoch",
        initial_value_threshold: Optional[float] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filepath=filepath,
            monitor=monitor,
            verbose=verbose,
            save_best_only=save_best_only,
            save_weights_only=save_weights_only,
            mode=mode,
            save_freq=save_freq,
            initial_value_threshold=initial_value_threshold,
            **kwargs,
        )
        active_run("WandbModelCheckpoint()")
        placeholders = [name for _, name, _, _ in string.Formatter().parse(os.fspath(filepath)) if name is not None]
        if save_best_only and not placeholders:
            termwarn(
                "WandbModelCheckpoint: with save_best_only, let the path have a placeholder like {epoch:02d}, so that "
                "each version has a file of its own here",
                repeat=False,
            )

    def _save_model(self, epoch: int, batch: Optional[int], logs: Any) -> None:
        """What Keras calls to save, whenever that is."""
        path = Path(self._get_file_path(epoch, batch, logs))
        before = _changes(path)
        super()._save_model(epoch, batch, logs)
        after = _changes(path)
        if after is None or after == before:
            return  # Keras has found that the model is no better
        run = active_run("fit()")
        when = f"epoch_{epoch}" if batch is None else f"epoch_{epoch}_batch_{batch}"
        log_model_file(run, path, f"run_{run.id}_model", ["latest", when])


def _changes(path: Path) -> Optional[Tuple[int, int, int]]:
    """What is different when a file has been written again; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

"""fastai 1: losses and metrics, gradients, predictions of samples and the best model.

    from wandb.integration.fastai import WandbCallback

    learner = Learner(data, model, callback_fns=WandbCallback)

fastai 2 brings its own: `from fastai.callback.wandb import WandbCallback`.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, List, Optional, Sequence

from .._terminal import termlog, termwarn
from ..data_types import Image
from ._library import active_run, library

_HINT = "pip install 'fastai<2'; fastai 2 brings its own, fastai.callback.wandb"
_TrackerCallback: Any = library("fastai.callbacks", "fastai 1", _HINT).TrackerCallback

__all__ = ["WandbCallback"]


class WandbCallback(_TrackerCallback):  # type: ignore[misc] # a class of a library that has no types
    """Log the training of a learner to the active run.

    log: "gradients", "parameters", "all" or None. save_model: keep the model that is best by `monitor` and `mode` in
    the run's folder, and load it at the end. input_type: "images" logs predictions of `validation_data`, or of as many
    samples as `predictions` says, which `seed` chooses.

    Raises Error where no run is active.
    """

    # `watch` takes a model once, whatever callbacks there are.
    _watch_called = False

    def __init__(
        self,
        learn: Any,
        log: Optional[str] = "gradients",
        save_model: bool = True,
        monitor: Optional[str] = None,
        mode: str = "auto",
        input_type: Optional[str] = None,
        validation_data: Optional[Sequence[Any]] = None,
        predictions: int = 36,
        seed: int = 12345,
    ) -> None:
        run = active_run("WandbCallback()")
        super().__init__(learn, mode=mode, **({} if monitor is None else {"monitor": monitor}))
        self.save_model = save_model
        self.model_path = Path(run.dir) / "bestmodel.pth"
        self.log = log
        self.input_type = input_type
        self.best: Any = None
        self.validation_data = validation_data
        if input_type and not validation_data:
            samples = learn.data.valid_ds
            chosen = random.Random(seed).sample(range(len(samples)), min(predictions, len(samples)))
            self.validation_data = [samples[index] for index in chosen]

    def on_train_begin(self, **kwargs: Any) -> None:
        """Watch the model."""
        super().on_train_begin()  # which says what the best value is so far
        if not WandbCallback._watch_called:
            WandbCallback._watch_called = True
            active_run("fit()").watch(self.learn.model, log=self.log)

    def on_epoch_end(self, epoch: int, smooth_loss: Any, last_metrics: Sequence[Any], **kwargs: Any) -> None:
        """Log the epoch, and keep the model where it is the best one."""
        if self.save_model:
            self._keep_best(epoch)
        row = dict(zip(self.learn.recorder.names, [epoch, smooth_loss, *last_metrics]))
        if self.validation_data:
            try:
                row["Prediction Samples"] = self._samples()
            except Exception as error:
                termwarn(f"WandbCallback: predictions of samples can't be logged ({type(error).__name__}: {error})")
                self.validation_data = None
        active_run("fit()").log(row)

    def on_train_end(self, **kwargs: Any) -> None:
        """Load the best model."""
        if self.save_model and self.model_path.is_file():
            with self.model_path.open("rb") as file:
                self.learn.load(file, purge=False)
            termlog(f"the best model is loaded: {self.model_path}")

    def _keep_best(self, epoch: int) -> None:
        value = self.get_monitor_value()
        if value is not None and self.operator(value, self.best):
            termlog(f"epoch {epoch} is the best one so far: {self.monitor} {value}")
            self.best = value
            with self.model_path.open("wb") as file:
                self.learn.save(file)

    def _samples(self) -> List[Image]:
        images: List[Image] = []
        for x, y in self.validation_data or ():
            predicted = self.learn.predict(x)
            shape: Any = getattr(y, "shape", ())
            if not predicted[1].shape or predicted[1].dim() == 1:  # a class, or several
                images.append(Image(x.data, caption=f"Ground Truth: {y}\nPrediction: {predicted[0]}"))
            elif hasattr(x, "show"):  # fastai draws it over the input
                images.append(Image(x.data, caption="Input data", grouping=3))
                images += [Image(_drawn(x, predicted[0]), caption="Prediction")]
                images += [Image(_drawn(x, y), caption="Ground Truth")]
            elif len(shape) == 2 or (len(shape) == 3 and shape[0] in (1, 3, 4)):
                images.append(Image(x.data, caption="Input data", grouping=3))
                images += [Image(predicted[0].data, caption="Prediction"), Image(y.data, caption="Ground Truth")]
            else:
                images.append(Image(x.data, caption="Input data"))
        return images


def _drawn(x: Any, over: Any) -> Any:
    """A figure of an input with something over it, as large as the input."""
    figure = library("matplotlib.figure", "matplotlib").Figure(frameon=False, dpi=100)
    height, width = x.size
    figure.set_size_inches(width / 100, height / 100)
    axes = figure.add_axes([0.0, 0.0, 1.0, 1.0])
    axes.set_axis_off()
    x.show(ax=axes, y=over)
    return figure

"""`WandbCallback`: the callback of older programs: metrics, histograms, examples, tables and the best model."""

from __future__ import annotations

import math
import operator
import os
import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

from ..._terminal import termlog, termwarn
from ...data_types import Graph, Histogram
from ...errors import UsageError
from .._library import active_run
from .._models import log_model_file
from ._backend import IS_KERAS_3, Callback, batches, gradients, name_of
from ._evaluation import Evaluation
from ._examples import Examples
from ._flops import gigaflops

_PREDICTIONS_MAX = 100
_NAME_MAX = 128


class WandbCallback(Callback):  # type: ignore[misc] # a class of a library that has no types
    """Log the training of a Keras model to the active run, and keep its best state.

    monitor, mode: by which metric, and whether less ("min") or more ("max") of it is better; "auto" takes a name with
    `acc` in it for more. The best value and its epoch are in the summary, under `log_best_prefix`.
    save_model: keep the best model in the run's files, as `model-best.h5` (with `save_weights_only`
    `model-best.weights.h5`), and whole as the artifact `model-NAME`.
    log_weights, log_gradients: histograms of each epoch; gradients are computed of `training_data`, (x, y) or batches
    of them. save_graph: the model's layers, in the summary. compute_flops: `GFLOPs` of a prediction, in the summary.
    log_batch_frequency: a row every so many batches, too.

    Examples of `predictions` predictions, where a type is an image: input_type, output_type are "image", "images",
    "segmentation_mask", "label", or "auto". labels: the names of classes. class_colors: one (r, g, b) between 0 and 1 a
    class. They are of `validation_data`, (x, y), or of the next batch of `generator`, of which `validation_steps` are
    taken.
    log_evaluation: a table of the validation data, and every `log_evaluation_frequency` epochs (0: at the end) one of
    the predictions, which refers to it or to the rows `validation_indexes`. validation_row_processor,
    prediction_row_processor: further columns, from an index and a row; without them, and unless
    infer_missing_processors is False, columns that show images and classes.

    Raises Error where no run is active, and UsageError for arguments that make no sense.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        verbose: int = 0,
        mode: str = "auto",
        save_weights_only: bool = False,
        log_weights: bool = False,
        log_gradients: bool = False,
        save_model: bool = True,
        training_data: Any = None,
        validation_data: Any = None,
        labels: Optional[Sequence[str]] = None,
        predictions: int = 36,
        generator: Any = None,
        input_type: Optional[str] = None,
        output_type: Optional[str] = None,
        log_evaluation: bool = False,
        validation_steps: Optional[int] = None,
        class_colors: Any = None,
        log_batch_frequency: Optional[int] = None,
        log_best_prefix: Optional[str] = "best_",
        save_graph: bool = True,
        validation_indexes: Any = None,
        validation_row_processor: Optional[Callable[..., Any]] = None,
        prediction_row_processor: Optional[Callable[..., Any]] = None,
        infer_missing_processors: bool = True,
        log_evaluation_frequency: int = 0,
        compute_flops: bool = False,
        data_type: Optional[str] = None,
    ) -> None:
        super().__init__()
        run = active_run("WandbCallback()")
        if log_gradients and training_data is None:
            raise UsageError("WandbCallback: log_gradients needs training_data, of which gradients are computed")
        self.monitor, self.verbose = monitor, verbose
        self.save_model, self.save_weights_only = save_model, save_weights_only
        self.log_weights, self.log_gradients, self.training_data = log_weights, log_gradients, training_data
        self.log_batch_frequency, self.log_best_prefix = log_batch_frequency, log_best_prefix
        self.save_graph, self.compute_flops = save_graph, compute_flops
        self.log_evaluation, self.log_evaluation_frequency = log_evaluation, log_evaluation_frequency
        if hasattr(validation_data, "__next__"):
            validation_data, generator = None, validation_data
        self.validation_data, self.generator, self.validation_steps = validation_data, generator, validation_steps
        self.input_type, self.output_type = input_type or data_type, output_type
        self._examples = Examples(min(predictions, _PREDICTIONS_MAX), list(labels or ()), class_colors)
        self._evaluation = Evaluation(
            list(labels or ()), validation_indexes, validation_row_processor, prediction_row_processor,
            infer_missing_processors,
        )  # fmt: skip
        self._trained = self._graph_logged = False
        self._is_better, self.best = _comparison(monitor, mode)
        before = run.summary.get(f"{log_best_prefix}{monitor}")
        if isinstance(before, (int, float)):
            self.best = before  # of a run that is gone on with
        suffix = ".weights.h5" if save_weights_only and IS_KERAS_3 else ".h5"
        self.filepath = os.path.join(run.dir, f"model-best{suffix}")

    # --- what Keras calls ---------------------------------------------------------------------------------------------

    def set_model(self, model: Any) -> None:
        """Take the model that is trained."""
        super().set_model(model)
        if self.input_type == "auto":
            self.input_type = _kind_of(getattr(model, "inputs", None), may_be_gray=True)
        if self.input_type and self.output_type is None:
            self.output_type = _kind_of(getattr(model, "outputs", None))

    def on_train_begin(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Log the validation data, where they are wanted."""
        if self.log_evaluation:
            with _no_reason_to_end("the validation data can't be logged"):
                data = self.validation_data or self._generated()
                if data is None:
                    termwarn("WandbCallback: log_evaluation needs validation_data, or generator and validation_steps")
                else:
                    self._evaluation.begin(data[0], data[1])
        if self.compute_flops:
            with _no_reason_to_end("the FLOPs can't be computed"):
                active_run("fit()").summary["GFLOPs"] = gigaflops(self.model)

    def on_train_batch_end(self, batch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Log a batch, where it is time; the graph of the model after the first one, when it is built."""
        self._trained = True
        if self.save_graph and not self._graph_logged:
            self._graph_logged = True
            with _no_reason_to_end("the graph can't be recorded"):
                active_run("fit()").summary["graph"] = Graph.from_keras(self.model)
        if self.log_batch_frequency and batch % self.log_batch_frequency == 0:
            active_run("fit()").log(dict(logs or {}))

    def on_epoch_end(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Log the epoch, and keep the model where it is the best one."""
        row: Dict[str, Any] = {}
        if self.log_weights:
            row.update(self._weights())
        if self.log_gradients:
            row.update(self._gradients())
        if {self.input_type, self.output_type} & {"image", "images", "segmentation_mask"}:
            row.update(self._example_images())
        if self.log_evaluation_frequency > 0 and epoch % self.log_evaluation_frequency == 0:
            row.update(self._predictions())
        active_run("fit()").log({**row, "epoch": epoch, **(logs or {})})
        self._keep_best(epoch, (logs or {}).get(self.monitor))

    def on_train_end(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Log what the model predicts in the end."""
        if self._trained:
            row = self._predictions()
            if row:
                active_run("fit()").log(row)

    # --- parts of a row -----------------------------------------------------------------------------------------------

    def _weights(self) -> Iterator[Any]:
        for layer in self.model.layers:
            weights = layer.get_weights()
            names = ["weights", "bias"][: len(weights)]
            if len(weights) > len(names):
                names = [name_of(weight).rpartition("/")[2] for weight in layer.weights]
            for name, weight in zip(names, weights):
                if weight.dtype.kind in "fiu" and weight.size:
                    yield f"parameters/{layer.name}.{name}", Histogram(weight)

    def _gradients(self) -> Dict[str, Any]:
        """Those of the training data, summed over batches."""
        with _no_reason_to_end("gradients can't be computed"):
            total: List[Any] = []
            for x, y in batches(self.training_data):
                found = gradients(self.model, x, y)
                total = found if not total else [before + more for before, more in zip(total, found)]
            names = [name_of(weight) for weight in self.model.trainable_weights]
            return {f"gradients/{name}.gradient": Histogram(value) for name, value in zip(names, total)}
        return {}

    def _example_images(self) -> Dict[str, Any]:
        data = next(self.generator) if self.generator is not None else self.validation_data
        if data is None:
            termwarn("WandbCallback: examples need validation_data, or a generator", repeat=False)
            return {}
        with _no_reason_to_end("examples can't be logged"):
            return {"examples": self._examples.images(self.model, data[0], data[1], self.input_type, self.output_type)}
        return {}

    def _predictions(self) -> Dict[str, Any]:
        with _no_reason_to_end("predictions can't be logged"):
            if self._evaluation.inputs is not None:
                self._trained = False
                return {"validation_predictions": self._evaluation.predictions(self.model)}
        return {}

    def _generated(self) -> Any:
        """The validation data that the generator yields; None where nobody says how many."""
        if self.generator is None or not self.validation_steps:
            return None
        import numpy

        pairs = [next(self.generator) for _ in range(self.validation_steps)]
        return numpy.concatenate([x for x, *_ in pairs]), numpy.concatenate([y for _, y, *_ in pairs])

    # --- the best model -----------------------------------------------------------------------------------------------

    def _keep_best(self, epoch: int, value: Any) -> None:
        if value is None or not self._is_better(value, self.best):
            return
        run = active_run("fit()")
        if self.log_best_prefix:
            run.summary[f"{self.log_best_prefix}{self.monitor}"] = value
            run.summary[f"{self.log_best_prefix}epoch"] = epoch
        if self.verbose:
            saved = f"; the model is saved: {self.filepath}" if self.save_model else ""
            termlog(f"epoch {epoch}: {self.monitor} improved from {self.best:.5f} to {value:.5f}{saved}")
        self.best = value
        if self.save_model and not run.disabled:
            with _no_reason_to_end("the model can't be saved as a file"):
                save = self.model.save_weights if self.save_weights_only else self.model.save
                save(self.filepath, overwrite=True)
                run.save(self.filepath, base_path=run.dir)
            with _no_reason_to_end("the model can't be saved as an artifact"):
                self._log_model(epoch)

    def _log_model(self, epoch: int) -> None:
        """Log the whole model, in the format of its version of Keras."""
        import tempfile

        run = active_run("fit()")
        name = re.sub(r"[^a-zA-Z0-9_\-.]", "_", f"model-{run.name or run.id}")[:_NAME_MAX]
        with tempfile.TemporaryDirectory() as folder:
            if IS_KERAS_3:
                path = Path(folder) / "model.keras"
                self.model.save(str(path))
            else:
                path = Path(folder) / "model"
                self.model.save(str(path), save_format="tf")
            log_model_file(run, path, name, ["latest", f"epoch_{epoch}"])


class _no_reason_to_end:
    """What goes wrong in here is told, and the training goes on."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        """Nothing is to be done."""

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        if not isinstance(error, Exception):
            return False
        termwarn(f"WandbCallback: {self._what} ({type(error).__name__}: {error})", repeat=False)
        return True


def _comparison(monitor: str, mode: str) -> Any:
    """(whether a value is better than another, the worst value)"""
    if mode not in ("auto", "min", "max"):
        termwarn(f"WandbCallback: mode is auto, min or max, not {mode!r}; it is taken as auto")
        mode = "auto"
    more = mode == "max" or (mode == "auto" and ("acc" in monitor or monitor.startswith("fmeasure")))
    return (operator.gt, -math.inf) if more else (operator.lt, math.inf)


def _kind_of(tensors: Any, may_be_gray: bool = False) -> Optional[str]:
    """What a model takes or puts out, as far as the shape of its one tensor tells."""
    if not tensors or len(tensors) != 1:
        return None
    shape = tuple(tensors[0].shape)
    if len(shape) <= 2:
        return "label"
    if len(shape) == 3 and may_be_gray:
        return "image"
    if len(shape) == 4:
        return "image" if shape[-1] in (1, 3, 4) else "segmentation_mask"
    return None

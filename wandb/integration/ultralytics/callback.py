"""The callback for Ultralytics' models, and the function that adds it to one."""

from __future__ import annotations

import copy
import itertools
import os
from datetime import datetime
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from ...data_types import Table
from ...sdk import _globals
from ...sdk.wandb_init import init
from .._library import active_run, library
from .._models import log_model_file
from ._tasks import TASKS

_ultralytics = library("ultralytics")
_utils = library("ultralytics.utils", "ultralytics")
_torch = library("torch")

__all__ = ["WandBUltralyticsCallback", "add_wandb_callback"]

_CONFIDENCE = 0.1  # with less a box is not shown


class WandBUltralyticsCallback:
    """Log what a model sees to the active run; `callbacks` are the functions to add to the model, by their events.

    model: an `ultralytics.YOLO` that detects, segments, classifies or finds poses; of other tasks only checkpoints and
    settings are logged. epoch_logging_interval: every how many epochs. max_validation_batches: of how many batches of
    the validation data. enable_model_checkpointing: log the model after each epoch as the artifact `run_RUN_model`,
    with the alias "epoch_N". visualize_skeleton: join the key points of a pose by lines.

    `Train-Table` has a row each picture and epoch, with the boxes that are there and those that are seen, and
    `Validation-Table` the same of a validation; `Prediction-Table` has a row each picture of a prediction. The settings
    are in the config, under `train` and `prediction_configs`. Where no run is active, one is begun.
    """

    def __init__(
        self,
        model: Any,
        epoch_logging_interval: int = 1,
        max_validation_batches: Optional[int] = 1,
        enable_model_checkpointing: bool = False,
        visualize_skeleton: Optional[bool] = False,
    ) -> None:
        self.epoch_logging_interval = epoch_logging_interval
        self.max_validation_batches = max_validation_batches
        self.enable_model_checkpointing = enable_model_checkpointing
        self.task: str = model.task
        self.model_name, kind = os.path.splitext(str(model.overrides.get("model") or type(model).__name__))
        self.train_epoch: Optional[int] = None
        self._views = TASKS[self.task](bool(visualize_skeleton)) if self.task in TASKS else None
        if self._views is not None:
            shown, compared = self._views.shown, ("Data-Index", "Batch-Index", *self._views.compared)
            self.train_validation_table = Table(columns=["Model-Name", "Epoch", *compared])
            self.validation_table = Table(columns=["Model-Name", *compared])
            self.prediction_table = Table(columns=["Model-Name", *shown])
            self.predictor = _predictor(model)
            self._names: Dict[int, str] = {}
            self._has_weights = kind != ".yaml"

    @property
    def callbacks(self) -> Dict[str, Callable[[Any], None]]:
        """The callbacks by the names of Ultralytics' events."""
        names = (
            "on_train_start", "on_fit_epoch_end", "on_train_end", "on_val_start", "on_val_end", "on_predict_start",
            "on_predict_end",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def on_train_start(self, trainer: Any) -> None:
        """Put the settings of the training into the config."""
        run = _run("training", trainer.args)
        run.config.update({"train": _settings(trainer.args)}, allow_val_change=True)

    def on_fit_epoch_end(self, trainer: Any) -> None:
        """Show what the model sees of the validation data, and log it as an artifact."""
        if self.train_epoch == trainer.epoch:
            return  # Ultralytics says it once more, of the best model, when the training has ended
        self.train_epoch = trainer.epoch
        if self._views is not None and (trainer.epoch + 1) % self.epoch_logging_interval == 0:
            device = next(trainer.model.parameters()).device
            model = copy.deepcopy(_bare(trainer.model)).eval().to(device)
            with _torch.no_grad():
                self.predictor.setup_model(model=model, verbose=False)
            self._has_weights = True
            self._compare(trainer.validator, self.train_validation_table, [self.model_name, trainer.epoch])
        if self.enable_model_checkpointing:
            self._log_checkpoint(trainer)

    def on_train_end(self, trainer: Any) -> None:
        """Log `Train-Table`."""
        if self._views is not None:
            active_run("train()").log({"Train-Table": self.train_validation_table}, commit=False)

    def on_val_start(self, validator: Any) -> None:
        """Begin a run where none is active."""
        _run("validation", validator.args)

    def on_val_end(self, validator: Any) -> None:
        """Log `Validation-Table`."""
        if self._views is None:
            return
        if not self._has_weights:
            return  # before the first epoch of a model that comes from no file
        self._compare(validator, self.validation_table, [self.model_name])
        if self.validation_table.data:
            active_run("val()").log({"Validation-Table": self.validation_table}, commit=False)

    def on_predict_start(self, predictor: Any) -> None:
        """Begin a run where none is active."""
        _run("prediction", predictor.args, config=_settings(predictor.args))

    def on_predict_end(self, predictor: Any) -> None:
        """Log `Prediction-Table`."""
        run = active_run("predict()")
        run.config.update({"prediction_configs": _settings(predictor.args)}, allow_val_change=True)
        if self._views is not None:
            for result in predictor.results or ():
                if self._names != result.names:  # other classes are other columns
                    self._names = dict(result.names)
                    self.prediction_table = Table(columns=self.prediction_table.columns)
                self.prediction_table.add_data(self.model_name, *self._views.show(result.cpu()))
            run.log({"Prediction-Table": self.prediction_table}, commit=False)

    def _compare(self, validator: Any, table: Table, beginning: List[Any]) -> None:
        """Add the pictures of the first batches to a table, with what is in them and what the model sees: unless it is
        a model of other classes, as it is before the first epoch."""
        assert self._views is not None
        if self.predictor.model is None:
            try:
                self.predictor.setup_model(model=None, verbose=False)
            except FileNotFoundError:
                return  # the file that the model was loaded from is gone, which is no reason to end a training
        if dict(self.predictor.model.names) != dict(validator.names):
            return
        place = 0
        with _torch.no_grad():
            for number, batch in self._batches(validator.dataloader):
                for index, result in enumerate(self.predictor(self._views.pictures(batch))):
                    row = self._views.compare(result.cpu(), batch, index, validator.names)
                    table.add_data(*beginning, place, number, *row)
                    place += 1

    def _batches(self, loader: Any) -> Iterable[Tuple[int, Any]]:
        most = len(loader)
        if self.max_validation_batches is not None:
            most = min(most, self.max_validation_batches)
        first = itertools.islice(loader, most)
        return enumerate(_utils.TQDM(first, total=most, desc="Showing what the model sees"))

    def _log_checkpoint(self, trainer: Any) -> None:
        path = trainer.wdir / f"epoch{trainer.epoch}.pt"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "epoch": trainer.epoch,
            "best_fitness": trainer.best_fitness,
            "model": copy.deepcopy(_bare(trainer.model)).half(),
            "ema": copy.deepcopy(trainer.ema.ema).half(),
            "updates": trainer.ema.updates,
            "optimizer": trainer.optimizer.state_dict(),
            "train_args": vars(trainer.args),
            "date": datetime.now().isoformat(),
            "version": _ultralytics.__version__,
        }
        _torch.save(content, path)
        run = active_run("train()")
        log_model_file(run, path, f"run_{run.id}_model", [f"epoch_{trainer.epoch}"])


def add_wandb_callback(
    model: Any,
    epoch_logging_interval: int = 1,
    enable_model_checkpointing: bool = False,
    enable_train_validation_logging: bool = True,
    enable_validation_logging: bool = True,
    enable_prediction_logging: bool = True,
    max_validation_batches: Optional[int] = 1,
    visualize_skeleton: Optional[bool] = True,
) -> Any:
    """Add a `WandBUltralyticsCallback` to a model, and return the model.

    The three switches say whether pictures are shown after each epoch of a training, after a validation, and after a
    prediction; checkpoints are logged after epochs too, and need the first one. `max_validation_batches=None` shows
    all of the validation data. In a training of several processes the first one logs.
    """
    if _utils.RANK in (-1, 0):
        callback = WandBUltralyticsCallback(
            model, epoch_logging_interval, max_validation_batches, enable_model_checkpointing, visualize_skeleton
        )
        left_out = {
            *(() if enable_train_validation_logging else ("on_fit_epoch_end", "on_train_end")),
            *(() if enable_validation_logging else ("on_val_start", "on_val_end")),
            *(() if enable_prediction_logging else ("on_predict_start", "on_predict_end")),
        }
        for event, function in callback.callbacks.items():
            if event not in left_out:
                model.add_callback(event, function)
    return model


def _predictor(model: Any) -> Any:
    """What looks at pictures for the tables: quietly, without files, and without callbacks."""
    overrides = {**model.overrides, "conf": _CONFIDENCE, "verbose": False, "save": False}
    predictor = model.task_map[model.task]["predictor"](overrides=overrides)
    predictor.callbacks = {}
    predictor.args.save_txt = predictor.args.save_crop = False
    return predictor


def _run(what: str, args: Any, **named: Any) -> Any:
    """The active run, or a new one."""
    project = str(args.project or "YOLOv8").replace("/", "-")
    return _globals.active_run() or init(project=project, job_type=f"{what}_{args.task}", **named)


def _settings(args: Any) -> Dict[str, Any]:
    return dict(vars(args))


def _bare(model: Any) -> Any:
    """A model without what trains it on several devices."""
    return getattr(model, "module", model)

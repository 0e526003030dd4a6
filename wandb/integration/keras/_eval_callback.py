"""`WandbEvalCallback`: tables of a model's predictions, beside the data that they are about."""

from __future__ import annotations

import abc
from typing import Any, List, Mapping, Optional, Sequence

from ...data_types import Table
from ...sdk.artifacts.artifact import Artifact
from .._library import active_run
from ._backend import Callback


class WandbEvalCallback(Callback, abc.ABC):  # type: ignore[misc] # a class of a library that has no types
    """The base of callbacks that log what a model predicts, epoch by epoch.

        class Digits(WandbEvalCallback):
            def add_ground_truth(self, logs=None):
                for index, (image, label) in enumerate(zip(x, y)):
                    self.data_table.add_data(index, wandb.Image(image), label)

            def add_model_predictions(self, epoch, logs=None):
                for index, output in enumerate(self.model.predict(x, verbose=0)):
                    image = self.data_table_ref.data[index][1]
                    self.pred_table.add_data(epoch, index, image, int(output.argmax()))

        model.fit(x, y, callbacks=[Digits(["index", "image", "label"], ["epoch", "index", "image", "predicted"])])

    data_table_columns, pred_table_columns: of the two tables. When the training begins, `data_table` is filled and
    logged as an artifact; `data_table_ref` is what was logged, so that images in predictions name those files and are
    stored once. At the end of each epoch `pred_table` is filled and becomes a version of `run_ID_pred`.

    Raises Error where no run is active.
    """

    def __init__(
        self, data_table_columns: Sequence[str], pred_table_columns: Sequence[str], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        active_run(f"{type(self).__name__}()")
        self.data_table_columns = list(data_table_columns)
        self.pred_table_columns = list(pred_table_columns)

    def on_train_begin(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Log the data."""
        self.init_data_table(column_names=self.data_table_columns)
        self.add_ground_truth(logs)
        self.log_data_table()

    def on_epoch_end(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Log the predictions."""
        self.init_pred_table(column_names=self.pred_table_columns)
        self.add_model_predictions(epoch, logs)
        self.log_pred_table()

    @abc.abstractmethod
    def add_ground_truth(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Fill `data_table` with `add_data`. Called once, when the training begins."""

    @abc.abstractmethod
    def add_model_predictions(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Fill `pred_table` with `add_data`. Called at the end of each epoch."""

    def init_data_table(self, column_names: Sequence[str]) -> None:
        """Begin the table of the data, which takes cells of any type."""
        self.data_table = Table(columns=list(column_names), allow_mixed_types=True)

    def init_pred_table(self, column_names: Sequence[str]) -> None:
        """Begin the table of an epoch's predictions."""
        self.pred_table = Table(columns=list(column_names))

    def log_data_table(self, name: str = "val", type: str = "dataset", table_name: str = "val_data") -> None:
        """Log the data as a version of an artifact that the run uses, and read the table back from it."""
        artifact = Artifact(name, type=type)
        artifact.add(self.data_table, table_name)
        active_run("fit()").use_artifact(artifact)
        artifact.wait()
        self.data_table_ref: Any = artifact.get(table_name)

    def log_pred_table(
        self, type: str = "evaluation", table_name: str = "eval_data", aliases: Optional[List[str]] = None
    ) -> None:
        """Log the predictions as a version of the artifact `run_ID_pred`."""
        run = active_run("fit()")
        artifact = Artifact(f"run_{run.id}_pred", type=type)
        artifact.add(self.pred_table, table_name)
        run.log_artifact(artifact, aliases=aliases or ["latest"])

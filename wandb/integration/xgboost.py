"""XGBoost: metrics of each iteration, the configuration, which features matter, and the model.

from wandb.integration.xgboost import WandbCallback

with wandb.init(project="trees"):
    model = xgboost.XGBRegressor(callbacks=[WandbCallback(log_model=True)])
    model.fit(X_train, y_train, eval_set=[(X_test, y_test)])
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, Mapping

from ._library import active_run, library
from ._models import FEATURE_IMPORTANCE, best, importance_chart, log_model_file

_xgboost = library("xgboost")
_TrainingCallback: Any = library("xgboost.callback", "xgboost").TrainingCallback

__all__ = ["WandbCallback", "wandb_callback"]

# Whether less or more of a metric is better; of other metrics the summary is the last value.
_LESS = frozenset({"rmse", "rmsle", "mae", "mape", "mphe", "logloss", "error", "error@t", "merror"})
_MORE = frozenset({"auc", "aucpr", "ndcg", "map", "ndcg@n", "map@n"})


class WandbCallback(_TrainingCallback):  # type: ignore[misc] # a class of a library that has no types
    """Log the training of a booster to the active run.

    log_model: keep the model as an artifact, `RUN_model.json`. log_feature_importance: a bar chart of
    `importance_type` (weight, gain, cover, total_gain, total_cover; of linear models weight). define_metric: the
    summary of a metric is its best value, not the last one.

    Each iteration is a row: `DATA-METRIC` for each metric and set of data, and `epoch`. The booster's configuration
    goes into the run's config, the best score and iteration into a row at the end.

    Raises Error where no run is active.
    """

    def __init__(
        self,
        log_model: bool = False,
        log_feature_importance: bool = True,
        importance_type: str = "gain",
        define_metric: bool = True,
    ) -> None:
        super().__init__()
        active_run("WandbCallback()")
        self.log_model = log_model
        self.log_feature_importance = log_feature_importance
        self.importance_type = importance_type
        self.define_metric = define_metric

    def before_training(self, model: Any) -> Any:
        """Put the booster's configuration into the config."""
        active_run("training").config.update(json.loads(model.save_config()), allow_val_change=True)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
        """Log what was evaluated, as a row. Never ends the training."""
        run = active_run("training")
        row: Dict[str, Any] = {}
        for data, metrics in evals_log.items():
            for metric, values in metrics.items():
                row[f"{data}-{metric}"] = values[-1]
                summary = best(metric, _LESS, _MORE) if self.define_metric else None
                if summary:
                    run.define_metric(f"{data}-{metric}", summary=summary)
        self.define_metric = False
        run.log({**row, "epoch": epoch})
        return False

    def after_training(self, model: Any) -> Any:
        """Log the model, its features and its best iteration."""
        run = active_run("training")
        if self.log_model:
            name = f"{run.id}_model.json"
            path = Path(run.dir) / name
            model.save_model(str(path))
            log_model_file(run, path, name)
        if self.log_feature_importance:
            scores = model.get_score(importance_type=self.importance_type)
            run.log({FEATURE_IMPORTANCE: importance_chart(scores.items())})
        if model.attr("best_score") is not None:
            run.log(
                {"best_score": float(model.attr("best_score")), "best_iteration": int(model.attr("best_iteration"))}
            )
        return model


def wandb_callback() -> Callable[[Any], None]:
    """The callback for XGBoost before 1.3: logs what each iteration evaluates. Use `WandbCallback`."""
    warnings.warn("wandb_callback() is for XGBoost before 1.3; use WandbCallback() instead", UserWarning, stacklevel=2)

    def callback(env: Any) -> None:
        active_run("training").log({name: value for name, value, *_ in env.evaluation_result_list})

    return callback

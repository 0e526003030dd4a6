"""CatBoost: metrics of each iteration, the parameters, which features matter, and the model.

from wandb.integration.catboost import WandbCallback, log_summary

with wandb.init(project="trees"):
    model = catboost.CatBoostRegressor(iterations=100)
    model.fit(train, eval_set=test, callbacks=[WandbCallback()])
    log_summary(model, save_model_checkpoint=True)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

from ..errors import Error
from ._library import active_run, library
from ._models import FEATURE_IMPORTANCE, importance_chart, log_model_file

_catboost = library("catboost")

__all__ = ["WandbCallback", "log_summary"]


class WandbCallback:
    """Log the training of a CatBoost model to the active run.

    metric_period: what the model is given under that name; it becomes part of a key.

    Each time that CatBoost evaluates is a row: `DATA-METRIC` for each metric and set of data, and
    `iteration@metric-period-N`.

    Raises Error where no run is active.
    """

    def __init__(self, metric_period: int = 1) -> None:
        active_run("WandbCallback()")
        self.metric_period = metric_period
        self._seen = 0

    def after_iteration(self, info: Any) -> bool:
        """Log what was evaluated, as a row. Never ends the training."""
        seen = sum(len(values) for metrics in info.metrics.values() for values in metrics.values())
        if seen > self._seen:
            self._seen = seen
            row: Dict[str, Any] = {
                f"{data}-{metric}": values[-1]
                for data, metrics in info.metrics.items()
                for metric, values in metrics.items()
            }
            active_run("training").log({**row, f"iteration@metric-period-{self.metric_period}": info.iteration})
        return True


def log_summary(
    model: Any, log_all_params: bool = True, save_model_checkpoint: bool = False, log_feature_importance: bool = True
) -> None:
    """Log what is known of a trained model to the active run: its best iteration and score in the summary.

    log_all_params: put its parameters into the config. save_model_checkpoint: keep it as an artifact, `model_RUN`,
    with the alias "best", or "last" where training went on behind the best one. log_feature_importance: a bar chart.

    Raises Error where no run is active, or for what is no such model.
    """
    run = active_run("log_summary()")
    if not isinstance(model, (_catboost.CatBoostClassifier, _catboost.CatBoostRegressor)):
        raise Error(f"log_summary: a CatBoostClassifier or CatBoostRegressor is expected, not {type(model).__name__}")
    params = model.get_all_params()
    if log_all_params:
        run.config.update(params, allow_val_change=True)
    run.summary["best_iteration"] = model.get_best_iteration()
    run.summary["best_score"] = model.get_best_score()
    if save_model_checkpoint:
        path = Path(run.dir) / "model"
        model.save_model(str(path))
        log_model_file(run, path, f"model_{run.id}", ["best" if params.get("use_best_model") else "last"])
    if log_feature_importance:
        found = model.get_feature_importance(prettified=True)
        pairs = zip(found["Feature Id"].tolist(), found["Importances"].tolist())
        run.log({FEATURE_IMPORTANCE: importance_chart(pairs)}, commit=False)

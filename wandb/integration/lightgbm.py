"""LightGBM: metrics of each iteration, the parameters, which features matter, and the model.

from wandb.integration.lightgbm import log_summary, wandb_callback

with wandb.init(project="trees"):
    model = lightgbm.train(params, train, valid_sets=[valid], callbacks=[wandb_callback()])
    log_summary(model, save_model_checkpoint=True)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Tuple

from ..errors import Error
from ._library import active_run, library
from ._models import FEATURE_IMPORTANCE, best, importance_chart, log_model_file

_lightgbm = library("lightgbm")

__all__ = ["log_summary", "wandb_callback"]

# Whether less or more of a metric is better; of other metrics the summary is the last value.
_LESS = frozenset({"l1", "l2", "rmse", "mape", "huber", "fair", "poisson", "gamma", "binary_logloss"})
_MORE = frozenset({"map", "auc", "average_precision"})


def wandb_callback(log_params: bool = True, define_metric: bool = True) -> Callable[[Any], None]:
    """A callback for `lightgbm.train` and `lightgbm.cv` that logs to the active run.

    log_params: put the parameters into the run's config. define_metric: the summary of a metric is its best value,
    not the last one.

    Each iteration is a row: `DATA_METRIC` for each metric and set of data (of `cv` with `-mean` and `-stdv`), and
    `iteration`.
    """
    return _Callback(log_params, define_metric)


class _Callback:
    order = 20  # behind LightGBM's own, which may change what is evaluated
    before_iteration = False

    def __init__(self, log_params: bool, define_metric: bool) -> None:
        self._log_params, self._define_metric = log_params, define_metric

    def __call__(self, env: Any) -> None:
        run = active_run("training")
        values = dict(_evaluated(env))
        if env.iteration == env.begin_iteration:
            if self._log_params:
                run.config.update(env.params, allow_val_change=True)
            for name, (metric, _) in values.items() if self._define_metric else ():
                summary = best(metric, _LESS, _MORE)
                if summary:
                    run.define_metric(name, summary=summary)
        row: Dict[str, Any] = {name: value for name, (_, value) in values.items()}
        run.log({**row, "iteration": env.iteration})


def _evaluated(env: Any) -> Iterator[Tuple[str, Tuple[str, Any]]]:
    """(key, (metric, value)) of everything that an iteration has evaluated."""
    for item in env.evaluation_result_list:
        if len(item) == 4:
            data, metric, value, _ = item
            yield f"{data}_{metric}", (metric, value)
            continue
        # cross-validation: "data metric", or the two apart since LightGBM 4.6
        data, _, metric = item[1].partition(" ") if " " in item[1] else (item[0], "", item[1])
        yield f"{data}_{metric}-mean", (f"{metric}-mean", item[2])
        yield f"{data}_{metric}-stdv", (f"{metric}-stdv", item[4])


def log_summary(model: Any, feature_importance: bool = True, save_model_checkpoint: bool = False) -> None:
    """Log what is known of a trained booster to the active run: its best iteration and score in the summary.

    feature_importance: a bar chart of how often each feature is used. save_model_checkpoint: keep the model of the
    best iteration as an artifact, `model_RUN`, with the alias "best".

    Raises Error where no run is active, or for what is no booster.
    """
    run = active_run("log_summary()")
    if not isinstance(model, _lightgbm.Booster):
        raise Error(f"log_summary: a Booster is expected, not {type(model).__name__}; of a model pass booster_")
    run.summary["best_iteration"] = model.best_iteration
    run.summary["best_score"] = {data: dict(scores) for data, scores in model.best_score.items()}
    if feature_importance:
        pairs = zip(model.feature_name(), model.feature_importance().tolist())
        run.log({FEATURE_IMPORTANCE: importance_chart(pairs)}, commit=False)
    if save_model_checkpoint:
        path = Path(run.dir) / f"model_ckpt_{model.best_iteration}.txt"
        model.save_model(str(path), num_iteration=model.best_iteration)
        log_model_file(run, path, f"model_{run.id}", ["best"])

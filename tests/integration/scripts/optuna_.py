"""Optuna: a study as one run, and a run a trial, with what the objective logs itself."""

from typing import Any

import optuna
from optuna_integration.wandb import WeightsAndBiasesCallback

import wandb

optuna.logging.set_verbosity(optuna.logging.WARNING)


def objective(trial: Any) -> Any:
    x = trial.suggest_float("x", -10, 10)
    kind = trial.suggest_categorical("kind", ["a", "b"])
    return (x - 2) ** 2 + (kind == "b")


callback = WeightsAndBiasesCallback(metric_name="loss", wandb_kwargs={"tags": ["one run"]})
study = optuna.create_study(study_name="one", sampler=optuna.samplers.RandomSampler(0))
study.optimize(objective, n_trials=5, callbacks=[callback])
wandb.finish()

many = WeightsAndBiasesCallback(wandb_kwargs={"tags": ["many"], "group": "trials"}, as_multirun=True)


def tracked(trial: Any) -> Any:
    x = trial.suggest_float("x", 0, 1)
    for step in range(3):
        wandb.log({"step_value": x * step})
    return x


study = optuna.create_study(study_name="many", sampler=optuna.samplers.RandomSampler(0))
study.optimize(many.track_in_wandb()(tracked), n_trials=3, callbacks=[many])
wandb.finish()

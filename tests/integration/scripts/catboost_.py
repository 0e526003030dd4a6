"""CatBoost: a regressor and a classifier, with summaries and models."""

import numpy
from catboost import CatBoostClassifier, CatBoostRegressor

import wandb
from wandb.integration.catboost import WandbCallback, log_summary

random = numpy.random.default_rng(0)
X = random.normal(size=(200, 4))
y = X[:, 0] * 2 + random.normal(size=200) * 0.1
QUIET = {"verbose": False, "thread_count": 1, "random_seed": 0, "allow_writing_files": False}

with wandb.init(tags=["regressor"]):
    model = CatBoostRegressor(iterations=6, depth=2, eval_metric="RMSE", **QUIET)
    model.fit(X[:150], y[:150], eval_set=(X[150:], y[150:]), callbacks=[WandbCallback()])
    log_summary(model, save_model_checkpoint=True)

with wandb.init(tags=["classifier"]):
    model = CatBoostClassifier(iterations=6, depth=2, metric_period=2, custom_metric=["AUC"], **QUIET)
    model.fit(X, (y > 0).astype(int), callbacks=[WandbCallback(metric_period=2)])
    log_summary(model, log_all_params=False, log_feature_importance=False)

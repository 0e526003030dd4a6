"""LightGBM: training with a validation set, cross-validation, and a summary with the model."""

import contextlib

import lightgbm
import numpy

import wandb
from wandb.integration.lightgbm import log_summary, wandb_callback

random = numpy.random.default_rng(0)
X = random.normal(size=(300, 4))
y = X[:, 0] * 2 + random.normal(size=300) * 0.1
QUIET = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, "num_leaves": 4, "seed": 0}

with wandb.init(tags=["regression"]):
    train = lightgbm.Dataset(X[:200], y[:200])
    model = lightgbm.train(
        {"objective": "regression", "metric": ["l2", "l1"], **QUIET},
        train,
        num_boost_round=6,
        valid_sets=[lightgbm.Dataset(X[200:], y[200:], reference=train)],
        valid_names=["validation"],
        callbacks=[wandb_callback()],
    )
    log_summary(model, save_model_checkpoint=True)

with wandb.init(tags=["cross-validation"]) as run, contextlib.suppress(ValueError):  # of the official callback's
    run.log({"began": True})  # by which it is known when each run was
    lightgbm.cv(
        {"objective": "binary", "metric": ["binary_logloss", "auc"], **QUIET},
        lightgbm.Dataset(X, (y > 0).astype(int)),
        num_boost_round=4,
        nfold=2,
        callbacks=[wandb_callback(log_params=False)],
    )
    assert run.summary["valid_auc-mean"] > 0.9

with wandb.init(tags=["last values"]):
    model = lightgbm.LGBMRegressor(n_estimators=3, n_jobs=1, verbose=-1)
    model.fit(X, y, eval_set=[(X, y)], callbacks=[wandb_callback(define_metric=False)])
    log_summary(model.booster_, feature_importance=False)

"""XGBoost: a regressor and a classifier, with feature importances and the model."""

import numpy
import xgboost

import wandb
from wandb.integration.xgboost import WandbCallback

random = numpy.random.default_rng(0)
X = random.normal(size=(200, 4))
y = X[:, 0] * 2 + random.normal(size=200) * 0.1

with wandb.init(config={"trees": 5}, tags=["regressor"]):
    model = xgboost.XGBRegressor(
        n_estimators=5, max_depth=2, eval_metric=["rmse", "mae"], callbacks=[WandbCallback(log_model=True)], n_jobs=1
    )
    model.fit(X[:150], y[:150], eval_set=[(X[:150], y[:150]), (X[150:], y[150:])], verbose=False)

with wandb.init(tags=["booster"], group="boosters", job_type="train"):
    data = xgboost.DMatrix(X, label=(y > 0).astype(int))
    xgboost.train(
        {"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "nthread": 1},
        data,
        num_boost_round=8,
        evals=[(data, "train")],
        early_stopping_rounds=3,
        verbose_eval=False,
        callbacks=[WandbCallback(importance_type="weight")],
    )

with wandb.init(tags=["last values"]):
    xgboost.train(
        {"objective": "reg:squarederror", "nthread": 1},
        xgboost.DMatrix(X, label=y),
        num_boost_round=3,
        evals=[(xgboost.DMatrix(X, label=y), "train")],
        verbose_eval=False,
        callbacks=[WandbCallback(define_metric=False, log_feature_importance=False)],
    )

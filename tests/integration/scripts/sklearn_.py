"""scikit-learn: the charts of a classifier, a regressor and a clusterer, and curves of `wandb.plot`."""

import numpy
from sklearn import cluster, datasets, ensemble, linear_model

import wandb

numpy.random.seed(0)
X, y = datasets.load_iris(return_X_y=True)
LABELS = ["setosa", "versicolor", "virginica"]

with wandb.init(tags=["classifier"]):
    model = ensemble.RandomForestClassifier(n_estimators=5, random_state=0).fit(X[::2], y[::2])
    predicted, probabilities = model.predict(X[1::2]), model.predict_proba(X[1::2])
    wandb.sklearn.plot_classifier(
        model, X[::2], X[1::2], y[::2], y[1::2], predicted, probabilities, LABELS, model_name="Forest",
        feature_names=["a", "b", "c", "d"],
    )  # fmt: skip
    wandb.log({"roc_curve": wandb.plot.roc_curve(y[1::2], probabilities, labels=LABELS)})
    wandb.log({"matrix": wandb.plot.confusion_matrix(y_true=y[1::2].tolist(), preds=predicted, class_names=LABELS)})

with wandb.init(tags=["regressor"]):
    X_all, target = datasets.load_diabetes(return_X_y=True)
    model = linear_model.Ridge().fit(X_all[:200], target[:200])
    wandb.sklearn.plot_regressor(model, X_all[:200], X_all[200:], target[:200], target[200:], "Ridge")

with wandb.init(tags=["clusterer"]):
    model = cluster.KMeans(3, n_init=1, random_state=0).fit(X)
    wandb.sklearn.plot_clusterer(model, X, model.labels_, LABELS, "KMeans")

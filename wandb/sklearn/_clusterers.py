"""Charts of clusterers."""

from __future__ import annotations

import time
from typing import Any, List, Optional, Sequence

from .._of_the_active_run import log
from ..data_types import Table
from ..errors import DataError
from ..plot import visualize
from ._inputs import features, module, named, shown, targets

# Rows between two clusters, so that they are told apart.
_GAP = 10


def plot_elbow_curve(
    clusterer: Any = None,
    X: Any = None,
    cluster_ranges: Optional[Sequence[int]] = None,
    n_jobs: int = 1,
    show_cluster_time: bool = True,
) -> None:
    """Log how well, and how fast, copies of a clusterer with 1, 3, 5, … clusters fit the samples.

    >>> import wandb
    >>> from sklearn import cluster, datasets
    >>> X, _ = datasets.make_blobs(50, random_state=0)
    >>> model = cluster.KMeans(3, n_init=1).fit(X)
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_elbow_curve(model, X, cluster_ranges=[1, 2, 3])

    cluster_ranges: these numbers instead. n_jobs: so many at a time; show_cluster_time has no effect. Raises DataError
    for a clusterer that doesn't take a number of clusters.
    """
    if not hasattr(clusterer, "n_clusters"):
        raise DataError("n_clusters attribute not in classifier. Cannot plot elbow method.")
    samples, clone = features(X), module("base").clone
    parallel = module("utils.parallel")

    def score(count: int) -> List[Any]:
        began = time.perf_counter()
        model = clone(clusterer).set_params(n_clusters=count)
        return [count, abs(float(model.fit(samples).score(samples))), time.perf_counter() - began]

    counts = sorted(cluster_ranges or range(1, min(10, len(samples) + 1), 2))
    rows = parallel.Parallel(n_jobs=n_jobs, prefer="threads")(parallel.delayed(score)(count) for count in counts)
    table = Table(columns=["cluster_ranges", "errors", "clustering_time"], data=rows)
    log({"elbow_curve": visualize("wandb/elbow/v1", table)})


def plot_silhouette(
    clusterer: Any = None,
    X: Any = None,
    cluster_labels: Any = None,
    labels: Optional[Sequence[Any]] = None,
    metric: str = "euclidean",
    kmeans: bool = True,
) -> None:
    """Log how close each sample is to its own cluster and how far from the others, in bars and as points.

    >>> import wandb
    >>> from sklearn import cluster, datasets
    >>> X, _ = datasets.make_blobs(50, random_state=0)
    >>> model = cluster.KMeans(3, n_init=1).fit(X)
    >>> with wandb.init(mode="disabled"):
    ...     wandb.sklearn.plot_silhouette(model, X, model.labels_)

    cluster_labels: the clusters of the samples. labels: the names of clusters that are numbers. kmeans: show the
    centers too.
    """
    samples, clusters = features(X), targets(cluster_labels, "cluster_labels")
    if samples.shape[1] < 2:
        raise DataError("plot_silhouette: X has two features or more")
    metrics = module("metrics")
    scores = metrics.silhouette_samples(samples, clusters, metric=metric)
    average = float(metrics.silhouette_score(samples, clusters, metric=metric))
    found = sorted(set(clusters.tolist()))
    names = dict(zip(found, named(found, labels)))
    bars: List[List[Any]] = []
    height = _GAP
    for cluster in found:
        for score in sorted(scores[clusters == cluster].tolist()):
            bars.append([height, 0, score, names[cluster]])
            height += 1
        height += _GAP
    centers = _centers(clusterer, found) if kmeans and clusterer is not None else {}
    rows = [
        [*point[:2], names[cluster], *centers.get(cluster, (None, None)), *bar, average]
        for point, cluster, bar in zip(samples.tolist(), clusters.tolist(), bars)
    ]
    columns = ["x", "y", "colors", "centerx", "centery", "y_sil", "x1", "x2", "color_sil", "silhouette_avg"]
    log({"silhouette_plot": visualize("wandb/silhouette_/v1", Table(columns=columns, data=shown(rows)))})


def _centers(clusterer: Any, clusters: Sequence[Any]) -> Any:
    centers = getattr(clusterer, "cluster_centers_", None)
    if centers is None or len(centers) != len(clusters):
        return {}
    return {cluster: center[:2] for cluster, center in zip(clusters, centers.tolist())}

"""What the integrations log of a trained model: its file as an artifact, and how much each feature matters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, AbstractSet, Any, Iterable, Optional, Sequence, Tuple

from ..data_types import Table
from ..plot import bar
from ..sdk.artifacts.artifact import Artifact

if TYPE_CHECKING:
    from ..plot.custom_chart import CustomChart
    from ..sdk.wandb_run import Run

FEATURE_IMPORTANCE = "Feature Importance"


def importance_chart(importances: Iterable[Tuple[Any, Any]]) -> CustomChart:
    """A bar for each (feature, importance)."""
    table = Table(data=[list(pair) for pair in importances], columns=["Feature", "Importance"])
    return bar(table, "Feature", "Importance", title=FEATURE_IMPORTANCE)


def log_model_file(run: Run, path: Path, name: str, aliases: Optional[Sequence[str]] = None) -> None:
    """Log a file, or a folder, as a version of the model `name`."""
    artifact = Artifact(name, type="model")
    if path.is_dir():
        artifact.add_dir(os.fspath(path))
    else:
        artifact.add_file(os.fspath(path))
    run.log_artifact(artifact, aliases=None if aliases is None else list(aliases))


def best(metric: str, less: AbstractSet[str], more: AbstractSet[str]) -> Optional[str]:
    """How a metric is summarized, by what is better: less or more of it. None where nobody knows.

    >>> best("Logloss", {"rmse"}, {"auc"}), best("auc", {"rmse"}, {"auc"}), best("lr", {"rmse"}, {"auc"})
    ('min', 'max', None)
    """
    name = metric.lower()
    if "loss" in name or name in less:
        return "min"
    return "max" if name in more else None

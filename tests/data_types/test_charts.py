"""Charts: the same as the official client's, and what becomes of them in a run."""

from __future__ import annotations

import doctest
import importlib
import json
import subprocess
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from chart_cases import CHARTS
from logged import state_of, values_of
from peer import peer_python
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

import wandb
from wandb.errors import DataError
from wandb_uploader._config_wire import wire_config

HERE = Path(__file__).parent
OFFICIAL: Dict[str, Any] = json.loads((HERE / "official_charts.json").read_text())

RANDOM = np.random.default_rng(0)
POINTS = RANDOM.normal(size=(120, 3))
SIGNS = (POINTS[:, 0] + 0.3 * POINTS[:, 1] > 0).astype(int)
VALUES = POINTS @ [1.0, 2.0, -1.0] + 0.1 * RANDOM.normal(size=120)


@pytest.fixture
def run() -> wandb.Run:
    return wandb.init(mode="offline", settings={"silent": True})


def config_of(run: wandb.Run) -> Dict[str, Any]:
    internal: Dict[str, Any] = wire_config(state_of(run))["_wandb"]["value"]
    return internal


@pytest.mark.parametrize("name", list(CHARTS))
def test_a_chart_is_the_same(name: str, run: wandb.Run) -> None:
    chart, expected = CHARTS[name](), OFFICIAL[name]
    run.log({"group": {"chart": chart, "number": 1}})
    run.finish()
    (row,) = values_of(run)
    assert row["group"] == {"number": 1}
    assert row[expected["key"]]["_type"] == "table-file"
    assert chart.table.columns == expected["columns"]
    assert chart.table.data == expected["data"]
    kind, key = next(iter(expected["config"])).split("/")
    assert config_of(run)[kind] == {key: expected["config"][f"{kind}/{key}"]}


@pytest.mark.peer
def test_the_list_is_what_the_official_client_makes(tmp_path: Path) -> None:
    python = peer_python("0.31.0", "pandas", "scikit-learn")
    said = subprocess.run(
        [str(python), str(HERE / "chart_cases.py")], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={"HOME": str(tmp_path), "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"},
    )  # fmt: skip
    assert json.loads(said.stdout) == OFFICIAL


def test_a_chart_is_logged_again_without_saying_again_how_it_is_drawn(run: wandb.Run) -> None:
    for value in range(3):
        table = wandb.Table(columns=["a", "b"], data=[[0, value]])
        run.log({"chart": wandb.plot.line(table, "a", "b")})
    run.finish()
    assert len({row["chart_table"]["sha256"] for row in values_of(run)}) == 3
    assert list(config_of(run)["visualize"]) == ["chart"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: wandb.plot_table("x", [[1]], {}), "instead got list"),  # type: ignore[arg-type]
        (lambda: wandb.visualize("x", {}), "instead got dict"),  # type: ignore[arg-type]
        (lambda: wandb.plot.line_series([0], [[1], [2]], keys=["a"]), "Number of keys"),
        (lambda: wandb.plot.line_series([[0], [1]], [[1]]), "Number of x-series"),
        (lambda: wandb.plot.confusion_matrix(y_true=[0]), "Only one of"),
        (lambda: wandb.plot.confusion_matrix(y_true=[0], preds=[0, 1]), "must be equal"),
        (lambda: wandb.plot.confusion_matrix(y_true=[0, 1], preds=[0, 1], class_names=["a"]), "exceeds the number"),
        (lambda: wandb.plot.confusion_matrix(y_true=["a"], preds=["a"], class_names=["a"]), "numbers of class_names"),
        (lambda: wandb.plot.roc_curve([0, 1], None), "a curve needs"),
        (lambda: wandb.plot.roc_curve([0, 1], [0.5, 0.5]), "a probability for each"),
        (lambda: wandb.plot.pr_curve([0, 1], [[1, 0], [0, 1]], classes_to_plot=[5]), "none of"),
        (lambda: wandb.plots.HeatMap(["a"], ["b"], [[1, 2]]), "1 rows of 1 values"),
    ],
)
def test_what_makes_no_chart_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(wandb.Error, match=message):
        make()


def test_curves_of_many_points_are_sampled_and_always_alike() -> None:
    true = np.arange(30_000) % 3
    scores = np.random.default_rng(1).random((30_000, 3))
    first, second = (wandb.plots.ROC(true, scores).table for _ in range(2))
    assert len(first.data) == wandb.Table.MAX_ROWS
    assert first.data == second.data
    assert {row[0] for row in first.data} == {0, 1, 2}


def keys_of(run: wandb.Run) -> List[str]:
    run.finish()
    return [key for row in values_of(run) for key in row if key != "_step"]


def test_all_charts_of_a_classifier(run: wandb.Run) -> None:
    model = RandomForestClassifier(5, random_state=0).fit(POINTS, SIGNS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of its own changes
        wandb.sklearn.plot_classifier(
            model, POINTS, POINTS, SIGNS, SIGNS, model.predict(POINTS), model.predict_proba(POINTS), ["no", "yes"],
            is_binary=True, feature_names=["a", "b", "c"], log_learning_curve=True,
        )  # fmt: skip
        wandb.sklearn.plot_decision_boundaries(model, POINTS, SIGNS)
    assert keys_of(run) == [
        "feature_importances", "learning_curve", "confusion_matrix", "summary_metrics", "class_proportions",
        "calibration_curve", "roc_table", "precision_recall_table", "decision_boundaries",
    ]  # fmt: skip
    views = {key: view["id"] for key, view in config_of(run)["viz"].items()}
    assert views["summary_metrics"] == "wandb/metrics/v1"
    assert views["decision_boundaries"] == "wandb/decision_boundaries/v1"


def test_all_charts_of_a_regressor(run: wandb.Run) -> None:
    wandb.sklearn.plot_regressor(Ridge().fit(POINTS, VALUES), POINTS, POINTS, VALUES, VALUES)
    assert keys_of(run) == ["summary_metrics", "learning_curve", "outlier_candidates", "residuals"]


def test_all_charts_of_a_clusterer(run: wandb.Run) -> None:
    model = KMeans(3, n_init=1, random_state=0).fit(POINTS)
    wandb.sklearn.plot_clusterer(model, POINTS, model.labels_, ["a", "b", "c"])
    assert keys_of(run) == ["elbow_curve", "silhouette_plot"]
    table = json.loads((Path(run.dir) / run.summary["silhouette_plot"]["path"]).read_text())
    assert len(table["data"]) == len(POINTS)
    assert {row[2] for row in table["data"]} == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("plot", "message"),
    [
        (lambda: wandb.sklearn.plot_residuals(Ridge(), POINTS, VALUES), "not fitted"),
        (lambda: wandb.sklearn.plot_feature_importances(KMeans(2, n_init=1).fit(POINTS)), "has none of"),
        (lambda: wandb.sklearn.plot_calibration_curve(Ridge().fit(POINTS, VALUES), POINTS, SIGNS), "is no classifier"),
        (lambda: wandb.sklearn.plot_elbow_curve(Ridge(), POINTS), "n_clusters"),
        (lambda: wandb.sklearn.plot_elbow_curve(KMeans(2), None), "X is None"),
        (lambda: wandb.sklearn.plot_silhouette(None, POINTS[:, :1], SIGNS), "two features"),
        (lambda: wandb.sklearn.plot_confusion_matrix(None, SIGNS), "y_true is an array"),
        (lambda: wandb.sklearn.plot_outlier_candidates(Ridge(), POINTS * np.nan, VALUES), "missing or infinite"),
        (
            lambda: wandb.sklearn.plot_decision_boundaries(LogisticRegression(), POINTS, np.arange(120) % 3),
            "two classes, not 3",
        ),
    ],
)
def test_what_a_model_has_no_chart_of_is_said(plot: Callable[[], None], message: str, run: wandb.Run) -> None:
    with pytest.raises(DataError, match=message):
        plot()


@pytest.mark.parametrize("name", ["wandb.plot", "wandb.plots", "wandb.sklearn"])
def test_the_examples_are_true(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    package = importlib.import_module(name)
    assert doctest.testmod(package).failed == 0
    modules = {getattr(package, public).__module__ for public in package.__all__}
    for module in modules:
        assert doctest.testmod(importlib.import_module(module)).failed == 0

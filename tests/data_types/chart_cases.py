"""Charts as any client of W&B's would be asked to make them.

Run with the Python of the official client, this prints what that one makes of the same:

    python tests/data_types/chart_cases.py > tests/data_types/official_charts.json
"""

from __future__ import annotations

import json
import sys
from typing import Any, Callable, Dict, Tuple

import numpy as np

import wandb


def _table() -> Any:
    return wandb.Table(columns=["a", "b", "c"], data=[[1, 2.5, "x"], [2, 3.5, "y"]])


def _scores(classes: int) -> Tuple[Any, Any]:
    """(true classes, probabilities) of a hundred samples, of which some are wrong."""
    true = np.arange(100) * 7 % classes
    scores = np.abs(np.sin(np.arange(100 * classes).reshape(100, classes) * 1.7)) + 0.8 * np.eye(classes)[true]
    return true, scores / scores.sum(axis=1, keepdims=True)


def _named(names: Any) -> Tuple[Any, Any]:
    true, scores = _scores(3)
    return [names[one] for one in true], scores


CHARTS: Dict[str, Callable[[], Any]] = {
    "bar": lambda: wandb.plot.bar(_table(), "c", "a", "title"),
    "histogram": lambda: wandb.plot.histogram(_table(), "a"),
    "line": lambda: wandb.plot.line(_table(), "a", "b", title="t"),
    "lines": lambda: wandb.plot.line(_table(), "a", "b", stroke="c", split_table=True),
    "scatter": lambda: wandb.plot.scatter(_table(), "a", "b"),
    "series": lambda: wandb.plot.line_series([0, 1], [[1, 2], [3, 4]], xname="step"),
    "series over lists": lambda: wandb.plot.line_series([[0, 1], [2]], [[1, 2], [3]], keys=["p", "q"], title="t"),
    "confusion": lambda: wandb.plot.confusion_matrix(y_true=[0, 1, 1, 2], preds=[0, 2, 1, 2]),
    "confusion of probabilities": lambda: wandb.plot.confusion_matrix(
        probs=_scores(3)[1], y_true=_scores(3)[0].tolist(), class_names=["x", "y", "z"]
    ),
    "roc of two": lambda: wandb.plot.roc_curve(*_scores(2), labels=["no", "yes"]),
    "roc": lambda: wandb.plot.roc_curve(*_scores(3)),
    "roc of names": lambda: wandb.plot.roc_curve(*_named("xyz")),
    "roc of some": lambda: wandb.plot.roc_curve(*_scores(3), classes_to_plot=[0, 2]),
    "precision of two": lambda: wandb.plot.pr_curve(*_scores(2), labels=["no", "yes"], title="t"),
    "precision": lambda: wandb.plot.pr_curve(*_scores(3), interp_size=5, split_table=True),
    "any table": lambda: wandb.plot_table("me/spec", _table(), {"x": "a"}, {"title": "t"}),
    "view": lambda: wandb.visualize("wandb/metrics/v1", _table()),  # type: ignore[attr-defined, unused-ignore]
}


def main() -> None:
    result: Dict[str, Any] = {}
    for name, make in CHARTS.items():
        chart = make()
        chart.set_key("group.chart")
        cells = [[cell.item() if hasattr(cell, "item") else cell for cell in row] for row in chart.table.data]
        result[name] = {
            "config": {"/".join(chart.spec.config_key[1:]): chart.spec.config_value},
            "key": getattr(chart.spec, "table_key", "group.chart"),
            "columns": chart.table.columns,
            "data": cells,
        }
    json.dump(result, sys.stdout, indent=None, separators=(",", ":"), sort_keys=True)
    print()


if __name__ == "__main__":
    main()

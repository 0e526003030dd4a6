"""Charts as clients of 2020 make them. `wandb.plot` has more, and newer ones.

>>> import wandb
>>> chart = wandb.plots.HeatMap(["a", "b"], ["c"], [[1, 2]])
>>> chart.spec.name, chart.table.data
('wandb/heatmap_no_text/v1', [['a', 'c', 1], ['b', 'c', 2]])
"""

from __future__ import annotations

from ._classifiers import precision_recall, roc
from ._heatmap import heatmap
from ._texts import explain_text, named_entity, part_of_speech

ROC = roc
HeatMap = heatmap
ExplainText = explain_text
POS = part_of_speech
NER = named_entity

__all__ = [
    "NER",
    "POS",
    "ROC",
    "ExplainText",
    "HeatMap",
    "explain_text",
    "heatmap",
    "named_entity",
    "part_of_speech",
    "precision_recall",
    "roc",
]

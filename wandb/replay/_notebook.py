"""A notebook that opens a run from its log: its story, its history as a data frame, plots, and places to go on.

The notebook reads the log where it is; nothing of the run but its story is copied.
"""

from __future__ import annotations

import json
import os
from typing import IO, Any, Dict, List, Sequence

from ._replay import Replay
from ._selection import Selection
from ._types import DOUBLE, INTEGER

_PLOTS_MAX = 8
_STORY_WIDTH = 100


def write_notebook(replays: Sequence[Replay], selection: Selection, file: IO[str]) -> None:
    """A Jupyter notebook (nbformat 4) that needs pandas and matplotlib to run."""
    cells = [_text("# " + ", ".join(_title(replay) for replay in replays)), _code(_opening(replays))]
    for index, replay in enumerate(replays):
        run = f"runs[{index}]" if len(replays) > 1 else "run"
        cells += _cells_of(replay, run, selection)
    notebook = {
        "cells": [{**cell, "id": f"cell-{number}"} for number, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    json.dump(notebook, file, indent=1)
    file.write("\n")


def _title(replay: Replay) -> str:
    return " ".join(filter(None, (replay.name, f"({replay.run_id})")))


def _opening(replays: Sequence[Replay]) -> str:
    folders = [os.path.abspath(replay.folder) for replay in replays]
    if len(folders) == 1:
        return f"import wandb\n\nrun = wandb.replay({folders[0]!r})\nrun"
    listed = "".join(f"    {folder!r},\n" for folder in folders)
    return f"import wandb\n\nfolders = [\n{listed}]\nruns = [wandb.replay(folder) for folder in folders]\nruns"


def _cells_of(replay: Replay, run: str, selection: Selection) -> List[Dict[str, Any]]:
    story = replay.story(_STORY_WIDTH)
    keys = _plotted(replay, selection)
    bounds = {name: value for name, value in selection.range_of(replay)._asdict().items() if value is not None}
    arguments = [repr(list(selection.keys))] if selection.keys is not None else []
    arguments += [f"{name}={value!r}" for name, value in bounds.items()]
    frame = f"history = {run}.history({', '.join(arguments)}).to_pandas()\nhistory"
    cells = [
        _text(f"## {_title(replay)}\n\nAs `wandb replay` tells it:"),
        _code(f"print({run}.story())", story),
        _code(frame),
    ]
    if keys:
        plot = (
            f"for key in {keys!r}:\n"
            '    history.dropna(subset=[key]).plot(x="_step", y=key, figsize=(9, 2.5), grid=True)'
        )
        cells.append(_code(plot))
    cells.append(_code(f"{run}.config"))
    cells.append(_code(f"{run}.summary"))
    cells.append(_text("What was known at an earlier step:"))
    middle = ((replay.scan().first_step or 0) + (replay.scan().last_step or 0)) // 2
    cells.append(_code(f"{run}.at(step={middle}).summary"))
    return cells


def _plotted(replay: Replay, selection: Selection) -> List[str]:
    """The first metrics that are numbers."""
    types = selection.history(replay).types()
    numbers = [key for key, kind in types.items() if kind in (DOUBLE, INTEGER) and not key.startswith("_")]
    return numbers[:_PLOTS_MAX]


def _text(source: str) -> Dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(source: str, printed: str = "") -> Dict[str, Any]:
    outputs = [{"output_type": "stream", "name": "stdout", "text": printed}] if printed else []
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": outputs, "source": source}

"""Keras on each backend that is installed: the same is logged, and only the backend's library is loaded.

The official client needs TensorFlow whatever the backend is, so only ours runs here.
"""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any, Dict, List

import pytest
from clients import OURS, run_script
from differences import Difference, compare
from own_server import Server
from received import received
from test_libraries import LIBRARY

BACKENDS = [name for name in ("tensorflow", "torch", "jax") if LIBRARY == "keras" and importlib.util.find_spec(name)]

pytestmark = pytest.mark.skipif(not BACKENDS, reason="tox -e integration-keras runs this with Keras")


def logged(script: str, backend: str, server: Server, place: Path) -> List[Dict[str, Any]]:
    place.mkdir()
    project = f"{script.strip('_')}-{backend}-{place.parent.name}"  # one backend is in several tests
    ran = run_script(OURS, script, server, place, project, {"KERAS_BACKEND": backend})
    assert "loaded by wandb: []" in ran.output
    assert "wandb: WARNING" not in ran.output, ran.output
    return received(server, project, ran.folder)


def differs(difference: Difference) -> bool:
    """Whether it is more than a rounding, or the size of a file."""
    both = (difference.official, difference.ours)
    if all(isinstance(one, (int, float)) for one in both):
        return not math.isclose(*both, rel_tol=1e-4, abs_tol=1e-6)
    return not difference.path.rpartition(".files.")[2].endswith((".keras", ".h5"))


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_every_backend_logs_the_same(backend: str, server: Server, tmp_path: Path) -> None:
    first, other = (logged("keras_", name, server, tmp_path / name) for name in (BACKENDS[0], backend))
    assert [str(one) for one in compare(first, other) if differs(one)] == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_older_callback_logs_all_it_is_asked_for(backend: str, server: Server, tmp_path: Path) -> None:
    (run,) = logged("callback_of_keras", backend, server, tmp_path / backend)
    epochs = [row for row in run["rows"] if "epoch" in row]
    assert [row["epoch"] for row in epochs] == [0, 1]
    for row in epochs:
        assert {"loss", "accuracy", "val_loss", "parameters/last.weights", "parameters/last.bias"} <= set(row)
        assert row["examples"]["count"] == 2
        assert [key for key in row if key.startswith("gradients/")]
    assert run["summary"]["GFLOPs"] > 0
    assert run["summary"]["graph"]["_type"] == "graph-file"
    assert run["summary"]["best_val_loss"] == min(row["val_loss"] for row in epochs)
    assert run["rows"][-1]["validation_predictions"]["nrows"] == 4
    assert "model-best.h5" in run["files"]
    assert [version for name, version in run["artifacts"].items() if version["type"] == "model"]
    assert [name for name in run["used"] if name.startswith("wb_validation_data")]

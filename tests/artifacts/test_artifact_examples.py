"""Every method of an artifact, and every one of a run about artifacts, has an example that is true."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path
from typing import Any, Dict, List, Tuple

from live_server import LiveServer

import wandb
from wandb.sdk._run_artifacts import RunArtifacts

# They change what others look at.
_LAST = ("save", "new_draft")


def methods() -> List[Tuple[str, Any]]:
    found = [
        (f"{of.__name__}.{name}", value)
        for of in (wandb.Artifact, RunArtifacts)
        for name, value in inspect.getmembers(of, inspect.isfunction)
        if not name.startswith("_") and value.__module__.startswith(("wandb.sdk.artifacts", RunArtifacts.__module__))
    ]
    return sorted(found, key=lambda one: one[1].__name__ in _LAST)


def made() -> wandb.Artifact:
    """What the examples call `version`."""
    for name in ("data/0/a.png", "data/1/b.png", "model.pt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(name[-5:-1].encode())
    digits = wandb.Artifact("digits", type="dataset")
    digits.add_dir("data")
    digits.add(wandb.Table(columns=["label"], data=[["seven"]]), "labels")
    return digits


def test_the_examples_of_methods(server: LiveServer) -> None:
    digits = made()
    with wandb.init(name="maker") as run:
        version = run.log_artifact(digits)
        for name in ("old", "model"):
            run.log_artifact("model.pt", name=name, type="model", aliases=["best"])
    version.wait()
    with wandb.init(name="user") as run:
        run.use_artifact("digits:latest")
    with wandb.init() as run:
        failed = [name for name, method in methods() if not _is_true(name, method, run, version)]
    assert failed == []


def test_every_property_is_documented() -> None:
    without = [
        name
        for name, value in inspect.getmembers(wandb.Artifact, lambda one: isinstance(one, property))
        if not name.startswith("_") and not value.__doc__
    ]
    assert without == []


def _is_true(name: str, method: Any, run: wandb.Run, version: wandb.Artifact) -> bool:
    names: Dict[str, Any] = {
        "wandb": wandb, "run": run, "version": version, "artifact": wandb.Artifact("images", type="dataset"),
    }  # fmt: skip
    test = doctest.DocTestParser().get_doctest(method.__doc__ or "", names, name, None, 0)
    return bool(test.examples) and doctest.DocTestRunner(verbose=False).run(test).failed == 0

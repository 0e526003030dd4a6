"""Every public name of the Api has a docstring with an example, and the examples are true of a server."""

from __future__ import annotations

import doctest
import json
from typing import Any, Dict, Set

import pytest
from live_server import LiveServer

import wandb
from wandb import _new_file
from wandb.apis import _client, _paths, _scan, attrs, public

# In this order: some make what others look at.
_FIRST = ["Team", "RunQueue"]
NAMES = [*_FIRST, *sorted(set(public.__all__) - set(_FIRST))]
_SWEEP = {"method": "random", "metric": {"name": "loss"}, "parameters": {"lr": {"values": [1, 2]}}}
_logged: Set[str] = set()


@pytest.fixture
def digits(server: LiveServer) -> None:
    """What the examples are about."""
    if server.url in _logged:
        return
    _logged.add(server.url)
    server.upsert("r1", "digits", displayName="first", config='{"lr": {"value": 0.1}}')
    rows = [json.dumps({"_step": step, "loss": loss}) for step, loss in enumerate((0.5, 0.25))]
    server.stream(
        {
            "files": {
                "wandb-history.jsonl": {"offset": 0, "content": rows},
                "wandb-summary.json": {"offset": 0, "content": ['{"loss": 0.25}']},
                "output.log": {"offset": 0, "content": ["training", "done"]},
            },
            "complete": True, "exitcode": 0,
        },
        "r1", "digits",
    )  # fmt: skip
    with open("notes.txt", "w", encoding="utf-8") as file:
        file.write("seven")
    wandb.Api().run("digits/r1").upload_file("notes.txt")
    images = wandb.Artifact("images", type="dataset")
    with images.new_file("labels.txt") as file:
        file.write("0 1 2 3")
    with wandb.init(project="digits", name="images") as run:
        run.log_artifact(images)
    sweep, _ = wandb.api.upsert_sweep(_SWEEP, project="digits", entity=server.user)
    wandb.api.register_agent("a-host", sweep_id=sweep, project_name="digits")


def check(documented: Any, names: Dict[str, Any], what: str) -> None:
    test = doctest.DocTestParser().get_doctest(documented.__doc__ or "", names, what, None, 0)
    assert test.examples, f"{what} has no example"
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of(name: str, digits: None) -> None:
    names = {public_name: getattr(public, public_name) for public_name in public.__all__}
    check(getattr(public, name), {**names, "wandb": wandb}, name)


@pytest.mark.parametrize("module", [_new_file, _client, _paths, _scan, attrs, public.sweeps])
def test_the_examples_in(module: Any) -> None:
    names = {"wandb": wandb, **vars(module)}
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs=names):
        if test.examples and test.name.split(".")[-1] not in public.__all__:
            assert doctest.DocTestRunner(verbose=False).run(test).failed == 0

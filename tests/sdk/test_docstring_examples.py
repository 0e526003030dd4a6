"""Every public name has a docstring with an example, and the examples are true."""

from __future__ import annotations

import doctest
from typing import List

import pytest

import wandb
from wandb.replay import replay

# Values, modules, and what a program needs a person for.
_WITHOUT_EXAMPLE = {"__version__", "config", "errors", "run", "set_trace", "summary"}


def documented() -> List[str]:
    return sorted(set(wandb.__all__) - _WITHOUT_EXAMPLE)


@pytest.mark.parametrize("name", documented())
def test_the_example_of(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    value = replay if name == "replay" else getattr(wandb, name)  # which may be the package or the function
    names = {**{public: getattr(wandb, public) for public in wandb.__all__}, "wandb": wandb}
    test = doctest.DocTestParser().get_doctest(value.__doc__ or "", names, f"wandb.{name}", None, 0)
    assert test.examples, f"wandb.{name} has no example"
    result = doctest.DocTestRunner(verbose=False).run(test)
    assert result.failed == 0


def test_the_example_of_the_package() -> None:
    assert wandb.__doc__ is not None
    test = doctest.DocTestParser().get_doctest(wandb.__doc__, {}, "wandb", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0

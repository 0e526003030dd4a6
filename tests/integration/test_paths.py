"""The modules of `wandb.integration`, and their older paths: what is said where their library is missing."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys

import pytest

import wandb

# Module, its library, what pip calls that.
LIBRARIES = [  # as `wandb.NAME`, too
    ("catboost", "catboost", "catboost"),
    ("fastai", "fastai", "fastai<2"),
    ("keras", "keras", "keras"),
    ("lightgbm", "lightgbm", "lightgbm"),
    ("sacred", "sacred", "sacred"),
    ("sb3", "stable_baselines3", "stable-baselines3"),
    ("tensorflow", "tensorflow", "tensorflow"),
    ("xgboost", "xgboost", "xgboost"),
]


NEWER_LIBRARIES = [
    ("diffusers", "diffusers", "diffusers"),
    ("dspy", "dspy", "dspy"),
    ("huggingface", "transformers", "transformers"),
    ("openai.fine_tuning", "openai", "openai"),
    ("ultralytics", "ultralytics", "ultralytics"),
]


@pytest.mark.parametrize(("module", "library", "package"), LIBRARIES + NEWER_LIBRARIES)
def test_a_missing_library_is_named_with_what_installs_it(module: str, library: str, package: str) -> None:
    if importlib.util.find_spec(library) is not None:
        pytest.skip(f"{library} is installed")
    older = [f"wandb.{module}"] if (module, library, package) in LIBRARIES else []
    for path in (f"wandb.integration.{module}", *older):
        with pytest.raises(ImportError, match=rf"this integration of wandb needs .*pip install '?{package}") as caught:
            importlib.import_module(path)
        assert "\n" not in str(caught.value)
    assert not hasattr(wandb, module)


@pytest.mark.parametrize("module", ["kfp", "metaflow"])
def test_what_is_not_in_this_package_says_what_to_write_instead(module: str) -> None:
    with pytest.raises(ImportError, match=r"is not part of this package: call wandb.init\("):
        importlib.import_module(f"wandb.integration.{module}")


@pytest.mark.parametrize("path", ["docker", "gym", "jupyter", "sklearn", "tensorboard", "integration.sagemaker"])
def test_modules_that_need_no_library(path: str) -> None:
    module = importlib.import_module(f"wandb.{path}")
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_watch_is_there_before_its_library() -> None:
    from wandb.integration import torch

    assert (torch.watch, torch.unwatch) == (wandb.watch, wandb.unwatch)


def test_importing_wandb_loads_no_integration() -> None:
    source = "import sys, wandb; print([name for name in sys.modules if name.startswith('wandb.integration')])"
    said = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"

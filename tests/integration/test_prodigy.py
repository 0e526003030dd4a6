"""Prodigy's datasets as tables. Prodigy is sold, so its database is a class with the names that are called."""

from __future__ import annotations

import base64
import importlib
import io
import sys
import types
from typing import Any, Dict, Iterator, List

import numpy as np
import pytest
from logged import values_of
from own_place import own_place as own_place

import wandb


class Database:
    datasets = ("news",)

    def get_dataset(self, name: str) -> List[Dict[str, Any]]:
        assert name == "news"
        picture = io.BytesIO()
        wandb.Image(np.zeros((4, 4, 3), np.uint8)).image.save(picture, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"
        return [
            {"text": "Apple grows", "spans": [{"start": 0, "end": 5, "label": "ORG"}], "answer": "accept"},
            {"image": url, "answer": "reject", "_input_hash": 7},
        ]


@pytest.fixture
def upload_dataset(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("prodigy", "prodigy.components", "prodigy.components.db"):
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(module, "connect", Database, raising=False)
    yield importlib.import_module("wandb.integration.prodigy").upload_dataset
    del sys.modules["wandb.integration.prodigy"]


def test_a_dataset_is_a_table_of_its_name(upload_dataset: Any) -> None:
    with wandb.init() as run:
        upload_dataset("news")
    (row,) = values_of(run)
    assert (row["news"]["_type"], row["news"]["ncols"], row["news"]["nrows"]) == ("table-file", 5, 2)


def test_a_dataset_that_is_not_there_is_named_with_those_that_are(upload_dataset: Any) -> None:
    with wandb.init(), pytest.raises(wandb.Error, match="no dataset old; its datasets: news"):
        upload_dataset("old")
    with pytest.raises(wandb.Error, match=r"wandb\.init\(\) before upload_dataset"):
        upload_dataset("news")

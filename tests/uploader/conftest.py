"""Every test has a server, a wandb directory and an environment of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator

import pytest
from logged_runs import CHILD_ENVIRONMENT, Clock
from w_b_server import KEY, WBServer


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("PYTHONPATH", CHILD_ENVIRONMENT["PYTHONPATH"])


@pytest.fixture
def server() -> Iterator[WBServer]:
    with WBServer() as server:
        yield server


@pytest.fixture
def wandb_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "wandb"
    folder.mkdir()
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock()

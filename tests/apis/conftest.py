"""Every test has a folder, a home and an environment of its own; servers are shared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator

import pytest
from live_server import LiveServer

import wandb


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in [name for name in os.environ if name.startswith("WANDB_") and not name.startswith("WANDB_TEST_")]:
        monkeypatch.delenv(name)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    wandb.teardown()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def server(shared_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> LiveServer:
    """The server, to which the environment points."""
    monkeypatch.setenv("WANDB_BASE_URL", shared_server.url)
    monkeypatch.setenv("WANDB_API_KEY", shared_server.key)
    return shared_server

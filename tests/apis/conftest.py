"""Every test has a folder, a home and an environment of its own; servers are shared."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest
from live_server import LiveServer
from own_place import surroundings


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with surroundings(tmp_path, monkeypatch):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield tmp_path


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

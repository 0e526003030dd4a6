"""A server in this process, and an environment that leads a test's programs to it."""

from __future__ import annotations

from typing import Iterator

import pytest
from live_server import LiveServer


def lead_to(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> LiveServer:
    """Have the environment name a server and its first user's key."""
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", server.key)
    return server


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One for all tests of a folder."""
    with LiveServer(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture
def server(shared_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> LiveServer:
    """The shared one, to which the environment leads; it holds other tests' projects."""
    return lead_to(shared_server, monkeypatch)

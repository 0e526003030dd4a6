"""A server that all tests of queues share, and for each test a folder, a home and a project with queues of its own."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Iterator

import pytest
from live_server import LiveServer
from own_place import surroundings
from waiting_jobs import WaitingJobs

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with surroundings(tmp_path, monkeypatch):
        for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
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


@pytest.fixture
def jobs(server: LiveServer, own_place: Path) -> WaitingJobs:
    """A queue `q` in a project of the test's own."""
    return WaitingJobs(server, f"queues-{os.getpid()}-{next(_numbers)}", own_place)

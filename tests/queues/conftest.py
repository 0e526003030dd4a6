"""A server that all tests of queues share, and for each test a folder, a home and a project with queues of its own."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Iterator

import pytest
from live_server import LiveServer
from own_place import surroundings
from shared_server import server as server
from shared_server import shared_server as shared_server
from waiting_jobs import WaitingJobs

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with surroundings(tmp_path, monkeypatch):
        for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
        yield tmp_path


@pytest.fixture
def jobs(server: LiveServer, own_place: Path) -> WaitingJobs:
    """A queue `q` in a project of the test's own."""
    return WaitingJobs(server, f"queues-{os.getpid()}-{next(_numbers)}", own_place)

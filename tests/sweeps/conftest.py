"""Every test of sweeps runs in a folder, a home and an environment of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest
from live_server import LiveServer
from own_place import surroundings
from shared_server import lead_to


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with surroundings(tmp_path, monkeypatch):
        monkeypatch.setenv("WANDB_MODE", "offline")
        monkeypatch.setenv("WANDB_CONSOLE", "off")
        yield tmp_path


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    """A server that the environment leads to."""
    with LiveServer(tmp_path / "data") as running:
        monkeypatch.setenv("WANDB_MODE", "online")
        yield lead_to(running, monkeypatch)

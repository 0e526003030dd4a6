"""Fixtures of the server's tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browser as browser
from browser import page as page
from live_server import LiveServer
from postgres import running_cluster


@pytest.fixture(scope="session", autouse=True)
def database() -> Iterator[None]:
    """With WANDB_TEST_DATABASE=postgresql everything here is tested on a PostgreSQL, which `test_postgresql` does for a
    part of it."""
    if os.environ.get("WANDB_TEST_DATABASE") != "postgresql":
        yield
        return
    made: dict[Path, str] = {}
    with running_cluster() as cluster, pytest.MonkeyPatch.context() as patch:

        def database_of(data: Path) -> str:
            return made[data] if data in made else made.setdefault(data, cluster.new_database())

        patch.setattr(LiveServer, "database_of", staticmethod(database_of))
        yield


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with LiveServer(tmp_path / "data") as running:
        yield running

"""Every test of artifacts has a folder, a home and a cache of its own; those that upload share one server."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest
from live_server import LiveServer
from own_place import surroundings
from shared_server import lead_to
from shared_server import shared_server as shared_server
from stores import WebServer, running_stores


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with surroundings(tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield tmp_path


@pytest.fixture
def server(shared_server: LiveServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LiveServer:
    """A server that holds other tests' projects; this test's is called like its folder."""
    monkeypatch.setenv("WANDB_PROJECT", tmp_path.name)
    return lead_to(shared_server, monkeypatch)


@pytest.fixture(scope="session")
def s3() -> Iterator[Any]:
    """A client of the S3 server; beside it there is one of Google Cloud Storage."""
    with running_stores() as client:
        yield client


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.close()

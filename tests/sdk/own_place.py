"""Fixtures: a folder, a home and an environment of its own for each test, and a server that all share."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Iterator

import pytest
from own_server import Server, running_server, stop_uploader

import wandb


@contextlib.contextmanager
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder and a home of the test's own, and nothing of anybody's settings."""
    for name in [name for name in os.environ if name.startswith("WANDB_") and not name.startswith("WANDB_TEST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wandb.sdk._settings._told._told", set())  # what is told once a process
    yield
    wandb.teardown()


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with surroundings(tmp_path, monkeypatch):
        yield tmp_path


@pytest.fixture(scope="session")
def server_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(server_of_all: Server, own_place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The tests' server, and a project that is the test's own. The uploader ends with the test."""
    monkeypatch.setenv("WANDB_BASE_URL", server_of_all.url)
    monkeypatch.setenv("WANDB_API_KEY", server_of_all.key)
    monkeypatch.setenv("WANDB_PROJECT", own_place.name)
    yield server_of_all._replace(project=own_place.name)
    stop_uploader(own_place, server_of_all.url)

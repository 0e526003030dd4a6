"""A server that all tests of the command share, and a shell for each."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest
from live_server import LiveServer
from shells import Shell, Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@pytest.fixture
def shell(tmp_path: Path, zygote: Zygote) -> Shell:
    return Shell(tmp_path, zygote)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("server") / "data") as live:
        yield live

"""Every test has a folder, a home and an environment of its own; servers are shared."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest
from own_place import surroundings
from shared_server import server as server
from shared_server import shared_server as shared_server


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with surroundings(tmp_path, monkeypatch):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield tmp_path

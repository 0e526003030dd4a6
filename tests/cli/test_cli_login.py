"""`wandb login` keeps the key and the server, and leaves the other settings alone."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest

KEY = "0123456789abcdef" * 2 + "01234567"


class Place:
    """A home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "config" / "settings"
        self.netrc = folder / "netrc"

    def login(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment: Dict[str, str] = {name: value for name, value in os.environ.items() if "WANDB" not in name}
        environment.update(HOME=str(self.folder), NETRC=str(self.netrc), WANDB_CONFIG_DIR=str(self.settings.parent))
        return subprocess.run(
            [sys.executable, "-m", "wandb", "login", *arguments],
            cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def setting(self, name: str) -> str:
        settings = configparser.RawConfigParser()
        settings.read(self.settings)
        return settings.get("default", name)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_key_and_its_server_are_kept(place: Place) -> None:
    outcome = place.login(KEY, "--host", "http://127.0.0.1:1234/")
    assert outcome.returncode == 0, outcome.stderr
    assert KEY in place.netrc.read_text()
    assert place.netrc.stat().st_mode & 0o777 == 0o600
    assert place.setting("base_url") == "http://127.0.0.1:1234"
    assert KEY not in outcome.stdout + outcome.stderr
    assert place.login().returncode == 0, "the key of the server that was kept is found"


def test_other_settings_stay(place: Place) -> None:
    place.settings.parent.mkdir()
    place.settings.write_text("[default]\nnotes = 100% of the data\n")
    assert place.login(KEY, "--host", "http://127.0.0.1:1234").returncode == 0
    assert place.setting("notes") == "100% of the data"


def test_no_key_and_nobody_to_ask_is_an_error(place: Place) -> None:
    outcome = place.login("--host", "http://127.0.0.1:1234")
    assert outcome.returncode == 5
    assert "no API key" in outcome.stderr
    assert not place.settings.exists()


@pytest.mark.parametrize("key", ["short", "spaces in a key are not allowed in any key, ever"])
def test_a_key_that_is_none_is_refused(place: Place, key: str) -> None:
    outcome = place.login(key)
    assert outcome.returncode == 5
    assert outcome.stderr.startswith("wandb: ERROR ")
    assert "Traceback" not in outcome.stderr


def test_an_address_that_is_none_is_refused(place: Place) -> None:
    outcome = place.login(KEY, "--host", "localhost:8080")
    assert outcome.returncode == 2
    assert "http" in outcome.stderr
    assert not place.netrc.exists()

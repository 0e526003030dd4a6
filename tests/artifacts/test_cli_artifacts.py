"""`wandb artifact`: a version made, listed and downloaded from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Tuple

import pytest
from click.testing import CliRunner
from live_server import LiveServer
from made_artifacts import FILES, contents, write
from shared_server import lead_to

from wandb.cli import main
from wandb.sdk.artifacts.artifact_file_cache import get_artifact_file_cache


def run(*arguments: str) -> Tuple[int, str]:
    outcome = CliRunner().invoke(main, ["artifact", *arguments])
    return outcome.exit_code, outcome.output


def test_a_folder_becomes_a_version_that_is_listed_and_downloaded(server: LiveServer, tmp_path: Path) -> None:
    write(tmp_path / "d")
    code, said = run("put", "d", "-n", "cli/ds", "-d", "words", "-a", "best", "-a", "first")
    assert code == 0, said
    assert f'run.use_artifact("{server.user}/cli/ds:v0")' in said
    code, said = run("ls", "cli")
    assert (code, said.split()[0], said.split()[-1]) == (0, "dataset", "ds:v0")
    (listed,) = json.loads(run("ls", "cli", "--json")[1])["artifacts"]
    assert (listed["type"], listed["name"], listed["version"]) == ("dataset", "ds", "v0")
    assert listed["bytes"] == sum(map(len, FILES.values()))
    code, said = run("get", "cli/ds:first", "--root", "down", "--type", "dataset")
    assert (code, said.splitlines()[-1]) == (0, "down")
    assert contents("down") == FILES


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["put", "absent", "-n", "p/x"], "absent is no file, no folder and no address"),
        (["put", "file"], "put the project before the name"),
        (["put", "file", "-n", "p/x", "-a", "latest:"], "'latest:' can't be an alias"),
        (["get", "p/absent:v0"], "there is no project"),
        (["cache", "cleanup", "much"], "'much' is no size"),
    ],
)
def test_what_cant_be_done_is_said_in_one_line(
    shared_server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    lead_to(shared_server, monkeypatch)
    (tmp_path / "file").write_text("x")
    code, said = run(*arguments)
    assert code in (1, 2, 4)
    assert words in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("wandb/run-*"))


def test_offline_versions_come_from_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    write(tmp_path / "d")
    assert run("put", "d", "-n", "cli/ds")[0] == 0
    assert "ds:v0" in run("ls", "cli")[1]
    assert run("get", "cli/ds:latest")[0] == 0
    assert contents("artifacts/ds:v0") == FILES


def test_the_cache_is_made_smaller(tmp_path: Path) -> None:
    cache = get_artifact_file_cache()
    path = cache.path_of("XUFAKrxLKna5cZ2REBfFkg==")
    with cache.new_file(path, 5) as file:
        file.write(b"hello")
    code, said = run("cache", "cleanup", "1KB")
    assert (code, "5 bytes before, 0 bytes reclaimed" in said) == (0, True)
    code, said = run("cache", "cleanup", "0")
    assert (code, "5 bytes reclaimed" in said, path.exists()) == (0, True, False)

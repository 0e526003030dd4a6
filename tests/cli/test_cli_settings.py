"""`wandb status --settings` shows where settings come from, and `wandb online` and its like write one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SECRET = "0123456789" * 4


def wandb(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if "WANDB" not in name}
    return subprocess.run(
        [sys.executable, "-m", "wandb", *arguments],
        cwd=folder, env={**clean, "HOME": str(folder), **environment}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def settings_of(folder: Path, **environment: str) -> Any:
    done = wandb(folder, "status", "--settings", "--json", **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["settings"]


@pytest.mark.parametrize(
    ("command", "mode"),
    [("online", "online"), ("offline", "offline"), ("enabled", "online"), ("disabled", "disabled")],
)
def test_a_mode_is_written_beside_the_other_settings(tmp_path: Path, command: str, mode: str) -> None:
    (tmp_path / "wandb").mkdir()
    path = tmp_path / "wandb" / "settings"
    path.write_text("[default]\nproject = p\nmode = offline\n")
    done = wandb(tmp_path, command)
    assert (done.returncode, done.stdout) == (0, f"{path}: mode is {mode}\n")
    found = settings_of(tmp_path)
    assert found["mode"] == {"value": mode, "source": "local file", "place": str(path), "overridden": []}
    assert found["project"]["value"] == "p"


def test_a_mode_is_written_where_nothing_was(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert wandb(tmp_path, "offline", WANDB_DIR=str(elsewhere)).returncode == 0
    assert settings_of(tmp_path, WANDB_DIR=str(elsewhere))["mode"]["value"] == "offline"
    assert settings_of(tmp_path)["mode"]["source"] == "default"


def test_a_file_that_is_no_settings_file_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "wandb").mkdir()
    path = tmp_path / "wandb" / "settings"
    path.write_text("no section\n")
    done = wandb(tmp_path, "offline")
    assert done.returncode == 1
    assert f"{path} is not a settings file" in done.stderr
    assert path.read_text() == "no section\n"


def test_every_setting_is_shown_with_its_source_and_what_it_overrode(tmp_path: Path) -> None:
    wandb(tmp_path, "offline")
    chosen = {"WANDB_MODE": "online", "WANDB_API_KEY": SECRET, "WANDB__SERVICE_WAIT": "300"}
    found = settings_of(tmp_path, **chosen)
    assert found["mode"]["source"] == "environment"
    assert found["mode"]["overridden"] == [
        {"value": "offline", "source": "local file", "place": str(tmp_path / "wandb" / "settings")}
    ]
    assert found["finish_timeout"] == {"value": 30.0, "source": "default", "place": None, "overridden": []}
    done = wandb(tmp_path, "status", "--settings", **chosen)
    lines = {line.split("\t")[0]: line.split("\t")[1:] for line in done.stdout.splitlines()}
    path = tmp_path / "wandb" / "settings"
    assert lines["mode"] == ["'online'", "environment (WANDB_MODE)", f"'offline' from local file ({path})"]
    assert lines["x_service_wait"] == ["300.0", "environment (WANDB__SERVICE_WAIT)", ""]
    assert "x_sync" not in lines, "what has no effect is shown where somebody sets it"
    assert SECRET not in done.stdout + json.dumps(found)
    assert found["api_key"]["value"] == "********"


def test_a_terminal_gets_a_table(tmp_path: Path) -> None:
    script = f"cd {tmp_path} && {sys.executable} -m wandb status --settings"
    clean = {name: value for name, value in os.environ.items() if "WANDB" not in name}
    done = subprocess.run(
        ["script", "-qec", script, "/dev/null"],
        env={**clean, "HOME": str(tmp_path), "WANDB_MODE": "offline", "COLUMNS": "120", "TERM": "xterm"},
        capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "environment (WANDB_MODE)" in done.stdout

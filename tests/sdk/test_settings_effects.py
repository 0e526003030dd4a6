"""What settings do to a run, other than those that other tests are about."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Dict

import pytest

import wandb
from wandb.sdk._upload import start_uploader
from wandb_storage import Reader, RunState

KEY = "local-" + "0123456789abcdef" * 3


def recorded(**settings: Any) -> Dict[str, Any]:
    """The environment that a run with these settings records."""
    with wandb.init(mode="offline", settings=settings) as run:
        pass
    state = RunState()
    with Reader(Path(run.sync_dir)) as reader:
        for entry in reader.entries():
            state.apply(entry.record)
    assert KEY not in state.start.settings + state.start.environment
    found: Dict[str, Any] = json.loads(state.start.environment)
    return found


def test_the_program_and_the_machine_are_described_as_settings_say() -> None:
    said = {"host": "node7", "username": "me", "email": "me@home", "docker": "image:1"}
    found = recorded(**said, x_executable="/opt/python", api_key=KEY)
    assert {name: found[name] for name in said} == said
    assert found["executable"] == "/opt/python"
    assert recorded(x_disable_meta=True) == {}


def test_the_repository_is_looked_at_as_settings_say(tmp_path: Path) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *arguments], check=True, cwd=tmp_path)
    for name in ("origin", "upstream"):
        subprocess.run(["git", "remote", "add", name, f"https://host/{name}"], check=True, cwd=tmp_path)
    program = str(tmp_path / "train.py")
    assert recorded(program=program)["git"]["remote"] == "https://host/origin"
    assert recorded(program=program, git_remote="upstream")["git"]["remote"] == "https://host/upstream"
    assert "git" not in recorded(program=program, disable_git=True)
    named = recorded(program=program, git_commit="abc", git_remote_url="https://me:secret@host/x")["git"]
    assert (named["commit"], named["remote"]) == ("abc", "https://host/x")


@pytest.mark.parametrize(
    ("hidden", "gone"),
    [("show_info", "Tracking run"), ("show_warnings", "no API key"), ("silent", "Tracking run"), ("silent", "API key")],
)
def test_each_kind_of_line_can_be_hidden(hidden: str, gone: str, capsys: pytest.CaptureFixture[str]) -> None:
    wandb.init(settings={hidden: hidden == "silent"}).finish()
    assert gone not in capsys.readouterr().err
    wandb.init().finish()
    assert gone in capsys.readouterr().err, "the next run speaks again"


def test_colours_follow_the_setting(capsys: pytest.CaptureFixture[str]) -> None:
    wandb.init(mode="offline", settings={"show_colors": True}).finish()
    assert "\033[" in capsys.readouterr().err
    wandb.init(mode="offline", settings={"show_colors": False}).finish()
    assert "\033[" not in capsys.readouterr().err


@pytest.mark.parametrize(("limit", "shown"), [(0, 0), (2, 2), (99, 5)])
def test_so_many_metrics_are_shown_at_the_end(limit: int, shown: int, capsys: pytest.CaptureFixture[str]) -> None:
    limits = {"max_end_of_run_history_metrics": limit, "max_end_of_run_summary_metrics": limit}
    with wandb.init(mode="offline", settings=limits) as run:
        for step in range(3):
            run.log({f"curve{number}": step for number in range(5)})
    said = capsys.readouterr().err
    assert sum(line.startswith("wandb: curve") for line in said.splitlines()) == 2 * shown


def test_a_summary_of_several_values_is_shown_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with wandb.init(mode="offline") as run:
        run.define_metric("accuracy", summary="min,max")
        for value in (0.5, 0.9, 0.7):
            run.log({"accuracy": value})
    said = capsys.readouterr().err.split("Run summary:")[1]
    assert "accuracy.max 0.9" in said
    assert "accuracy.min 0.5" in said


def test_reinit_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_REINIT", "finish_previous")
    first = wandb.init(mode="offline")
    assert wandb.init(mode="offline") is not first


def test_force_wants_a_key() -> None:
    with pytest.raises(wandb.UsageError, match="no API key for http"):
        wandb.init(force=True)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Dict[str, Any]:
    """The environment of the uploader that is not started: a kernel shows that of a process to nobody else."""
    found: Dict[str, Any] = {}
    monkeypatch.setattr("wandb_uploader.start", lambda folder, url, environment: found.update(environment))
    return found


def test_a_key_and_proxies_of_the_settings_go_to_the_uploader_and_nowhere_else(
    started: Dict[str, Any], own_place: Path
) -> None:
    settings = wandb.Settings(
        api_key=KEY, https_proxy="http://proxy:1", base_url="http://127.0.0.1:9", finish_timeout=0
    )
    with wandb.init(settings=settings) as run:
        assert not run.offline
    assert (started["WANDB_API_KEY"], started["https_proxy"]) == (KEY, "http://proxy:1")
    assert started["HOME"] == str(own_place / "home")
    assert not [path for path in own_place.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    start_uploader(Path(run.sync_dir).parent, wandb.Settings())
    assert started["WANDB_API_KEY"] == KEY, "nothing was added, and nothing is left of it in this process"


def test_an_identity_token_takes_the_place_of_a_key(
    started: Dict[str, Any], own_place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_place / "token").write_text("signed")
    for settings in ({"identity_token_file": str(own_place / "token")}, {}):
        with wandb.init(settings={**settings, "base_url": "http://127.0.0.1:9", "finish_timeout": 0}) as run:
            assert run.offline == (not settings)
    assert started["WANDB_IDENTITY_TOKEN_FILE"] == str(own_place / "token")
    assert "without an effect" not in capsys.readouterr().err


def test_how_the_server_is_asked_goes_to_the_uploader(
    started: Dict[str, Any], own_place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "api_key": KEY, "base_url": "https://127.0.0.1:9", "finish_timeout": 0, "disable_git": True,
        "insecure_disable_ssl": True, "x_extra_http_headers": {"X-Gate": "s3cret"},
        "x_proxies": {"https": "http://proxy:2"},
    }  # fmt: skip
    wandb.init(settings=settings).finish()
    assert json.loads(started["WANDB__EXTRA_HTTP_HEADERS"]) == {"X-Gate": "s3cret"}
    assert (started["WANDB_INSECURE_DISABLE_SSL"], started["https_proxy"]) == ("True", "http://proxy:2")
    assert capsys.readouterr().err.count("the certificate of https://127.0.0.1:9 is not checked") == 1
    assert not [path for path in own_place.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]
    with pytest.raises(wandb.UsageError, match=r"x_extra_http_headers.*'X-Gate' isn't"):
        wandb.Settings(x_extra_http_headers={"X-Gate": "a\nb"})

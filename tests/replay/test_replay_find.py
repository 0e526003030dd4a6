"""Which run is meant by an id, a folder, a file or `latest`; and what an unknown one gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from written_runs import run_folder, wandb_command, write_run

from wandb.replay import find_run, replay, run_folders, wandb_directory
from wandb_storage import Exit, LogNotFound


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with three runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_DIR", raising=False)
    for run_id, stamp, offline in (("aaa", "20260103_000000", False), ("bbb", "20260102_000000", True)):
        write_run(run_folder(tmp_path / "wandb", run_id, stamp, offline), [{"a": 1}], Exit(code=0), run_id=run_id)
    write_run(run_folder(tmp_path / "wandb", "abc12345", "20260101_000000"), [{"a": 1}], Exit(code=0))
    return tmp_path / "wandb"


def test_runs_are_listed_oldest_first(home: Path) -> None:
    assert [run.run_id for run in run_folders(home)] == ["abc12345", "bbb", "aaa"]
    assert [run.offline for run in run_folders(home)] == [False, True, False]


@pytest.mark.parametrize("meant", ["bbb", "offline-run-20260102_000000-bbb", "wandb/offline-run-20260102_000000-bbb"])
def test_a_run_is_found_by_id_name_and_path(home: Path, meant: str) -> None:
    assert find_run(meant).resolve() == home / "offline-run-20260102_000000-bbb"
    assert replay(meant).run_id == "bbb"


def test_any_file_of_a_run_leads_to_it(home: Path) -> None:
    folder = home / "run-20260103_000000-aaa"
    (folder / "files" / "media").mkdir(parents=True)
    (folder / "files" / "media" / "x.png").touch()
    for path in (folder / "run-aaa.wandb", folder / "files" / "media" / "x.png", folder / "files"):
        assert find_run(path) == folder


def test_latest_is_the_newest_by_start(home: Path) -> None:
    assert find_run("latest").name == "run-20260103_000000-aaa"


def test_of_two_runs_of_one_second_the_link_knows_the_last(home: Path) -> None:
    for run_id in ("ccc", "ddd"):
        write_run(run_folder(home, run_id, "20260104_000000"), [], run_id=run_id)
    os.symlink("run-20260104_000000-ccc", home / "latest-run")
    assert find_run("latest").name == "run-20260104_000000-ccc"
    assert len(run_folders(home)) == 5


def test_an_unknown_id_lists_near_ones(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LogNotFound, match="did you mean abc12345"):
        find_run("abc12354")
    with pytest.raises(LogNotFound, match="it holds aaa, bbb, abc12345"):
        find_run("zzz")
    outcome = wandb_command(capsys, "replay", "abc123")
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err == "wandb: ERROR there is no run abc123 in wandb; did you mean abc12345?\n"


def test_an_id_of_two_runs_lists_both(home: Path) -> None:
    write_run(run_folder(home, "aaa", "20260105_000000"), [], run_id="aaa")
    with pytest.raises(LogNotFound, match="2 runs have the id aaa") as error:
        find_run("aaa")
    assert "run-20260103_000000-aaa" in str(error.value)
    assert "run-20260105_000000-aaa" in str(error.value)


def test_paths_that_lead_nowhere_say_so(home: Path) -> None:
    with pytest.raises(LogNotFound, match="no file or folder wandb/run-x"):
        find_run("wandb/run-x")
    with pytest.raises(LogNotFound, match="holds 3 runs; name one"):
        find_run(home)
    with pytest.raises(LogNotFound, match="neither a run's folder nor inside one"):
        find_run("/usr/bin")


def test_a_run_that_ended_before_its_log_began_says_so(home: Path) -> None:
    empty = run_folder(home, "eee", "20260106_000000")
    for meant in ("eee", "latest", os.fspath(empty)):
        with pytest.raises(LogNotFound, match="holds no log"):
            replay(meant)


def test_a_python_package_is_no_wandb_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "__init__.py").touch()
    assert wandb_directory() == Path(".wandb")
    with pytest.raises(LogNotFound, match="no runs here"):
        find_run("latest")


def test_the_environment_names_the_directory(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("WANDB_DIR", str(home.parent))
    assert find_run("aaa") == home / "run-20260103_000000-aaa"
    monkeypatch.delenv("WANDB_DIR")
    assert find_run("aaa", home).parent == find_run("aaa", home.parent).parent == home


@pytest.mark.parametrize("raw", [b"", b"short", b":W&B" + bytes(5000), bytes(9000)])
def test_a_foreign_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], raw: bytes) -> None:
    folder = run_folder(tmp_path)
    path = folder / "run-abc12345.wandb"
    path.write_bytes(raw)
    outcome = wandb_command(capsys, "replay", folder)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"wandb: ERROR {path}")
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.9])
def test_a_truncated_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], kept: float) -> None:
    folder = write_run(run_folder(tmp_path), [{"a": n, "b": str(n)} for n in range(5000)], Exit(code=0))
    path = folder / "run-abc12345.wandb"
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * kept)])
    outcome = wandb_command(capsys, "replay", folder, "--csv")
    assert outcome.code in (0, 1)
    assert "Traceback" not in outcome.err
    if outcome.code:
        assert str(path) in outcome.err
    else:
        assert len(outcome.out.splitlines()) == 5001, "either all is there or an error says what is missing"

"""What a run records of the code and the machine around it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

import wandb
from wandb.sdk import _git
from wandb.sdk._environment import redacted
from wandb_storage import Reader, RunState

SETTINGS = {"silent": True, "x_disable_stats": True, "console": "off"}


def recorded(**settings: Any) -> Path:
    """The files of a run with these settings."""
    with wandb.init(mode="offline", settings={**SETTINGS, **settings}) as run:
        pass
    return Path(run.dir)


def metadata(files: Path) -> Dict[str, Any]:
    found: Dict[str, Any] = json.loads((files / "wandb-metadata.json").read_text())
    return found


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=trunk"]
    subprocess.run(["git", *identity, *arguments], check=True)


@pytest.fixture
def repository(own_place: Path) -> Path:
    """A repository whose one program has changed since the commit."""
    program = own_place / "src" / "train.py"
    program.parent.mkdir()
    program.write_text("print(1)\n")
    git("init", "-q")
    git("add", "src")
    git("commit", "-q", "-m", "first")
    git("remote", "add", "origin", "https://me:secret@host/code.git")
    program.write_text("print(2)\n")
    return own_place


def test_the_repository_and_its_patch_are_recorded(repository: Path) -> None:
    files = recorded(program="src/train.py")
    told = metadata(files)
    assert told["git"]["remote"] == "https://host/code.git"
    assert told["git"]["branch"] == "trunk"
    assert len(told["git"]["commit"]) == 40
    assert told["codePath"] == told["codePathLocal"] == "src/train.py"
    git("checkout", "-q", "src")
    git("apply", str(files / "diff.patch"))
    assert (repository / "src" / "train.py").read_text() == "print(2)\n"


def test_the_log_tells_the_same_as_the_file(repository: Path) -> None:
    """The log is what a server is told from; the file is for those who look there."""
    files = recorded(program="src/train.py")
    state = RunState()
    with Reader(files.parent) as reader:
        for entry in reader.entries():
            state.apply(entry.record)
    assert json.loads(state.start.environment) == metadata(files)


@pytest.mark.parametrize("setting", ["disable_git", "disable_code"])
def test_settings_keep_the_patch_away(setting: str, repository: Path) -> None:
    files = recorded(**{setting: True})
    assert not (files / "diff.patch").exists()
    assert ("git" in metadata(files)) == (setting == "disable_code")


def test_git_root_names_another_repository(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "main.py"
    elsewhere.write_text("")
    assert "git" not in metadata(recorded(program=str(elsewhere)))
    assert "git" in metadata(recorded(program=str(elsewhere), git_root=str(repository)))


def test_tools_that_a_repository_names_are_not_run(repository: Path) -> None:
    for name in ("diff.external", "core.fsmonitor", "diff.mine.textconv"):
        git("config", name, f"touch {repository / 'ran'} #")
    (repository / ".gitattributes").write_text("*.py diff=mine\n")
    files = recorded(program="src/train.py")
    assert (files / "diff.patch").exists()
    assert not (repository / "ran").exists()


def test_a_patch_that_is_too_large_keeps_whole_files(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "src" / "a.py").write_text("first\n")
    (repository / "src" / "data.txt").write_text("x\n" * 100_000)
    git("add", "src")
    monkeypatch.setattr(_git, "PATCH_BYTES_MAX", 1000)
    patch = _git.read_patch(repository)
    assert patch is not None
    assert not patch.whole
    assert b"first" in patch.content
    assert b"data.txt" not in patch.content


def test_a_git_that_hangs_delays_nobody(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`init` returns while git still waits, and the run ends without what git would have said."""
    monkeypatch.setattr(_git, "_SECONDS", 0.2)
    fake = repository / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\necho $$ >> {repository}/asked\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    files = recorded(program="src/train.py")
    assert "git" not in metadata(files)
    for pid in map(int, (repository / "asked").read_text().split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' subprocess module forks")
def test_no_fork_disturbs_the_threads_of_a_running_program(repository: Path) -> None:
    """A fork stops OpenBLAS's threads, whatever they are at, and the program would wait for their results for ever."""
    script = """
import sys, wandb
events = []
sys.addaudithook(lambda name, _: events.append(name))
with wandb.init(mode="offline", settings={"program": "src/train.py"}):
    pass
assert events.count("subprocess.Popen") == events.count("os.posix_spawn") > 1
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_machine_and_what_is_installed_are_recorded() -> None:
    files = recorded()
    told = metadata(files)
    assert told["cpu_count_logical"] == os.cpu_count()
    assert int(told["memory"]["total"]) > 1 << 20
    assert int(told["disk"]["/"]["total"]) > int(told["disk"]["/"]["used"])
    assert {"os", "python", "host", "executable", "root", "startedAt", "args", "cpu_count"} <= set(told)
    installed = (files / "requirements.txt").read_text().splitlines()
    assert f"pytest=={pytest.__version__}" in installed
    assert installed == sorted(installed, key=lambda line: line.partition("==")[0].lower().replace("_", "-"))


def test_config_and_summary_are_in_the_files_at_the_end(tmp_path: Path) -> None:
    with wandb.init(mode="offline", config={"lr": 0.1, "net": {"depth": 3}}, settings=SETTINGS) as run:
        run.define_metric("loss", summary="min")
        for loss in (3, 1, 2, float("nan")):
            run.log({"loss": loss, "last": loss})
    config = (Path(run.dir) / "config.yaml").read_text()
    assert "lr:\n    value: 0.1\n" in config
    assert "depth: 3" in config
    summary = json.loads((Path(run.dir) / "wandb-summary.json").read_text())
    assert summary["loss"] == {"min": 1}
    assert str(summary["last"]) == "nan"
    assert summary["_wandb"]["runtime"] == int(summary["_runtime"])


def test_settings_keep_the_machine_away() -> None:
    files = recorded(x_disable_machine_info=True, x_save_requirements=False)
    assert "cpu_count" not in metadata(files)
    assert not (files / "requirements.txt").exists()
    assert not (recorded(x_disable_meta=True) / "wandb-metadata.json").exists()


def test_jobs_are_described_without_their_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_JWT", "secret")
    assert metadata(recorded())["slurm"] == {"job_id": "7"}


def test_the_program_is_saved_where_save_code_wants_it(own_place: Path) -> None:
    script = own_place / "jobs" / "train.py"
    script.parent.mkdir()
    script.write_text(
        "import sys, wandb\n"
        "with wandb.init(mode='offline', save_code=sys.argv[1] == 'yes') as run:\n"
        "    print(run.dir)\n"
    )
    for word, saved in (("yes", True), ("no", False)):
        command = [sys.executable, str(script), word, "--password", "hunter2"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        files = Path(done.stdout.strip())
        assert (files / "code" / "jobs" / "train.py").exists() == saved
        state = RunState()
        with Reader(files.parent) as reader:
            for entry in reader.entries():
                state.apply(entry.record)
        assert ("code/jobs/train.py" in state.files) == saved
        assert metadata(files)["args"] == [word, "--password", "…"]


def test_the_folder_of_the_code_is_saved_where_save_code_wants_it(own_place: Path) -> None:
    for path in ("lib/model.py", "lib/deep/data.py", "lib/weights.bin", "other.py"):
        (own_place / path).parent.mkdir(parents=True, exist_ok=True)
        (own_place / path).write_text("x = 1\n")
    for save_code in (True, False):
        with wandb.init(mode="offline", save_code=save_code, settings={"code_dir": "lib"}) as run:
            pass
        code = Path(run.dir, "code")
        found = sorted(path.relative_to(code).as_posix() for path in code.rglob("*.py"))
        assert set(found) >= ({"model.py", "deep/data.py"} if save_code else set())
        assert "other.py" not in found


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (
            ["--tokenizer", "bert", "--max_tokens=9", "--keys", "a"],
            ["--tokenizer", "bert", "--max_tokens=9", "--keys", "a"],
        ),
        (["--api-key=abc", "DB_PASSWORD=x"], ["--api-key=…", "DB_PASSWORD=…"]),
        (["--token", "abc", "--token", "--verbose"], ["--token", "…", "--token", "--verbose"]),
        (["hf_0123456789abcdefghij", "0123456789" * 4], ["…", "…"]),
        (["--data", "s3://me:secret@host/x"], ["--data", "s3://host/x"]),
        (["model.key", "monkey=1"], ["model.key", "monkey=1"]),
    ],
)
def test_arguments_are_recorded_without_their_secrets(arguments: List[str], shown: List[str]) -> None:
    assert list(redacted(arguments)) == shown

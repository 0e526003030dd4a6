"""From `init` to `finish`: identity, modes, folders, resuming, and the globals of the package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, List

import pytest

import wandb
from wandb.sdk.lib import RunDisabled
from wandb_storage import Reader, Row, RunState, recover


def state_of(folder: str) -> RunState:
    state = RunState()
    with Reader(Path(folder)) as reader:
        for entry in reader.entries():
            state.apply(entry.record)
    return state


def test_the_identity_is_durable_before_init_returns() -> None:
    run = wandb.init(mode="offline", project="p", name="n", notes="why", tags=["a", "b"], config={"lr": 0.1})
    with Reader(Path(run.sync_dir)) as reader:
        committed = [entry.record for entry in reader.read(1)]
    state = RunState()
    for record in committed:
        state.apply(record)
    assert (state.start.run_id, state.start.project, state.start.name) == (run.id, "p", "n")
    assert (state.start.notes, state.start.tags, state.config) == ("why", ["a", "b"], {"lr": 0.1})


def test_the_module_names_follow_the_run() -> None:
    with pytest.raises(wandb.Error, match=r"wandb\.init\(\) before wandb\.log"):
        wandb.log({"a": 1})
    with pytest.raises(wandb.Error, match=r"before wandb\.config"):
        wandb.config.lr = 1
    run = wandb.init(mode="offline")
    assert vars(wandb)["run"] is run
    wandb.log({"a": 1})
    wandb.config.update({"lr": 1})
    assert (wandb.summary["a"], run.config.lr) == (1, 1)
    wandb.finish()
    assert vars(wandb)["run"] is None
    with pytest.raises(wandb.Error, match="before"):
        wandb.log({"a": 1})


def test_without_a_key_and_a_terminal_the_run_is_offline_and_says_how_to_sync(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = wandb.init()
    assert run.offline
    run.finish()
    said = capsys.readouterr().err
    assert "no API key" in said
    assert f"wandb sync {run.sync_dir}" in said


def test_a_second_init_returns_the_run_that_is_active() -> None:
    first = wandb.init(mode="offline")
    assert wandb.init(mode="offline") is first
    second = wandb.init(mode="offline", reinit=True)
    assert second is not first
    third = wandb.init(mode="offline", reinit="create_new")
    assert wandb.run is second
    third.log({"a": 1})
    third.finish()
    assert wandb.run is second


def test_init_says_that_it_returns_a_run_and_doesn_t_take_it_for_another(capsys: pytest.CaptureFixture[str]) -> None:
    wandb.init(mode="offline", id="there").finish()
    first = wandb.init(mode="offline")
    assert wandb.init(mode="offline", id="there", resume="allow") is first
    assert f"The run {first.id} is active" in capsys.readouterr().err
    with pytest.raises(wandb.UsageError, match=f"the run {first.id} is active"):
        wandb.init(mode="offline", id="there", resume="must")
    assert wandb.init(mode="offline", id="there", resume="must", reinit="create_new").id == "there"


def test_finish_previous_finishes_all_and_return_previous_takes_the_newest() -> None:
    runs = [wandb.init(mode="offline", reinit="create_new") for _ in range(3)]
    wandb.finish()
    assert wandb.init(mode="offline", reinit="return_previous") is runs[2]
    assert wandb.run is None
    wandb.init(mode="offline", reinit="finish_previous").log({"a": 1})
    for run in runs:
        with pytest.raises(wandb.UsageError, match="is finished"):
            run.log({"a": 1})


def test_ctrl_c_at_the_end_of_the_program_leaves_no_traceback_and_loses_nothing(tmp_path: Path) -> None:
    script = """
import os, signal, wandb
class Impatient:
    def stop(self):
        os.kill(os.getpid(), signal.SIGINT)
run = wandb.init(mode="offline", id="left")
run.log({"a": 1})
run._watchers.insert(0, Impatient())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "Traceback" not in done.stderr
    assert "Nothing that was logged is lost: run `wandb sync`" in done.stderr
    (folder,) = tmp_path.glob("wandb/offline-run-*-left")
    recover(folder)
    assert state_of(str(folder)).summary["a"] == 1


def test_disabled_runs_behave_and_leave_nothing(tmp_path: Path) -> None:
    run = wandb.init(mode="disabled", config={"lr": 1})
    run.log({"a": 1.5})
    run.summary["b"] = 2
    run.config.epochs = 3
    run.name = "another"
    run.alert("title")
    assert isinstance(run, (RunDisabled, wandb.Run))
    assert (run.summary["a"], run.config["epochs"], run.step, run.url) == (1.5, 3, 1, None)
    run.finish()
    assert not (tmp_path / "wandb").exists()


def test_resuming_goes_on_in_the_same_log() -> None:
    with wandb.init(mode="offline", id="abc", project="p", config={"lr": 1}) as run:
        run.log({"a": 1})
    folder = run.sync_dir
    with wandb.init(mode="offline", id="abc", resume="must", config={"lr": 2}) as run:
        assert (run.resumed, run.step, run.sync_dir, run.project) == (True, 1, folder, "p")
        assert (run.config.lr, run.summary["a"]) == (2, 1)
        run.log({"a": 5})
    state = state_of(folder)
    assert (state.sessions, state.rows, state.summary["a"], state.status) == (2, 2, 5, "finished")


def test_an_id_that_was_used_before_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        wandb.init(mode="offline", id="again").finish()
    with wandb.init(mode="offline", id="again", resume="allow"):
        pass
    said = [line for line in capsys.readouterr().err.splitlines() if "WARNING" in line]
    assert len(said) == 1
    assert "the run again begins anew, and offline-run-" in said[0]
    assert 'resume="allow"' in said[0]


def test_resume_must_and_never_say_what_is_wrong() -> None:
    with pytest.raises(wandb.UsageError, match="no log of the run nope"):
        wandb.init(mode="offline", id="nope", resume="must")
    wandb.init(mode="offline", id="there").finish()
    with pytest.raises(wandb.UsageError, match="exists"):
        wandb.init(mode="offline", id="there", resume="never")


def test_a_run_that_another_process_writes_is_not_taken_from_it() -> None:
    wandb.init(mode="offline", id="mine")
    code = "import wandb; wandb.init(mode='offline', id='mine', resume='must')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"process {os.getpid()}" in done.stderr


def test_config_is_protected_and_takes_every_form() -> None:
    run = wandb.init(mode="offline", config=Namespace(lr=0.1, layers=[1, 2]))
    with pytest.raises(wandb.errors.ConfigError, match="lr"):
        run.config.lr = 0.2
    run.config.update({"lr": 0.2}, allow_val_change=True)
    run.config.setdefaults({"lr": 9, "new": 1})
    assert dict(run.config.items()) == {"lr": 0.2, "layers": [1, 2], "new": 1}
    assert vars(run.config)["_items"]["lr"] == 0.2
    with pytest.raises(AttributeError, match="missing"):
        _ = run.config.missing
    assert state_of(run.sync_dir).config == {"lr": 0.2, "layers": [1, 2], "new": 1}
    changing = wandb.init(mode="offline", config={"lr": 0.1}, allow_val_change=True, reinit=True)
    changing.config.lr = 0.2
    changing.config.update({"lr": 0.3})
    with pytest.raises(wandb.errors.ConfigError, match="lr"):
        changing.config.update({"lr": 0.4}, allow_val_change=False)
    assert state_of(changing.sync_dir).config == {"lr": 0.3}


def test_an_unknown_attribute_and_a_call_after_finish_are_errors() -> None:
    run = wandb.init(mode="offline")
    with pytest.raises(AttributeError, match="foo is not supported"):
        run.foo = 1  # type: ignore[attr-defined]
    run.finish()
    run.finish()
    with pytest.raises(wandb.UsageError, match="finished"):
        run.log({"a": 1})


@pytest.mark.parametrize(
    ("ending", "code", "exception"),
    [
        ("pass", 0, ""),
        ("raise RuntimeError('boom')", 1, "RuntimeError"),
        ("import sys; sys.exit(3)", 3, ""),
        ("raise KeyboardInterrupt", 255, "KeyboardInterrupt"),
    ],
)
def test_how_the_program_ended_is_recorded_without_finish(ending: str, code: int, exception: str) -> None:
    program = f"import wandb\nrun = wandb.init(mode='offline', id='end')\nrun.log({{'a': 1}})\n{ending}"
    subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    (folder,) = Path("wandb").glob("offline-run-*")
    exit_record = state_of(str(folder)).exit
    assert exit_record is not None
    assert (exit_record.code, exit_record.exception) == (code, exception)


def test_an_unwritable_folder_falls_back_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "blocked").write_text("a file where the folder should be")
    run = wandb.init(mode="offline", dir=tmp_path / "blocked")
    run.log({"a": 1})
    assert str(tmp_path / "elsewhere") in run.sync_dir
    assert capsys.readouterr().err.count("can't be used") == 1


def test_importing_starts_opens_and_patches_nothing() -> None:
    program = """
import json, os, sys, threading
before = (sys.excepthook, sys.exit, len(os.listdir("/proc/self/fd")))
import wandb
after = (sys.excepthook, sys.exit, len(os.listdir("/proc/self/fd")))
heavy = [name for name in ("numpy", "requests", "rich", "sqlalchemy", "starlette") if name in sys.modules]
print(json.dumps([before == after, threading.active_count(), heavy, os.path.exists("wandb")]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, 1, [], False]


def test_durability_power_commits_before_log_returns() -> None:
    with wandb.init(mode="offline", settings={"durability": "power"}) as run:
        run.log({"a": 1})
        with Reader(Path(run.sync_dir)) as reader:
            committed = [entry.record for entry in reader.read(1)]
    assert any(isinstance(record, Row) and record.values == {"a": 1} for record in committed)


def test_a_half_overwritten_install_says_so(tmp_path: Path) -> None:
    copy = tmp_path / "site" / "wandb"
    shutil.copytree(Path(wandb.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "sdk" / "wandb_run.py").write_text("# a file of another package\n")
    program = "import wandb; wandb.init(mode='disabled')"
    environment = {**os.environ, "PYTHONPATH": str(copy.parent)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "mixed with another package" in done.stderr
    assert "pip uninstall wandb" in done.stderr


def test_settings_come_from_files_environment_and_arguments_in_that_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "home" / ".config" / "wandb"
    config.mkdir(parents=True)
    (config / "settings").write_text("[default]\nproject = from-file\nentity = from-file\nmode = offline\n")
    monkeypatch.setenv("WANDB_PROJECT", "from-environment")
    monkeypatch.setenv("WANDB_NOTES", "from-environment")
    run = wandb.init(notes="from-argument")
    assert (run.entity, run.project, run.notes) == ("from-file", "from-environment", "from-argument")
    assert run.settings.source("project") == "environment"
    assert run.settings.source("run_notes") == "init()"


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"projcet": "x"}, "did you mean 'project'"),
        ({"mode": "sometimes"}, "mode.*online, offline"),
        ({"base_url": "localhost"}, "base_url.*http"),
        ({"run_id": "a/b"}, "run_id"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(settings: Any, names: str) -> None:
    with pytest.raises(wandb.UsageError, match=names):
        wandb.init(settings=settings)


def test_runs_leave_no_file_descriptor_or_thread_behind() -> None:
    def resources() -> List[int]:
        import threading

        return [len(os.listdir("/proc/self/fd")), threading.active_count()]

    wandb.init(mode="offline").finish()
    before = resources()
    for _ in range(20):
        with wandb.init(mode="offline", reinit="create_new") as run:
            run.log({"a": 1})
    assert resources() == before

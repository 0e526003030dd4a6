"""What a run shows of itself and takes from its callers, old and new."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, List

import pytest
from logged import records_of, rows_of, state_of, values_of

import wandb
from wandb.sdk.lib import RunDisabled
from wandb_storage import Alert, Console, Stream, Telemetry
from wandb_uploader._config_wire import wire_config


@pytest.fixture
def run() -> wandb.Run:
    return wandb.init(mode="offline", project="p", entity="e", group="g", job_type="train", id="r")


def test_a_run_says_what_it_is(run: wandb.Run) -> None:
    assert (run.id, run.project, run.entity, run.path, run.group, run.job_type) == (
        "r",
        "p",
        "e",
        "e/p/r",
        "g",
        "train",
    )
    assert (run.offline, run.disabled, run.resumed, run.mode, run.starting_step) == (True, False, False, "offline", 0)
    assert (run.url, run.get_url(), run.project_url, run.sweep_id, run.sweep_url) == (None, None, None, None, None)
    assert run.project_name() == "p"
    assert (Path(run.dir).is_dir(), Path(run.sync_dir) == Path(run.dir).parent) == (True, True)
    assert run.start_time <= datetime.datetime.now().timestamp()
    run.log({"a": 1})
    status = run.status()
    assert status.sync_items_total == status.sync_items_pending > 0


def test_labels_change_at_any_time(run: wandb.Run) -> None:
    run.name, run.notes = "new", "why"
    run.tags = ["a", "b", "a"]
    assert (run.name, run.notes, list(run.tags)) == ("new", "why", ["a", "b"])
    run.tags = [*run.tags, "c"]
    start = state_of(run).start
    assert (start.name, start.notes, start.tags) == ("new", "why", ["a", "b", "c"])
    with pytest.raises(wandb.UsageError, match="a list of strings, not 'abc'"):
        run.tags = "abc"
    with pytest.raises(wandb.UsageError, match="not 3"):
        run.tags = 3  # type: ignore[assignment]


def test_alerts_have_a_level_and_a_wait(run: wandb.Run) -> None:
    run.alert("first", "text", level=wandb.AlertLevel.WARN, wait_duration=datetime.timedelta(minutes=1))
    wandb.alert("second", level="error", wait_duration=30)
    with pytest.raises(wandb.UsageError, match="INFO, WARN, ERROR"):
        run.alert("third", level="loud")
    with pytest.raises(wandb.UsageError, match="wait_duration is a number of seconds or a timedelta, not 'long'"):
        run.alert("third", wait_duration="long")  # type: ignore[arg-type]
    found = [(alert.title, alert.level, alert.wait_seconds) for alert in records_of(run, Alert)]
    assert found == [("first", "WARN", 60.0), ("second", "ERROR", 30.0)]


def test_metrics_are_defined_one_by_one_and_by_globs(run: wandb.Run) -> None:
    epoch = run.define_metric("epoch", summary="none")
    run.define_metric("val/*", step_metric=epoch, summary="max,last")
    run.log({"epoch": 3})
    run.log({"val/a": 2.0})
    run.log({"val/a": 1.0})
    assert run.summary["val/a"] == {"max": 2.0, "last": 1.0}
    assert "epoch" not in run.summary
    assert state_of(run).metrics.definitions["val/*"].step_metric == "epoch"
    for wrong in ({"summary": "median"}, {"goal": "up"}, {"step_metric": "a*"}):
        with pytest.raises(wandb.UsageError, match="define_metric"):
            run.define_metric("x", **wrong)  # type: ignore[arg-type]
    with pytest.raises(wandb.UsageError, match="a glob ends in its one"):
        run.define_metric("*/loss")


def test_what_older_libraries_call_is_there(run: wandb.Run) -> None:
    run._label(code="lightning", repo="pl")
    assert [json.loads(record.json) for record in records_of(run, Telemetry)] == [
        {"label": {"repo": "pl", "code": "lightning"}}
    ]
    run.history.add({"a": 1})
    assert run.history._step == 1
    assert run.save() == wandb.save() == []
    run.write_logs("from elsewhere")
    assert "from elsewhere\n" in [record.text for record in records_of(run, Console)]
    assert wandb.util.generate_id() != wandb.util.generate_id()
    wandb.require("service")
    wandb.ensure_configured()
    from wandb.sdk.lib.config_util import ConfigError
    from wandb.wandb_run import Run

    assert (Run, ConfigError) == (wandb.Run, wandb.errors.ConfigError)
    assert isinstance(run, wandb.sdk.wandb_run.Run)
    wandb.join()
    assert wandb.run is None


def test_a_script_stops_in_the_debugger_and_none_of_it_is_captured(tmp_path: Path) -> None:
    program = """
import wandb
with wandb.init(mode="offline") as run:
    lr = 0.25
    wandb.set_trace()
    print("on")
"""
    script = [sys.executable, "-c", program]
    done = subprocess.run(script, input="p lr * 2\ncontinue\n", capture_output=True, text=True, check=True)
    assert "0.5" in done.stdout
    (folder,) = tmp_path.glob("wandb/offline-run-*")
    assert "".join(record.text for record in records_of(folder, Console) if record.stream == Stream.STDOUT) == "on\n"


def test_keys_of_the_config_are_pinned_for_the_page(run: wandb.Run) -> None:
    wandb.pin_config_keys(["lr"])
    run.pin_config_keys(["epochs", "lr"])
    assert wire_config(state_of(run))["_wandb"]["value"]["pinned_keys"] == ["epochs", "lr"]
    with pytest.raises(wandb.UsageError, match="a list of the config's keys"):
        run.pin_config_keys("lr")


def test_what_libraries_import_from_inside_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    from wandb.sdk.lib import telemetry
    from wandb.sdk.lib.paths import StrPath
    from wandb.sdk.lib.printer import new_printer
    from wandb.sdk.lib.runid import generate_id

    printer = new_printer()
    printer.display("first", level="warn")
    printer.display(["second", printer.grid([["loss", "0.1"], ["accuracy", "0.9"]], "Summary")])
    assert capsys.readouterr().err.splitlines() == [
        "wandb: WARNING first",
        "wandb: second",
        "wandb: Summary",
        "wandb:     loss 0.1",
        "wandb: accuracy 0.9",
    ]
    path: StrPath = Path(generate_id(4))
    assert len(str(path)) == 4
    with telemetry.context(run=wandb.run) as noted:
        noted.feature.sb3 = True
        noted.label.code_string = "a"
    assert noted.label.code_string == "a"


def test_the_environment_is_set_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "before")
    monkeypatch.setenv("WANDB_ENTITY", "before")
    wandb.env.set_project("after")
    wandb.env.set_entity("somebody")
    run = wandb.init(mode="offline")
    assert (run.project, run.entity, wandb.env.MODE) == ("after", "somebody", "WANDB_MODE")


def test_a_run_shows_itself_in_a_notebook(run: wandb.Run) -> None:
    run.name = "<script>"
    assert "&lt;script&gt;" in run.to_html()
    assert "<script>" not in run._repr_mimebundle_()["text/html"]
    assert run.display() is False


def test_messages_of_loggers_are_console_lines_while_the_run_lasts() -> None:
    levels = {"app": "INFO", "app.part": logging.ERROR}
    with wandb.init(mode="offline", settings={"console": "off", "capture_loggers": levels}) as run:
        logging.getLogger("app").warning("first")
        logging.getLogger("app.part").error("both hear it")
        logging.getLogger("other").error("nobody hears it")
    logging.getLogger("app").warning("too late")
    assert [record.text for record in records_of(run, Console)] == [
        "WARNING:app:first\n",
        "ERROR:app.part:both hear it\n",
        "ERROR:app.part:both hear it\n",
    ]
    with pytest.raises(wandb.UsageError, match="no level of logging"):
        wandb.init(mode="offline", settings={"capture_loggers": {"app": "loud"}})


def test_functions_imported_before_init_work_after_it() -> None:
    program = (
        "from wandb import init, log, finish\nimport wandb\ninit(mode='offline', id='x')\nlog({'a': 1})\n"
        "assert wandb.summary['a'] == 1\nfinish()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


@pytest.mark.parametrize("name", ["log", "save", "restore", "alert", "define_metric", "watch", "unwatch"])
def test_functions_of_a_run_say_that_there_is_none(name: str) -> None:
    with pytest.raises(wandb.Error, match=rf"You must call wandb\.init\(\) before wandb\.{name}\(\)"):
        getattr(wandb, name)(*[] if name == "unwatch" else ["x"])


def test_arguments_without_a_meaning_here_are_accepted_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    run = wandb.init(mode="offline", magic=True, sync=True, anonymous="allow")
    run.log({"a": 1})
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if "without an effect" in line]
    for argument in ("magic", "sync", "anonymous"):
        assert argument in line


def test_without_a_key_force_is_an_error() -> None:
    with pytest.raises(wandb.UsageError, match="no API key"):
        wandb.init(force=True)


# --- when no run can be recorded --------------------------------------------------------------------------------------


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder for runs that is there, and takes nothing."""
    (tmp_path / "wandb").mkdir()

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    # A full disk that refuses a new folder, and nothing before, can't be had without being root.
    monkeypatch.setattr("wandb.sdk._open_run.new_run_folder", refuse)


@pytest.mark.usefixtures("full_disk")
def test_training_goes_on_where_no_run_can_be_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    run = wandb.init(mode="offline", config={"lr": 1})
    assert isinstance(run, RunDisabled)
    run.log({"a": 1})
    run.config.epochs = 3
    assert (run.summary["a"], wandb.config["lr"]) == (1, 1)
    run.finish()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "ERROR" in line]
    assert "No space left on device" in line
    assert "NOTHING IS LOGGED" in line


@pytest.mark.usefixtures("full_disk")
def test_who_wants_it_is_told_by_an_exception() -> None:
    with pytest.raises(wandb.Error, match="No space left"):
        wandb.init(mode="offline", settings={"problem": "fatal"})
    assert wandb.run is None


@pytest.mark.usefixtures("full_disk")
def test_arguments_that_make_no_sense_are_errors_all_the_same() -> None:
    with pytest.raises(wandb.UsageError, match="no log of the run"):
        wandb.init(mode="offline", fork_from="x?_step=1")
    with pytest.raises(wandb.Error, match="keys must be strings"):
        wandb.init(mode="offline", config={1: 2})
    with pytest.raises(wandb.UsageError, match="reinit"):
        wandb.init(mode="offline", reinit="sometimes")


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_run_is_finished_once_by_whatever_thread_comes_first(run: wandb.Run) -> None:
    ends: List[threading.Thread] = [threading.Thread(target=run.finish) for _ in range(8)]
    for thread in ends:
        thread.start()
    for thread in ends:
        thread.join()
    assert (state_of(run).status, wandb.run) == ("finished", None)


def test_tasks_log_to_one_run(run: wandb.Run) -> None:
    async def task(number: int) -> None:
        for _ in range(10):
            wandb.log({f"task{number}": number})
            await asyncio.sleep(0)

    async def everything() -> None:
        await asyncio.gather(*(task(number) for number in range(5)))

    # In a thread of its own: this one has a loop already where a test before used a browser.
    with concurrent.futures.ThreadPoolExecutor() as threads:
        threads.submit(asyncio.run, everything()).result()
    assert [row["_step"] for row in values_of(run)] == list(range(50))


def test_a_signal_handler_may_finish_the_run_that_it_interrupts(tmp_path: Path) -> None:
    program = """
import signal, sys, wandb
run = wandb.init(mode="offline", id="r", settings={"silent": True})
def stop(*_):
    run.mark_preempting()
    run.finish(exit_code=7)
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
while True:
    run.log({"a": 1.0})
"""
    script = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert script.stdout is not None
    with script.stdout:
        script.stdout.readline()
        os.kill(script.pid, signal.SIGTERM)
        assert script.wait(timeout=60) == 7
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    state = state_of(folder)
    assert (state.preempting, state.exit is not None and state.exit.code) == (True, 7)
    steps = [row["_step"] for row in rows_of(folder)]
    assert steps == list(range(len(steps)))


# --- disabled ---------------------------------------------------------------------------------------------------------


def test_a_disabled_run_takes_every_call_and_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    before = sorted(tmp_path.iterdir())
    run = wandb.init(mode="disabled", save_code=True)
    run.define_metric("a", summary="max")
    run.alert("title")
    run.mark_preempting()
    run.watch(object())
    run.unwatch()
    run.flush()
    run.tags = ("a",)
    run._label(code="x")
    run.write_logs("text")
    assert (run.save("a.txt"), run.restore("a.txt"), run.log_code(".")) == ([], None, [])
    assert (run.url, run.status().sync_items_total, Path(run.dir).is_dir()) == (None, 0, True)
    assert "nothing is recorded" in run.to_html()
    assert (run.sync_dir, repr(run)) == (run.dir, f"<wandb.Run {run.id}, disabled>")
    run.log({"a": 1}, step=5)
    assert (run.step, run.summary["a"], run.tags) == (5, 1, ("a",))
    run.finish()
    assert sorted(tmp_path.iterdir()) == before

"""Sweeps on a server: agents of ours, and what stands there in the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from live_server import LiveServer
from logged import records_of

import wandb
from wandb.cli import main
from wandb.sweeps import FunctionAgent, ProcessAgent, RemoteSweep, find
from wandb_storage import ConfigChange

GRID = {"method": "grid", "metric": {"name": "loss"}, "parameters": {"lr": {"values": [1, 2, 3]}}}
QUIET = {"x_disable_stats": True, "disable_git": True}
PROGRAM = """
import wandb
with wandb.init(settings={"x_disable_stats": True, "disable_git": True}) as run:
    run.log({"loss": run.config.lr * 10})
"""


def train() -> None:
    with wandb.init(settings=QUIET) as run:
        run.log({"loss": float(run.config["lr"])})


def remote(sweep_id: str) -> RemoteSweep:
    home = find(sweep_id, project="digits")
    assert isinstance(home, RemoteSweep)
    return home


def test_a_function_is_called_for_each_point(server: LiveServer) -> None:
    sweep_id = wandb.sweep(GRID, project="digits")
    home = remote(sweep_id)
    FunctionAgent(home, train, None, beat_seconds=0.05).run()
    assert [run.trial.values[("lr",)] for run in home.runs()] == [1, 2, 3]
    assert [list(run.trial.metric) for run in home.runs()] == [[1], [2], [3]]
    assert home.state() == "FINISHED"
    with pytest.raises(wandb.Error, match="there is no sweep 'nothing' in"):
        find("nothing", project="digits")


def test_a_program_is_started_for_each_point(server: LiveServer, own_place: Path) -> None:
    (own_place / "train.py").write_text(PROGRAM)
    (own_place / "sweep.yaml").write_text(
        "program: train.py\nmethod: grid\nproject: digits\nmetric: {name: loss}\nparameters: {lr: {values: [1, 2]}}\n"
    )
    made = CliRunner().invoke(main, ["sweep", "sweep.yaml", "--name", "first"])
    assert made.exit_code == 0, made.output
    path = made.output.split()[-1]
    home = remote(path.rpartition("/")[2])
    assert home.config["name"] == "first"
    assert ProcessAgent(home, beat_seconds=0.1).run() == 0
    assert [(run.trial.state, list(run.trial.metric)) for run in home.runs()] == [
        ("finished", [10]),
        ("finished", [20]),
    ]
    assert CliRunner().invoke(main, ["agent", path]).exit_code == 0


def test_a_trial_whose_end_the_server_has_not_heard_of_is_not_begun_again(server: LiveServer) -> None:
    home = remote(wandb.sweep(GRID, project="digits"))
    called = []
    # It logs nothing that could reach the server.
    FunctionAgent(home, lambda: called.append(1), None, beat_seconds=0.01).run()
    assert len(called) == 3
    assert [run.trial.values[("lr",)] for run in home.runs()] == [1, 2, 3]


def test_a_run_that_has_not_said_its_config_keeps_what_it_was_handed(server: LiveServer) -> None:
    home = remote(wandb.sweep(GRID, project="digits"))
    (command,) = home.beat(home.register(), ())
    server.upsert(command.run_id, "digits", config='{"_wandb": {"value": {}}}')
    (other,) = home.beat(home.register(), ())
    assert other.arguments == {"lr": {"value": 2}}
    assert [run.trial.values[("lr",)] for run in home.runs()] == [1, 2]


def test_a_run_of_a_sweep_begins_with_its_values(server: LiveServer, own_place: Path) -> None:
    (own_place / "values.yaml").write_text("wandb_version: 1\nlr: {value: 3}\n")
    with wandb.init(settings={**QUIET, "sweep_param_path": str(own_place / "values.yaml")}, config={"lr": 1}) as run:
        run.config.lr = 4
    assert run.config.lr == 3
    assert [json.loads(change.json) for change in records_of(run, ConfigChange)] == [{"lr": 3}]


def test_a_sweep_learns_from_runs_before_it(server: LiveServer) -> None:
    with wandb.init(project="digits", config={"lr": 2}, settings=QUIET) as run:
        run.log({"loss": 0.5})
    home = remote(wandb.sweep(GRID, project="digits", prior_runs=[run.id]))
    assert [(found.id, list(found.trial.metric)) for found in home.runs()] == [(run.id, [0.5])]
    agent = home.register()
    (command,) = home.beat(agent, ())
    assert command.arguments == {"lr": {"value": 1}}
    home.beat(agent, (command.run_id,))
    (other,) = home.beat(home.register(), ())
    assert other.arguments == {"lr": {"value": 3}}


def test_a_sweep_is_paused_resumed_stopped_and_cancelled(server: LiveServer) -> None:
    home = remote(wandb.sweep(GRID, project="digits"))
    agent = home.register()
    (command,) = home.beat(agent, ())

    def change(how: str) -> None:
        done = CliRunner().invoke(main, ["sweep", home.path, f"--{how}"])
        assert done.exit_code == 0, done.output

    change("pause")
    assert home.beat(agent, ()) == []
    change("resume")
    assert [told.kind for told in home.beat(agent, (command.run_id,))] == []
    change("stop")
    assert [told.kind for told in home.beat(agent, ())] == ["exit"]
    change("cancel")
    assert [told.kind for told in home.beat(agent, (command.run_id,))] == ["stop"]


def test_a_local_controller_decides_what_agents_of_a_server_try(server: LiveServer) -> None:
    controller = wandb.controller(GRID, project="digits")
    home = remote(controller.sweep_id)
    agent = home.register()
    assert home.beat(agent, ()) == []
    controller.schedule(controller.search())
    controller.step()
    (command,) = home.beat(agent, ())
    assert command.arguments == {"lr": {"value": 1}}
    controller.step()
    assert [run.id for run in controller.runs] == [command.run_id]
    assert controller.search() is not None


PREEMPTED = """
import os, signal
import wandb
with wandb.init(settings={"x_disable_stats": True, "disable_git": True}) as run:
    run.log({"loss": run.config.lr})
    if not run.resumed:
        run.mark_preempting()
        run.flush()
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_preempted_trial_is_gone_on_with_in_its_run(server: LiveServer, own_place: Path) -> None:
    (own_place / "train.py").write_text(PREEMPTED)
    config = {**GRID, "program": "train.py", "parameters": {"lr": {"values": [5]}}}
    home = remote(wandb.sweep({**config, "command": ["${interpreter}", "${program}"]}, project="digits"))
    assert ProcessAgent(home, count=1, beat_seconds=0.1).run() == 0
    # What the machine couldn't upload any more is uploaded by whoever has the folder.
    assert CliRunner().invoke(main, ["sync", "--sync-all"]).exit_code == 0
    (found,) = home.runs()
    assert found.trial.state == "preempted"
    assert ProcessAgent(home, beat_seconds=0.1).run() == 0
    (again,) = home.runs()
    assert (again.id, again.trial.state, list(again.trial.metric)) == (found.id, "finished", [5, 5])

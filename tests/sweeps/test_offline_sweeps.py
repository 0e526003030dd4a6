"""Sweeps without a server: agents that share a folder, and what is left when they die."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar, Dict, List

import pytest

import wandb
from wandb.replay import replay
from wandb.sweeps import FunctionAgent, OfflineSweep, ProcessAgent

GRID = {
    "method": "grid",
    "metric": {"name": "loss"},
    "parameters": {"lr": {"values": [1, 2, 3, 4]}, "optimizer": {"parameters": {"name": {"value": "sgd"}}}},
}
PROGRAM = """
import sys, wandb
with wandb.init(settings={"x_disable_stats": True, "disable_git": True}) as run:
    assert sys.argv[1:] == [f"--lr={run.config.lr}", "--optimizer={'name': 'sgd'}"], sys.argv
    run.log({"loss": run.config.lr * 10})
"""


def make(place: Path, **changes: Any) -> OfflineSweep:
    return OfflineSweep.create(place / "wandb", {**GRID, **changes})


def tried(sweep: OfflineSweep) -> List[Any]:
    return [run.trial.values[("lr",)] for run in sweep.runs()]


def states(sweep: OfflineSweep) -> List[str]:
    return [run.trial.state for run in sweep.runs()]


def train() -> None:
    run = wandb.init(settings={"x_disable_stats": True, "disable_git": True})
    run.log({"loss": float(run.config["lr"])})


def test_a_function_is_called_for_each_point_of_a_grid(own_place: Path) -> None:
    sweep = make(own_place)
    FunctionAgent(sweep, train, None, beat_seconds=0.01).run()
    assert tried(sweep) == [1, 2, 3, 4]
    assert states(sweep) == ["finished"] * 4
    assert [list(run.trial.metric) for run in sweep.runs()] == [[1], [2], [3], [4]]
    assert sweep.state() == "FINISHED"
    run = replay(sweep.runs()[2].id)
    assert run.start.sweep_id == sweep.id
    assert run.config == {"lr": 3, "optimizer": {"name": "sgd"}}


def test_values_of_the_sweep_cannot_be_changed_by_the_program(
    own_place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = make(own_place, run_cap=1)
    seen: Dict[str, Any] = {}

    def stubborn() -> None:
        run = wandb.init(config={"lr": 99, "epochs": 5})
        run.config.update({"lr": 98}, allow_val_change=True)
        seen.update(run.config.as_dict())

    FunctionAgent(sweep, stubborn, None, beat_seconds=0.01).run()
    assert seen["lr"] == 1
    assert seen["epochs"] == 5
    assert "lr is locked by the sweep" in capsys.readouterr().err


def test_a_program_is_started_for_each_point(own_place: Path) -> None:
    (own_place / "train.py").write_text(PROGRAM)
    sweep = make(own_place, program="train.py", run_cap=2)
    assert ProcessAgent(sweep, beat_seconds=0.05).run() == 0
    assert states(sweep) == ["finished", "finished"]
    assert [list(run.trial.metric) for run in sweep.runs()] == [[10], [20]]


def test_agents_that_fail_again_and_again_give_up(own_place: Path) -> None:
    def fail() -> None:
        wandb.init()
        raise RuntimeError("wrong from the beginning")

    sweep = make(own_place)
    with pytest.raises(wandb.Error, match="3 trials have failed in the first 60 seconds"):
        FunctionAgent(sweep, fail, None, beat_seconds=0.01).run()
    assert states(sweep) == ["failed"] * 3


WORKING = """
import sys
from pathlib import Path
import wandb
from wandb.sweeps import FunctionAgent, OfflineSweep

def train():
    run = wandb.init(settings={"x_disable_stats": True, "disable_git": True})
    run.log({"loss": float(run.config["lr"])})

FunctionAgent(OfflineSweep(Path(sys.argv[1])), train, None, beat_seconds=0.01).run()
"""


def test_many_agents_try_each_point_once(own_place: Path) -> None:
    sweep = make(own_place, parameters={"lr": {"min": 1, "max": 24}})
    agents = [subprocess.Popen([sys.executable, "-c", WORKING, str(sweep.folder)]) for _ in "1234"]
    assert [agent.wait() for agent in agents] == [0] * 4
    assert sorted(tried(sweep)) == list(range(1, 25))
    assert set(states(sweep)) == {"finished"}


DYING = """
import os, signal, sys
from pathlib import Path
import wandb
from wandb.sweeps import OfflineSweep
sweep = OfflineSweep(Path(sys.argv[1]))
agent = sweep.register()
(command,) = sweep.beat(agent, ())
if sys.argv[2] == "running":
    os.environ.update(sweep.environment, WANDB_SWEEP_ID=sweep.id, WANDB_RUN_ID=command.run_id)
    run = wandb.init(settings={"x_disable_stats": True, "disable_git": True})
    run.log({"loss": 0.5})
    if len(sys.argv) > 3:
        run.mark_preempting()
print(command.run_id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def die(sweep: OfflineSweep, *how: str) -> str:
    command = [sys.executable, "-c", DYING, str(sweep.folder), *how]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    return done.stdout.strip()


def test_what_a_killed_agent_had_not_begun_is_begun_by_the_next(own_place: Path) -> None:
    sweep = make(own_place)
    run = die(sweep, "waiting")
    agent = sweep.register()
    (command,) = sweep.beat(agent, ())
    assert (command.kind, command.run_id, command.arguments["lr"]) == ("run", run, {"value": 1})
    (after,) = sweep.beat(sweep.register(), ())
    assert after.arguments["lr"] == {"value": 2}


def test_what_a_killed_agent_had_begun_is_not_begun_again(own_place: Path) -> None:
    sweep = make(own_place)
    die(sweep, "running")
    (command,) = sweep.beat(sweep.register(), ())
    assert command.arguments["lr"] == {"value": 2}
    assert states(sweep) == ["crashed", "pending"]
    assert sweep.runs()[0].trial.metric == [0.5]


def test_what_was_preempted_is_handed_to_one_agent(own_place: Path) -> None:
    sweep = make(own_place)
    run = die(sweep, "running", "preempting")
    assert states(sweep) == ["preempted"]
    (command,) = sweep.beat(sweep.register(), ())
    assert (command.kind, command.run_id) == ("resume", run)
    (other,) = sweep.beat(sweep.register(), ())
    assert (other.kind, other.arguments["lr"]) == ("run", {"value": 2})
    sweep.close()  # and so do those two


def test_a_preempted_trial_goes_on_in_its_run(own_place: Path) -> None:
    sweep = make(own_place)
    run = die(sweep, "running", "preempting")
    FunctionAgent(sweep, train, 1, beat_seconds=0.01).run()
    (found,) = sweep.runs()
    assert (found.id, found.trial.state, list(found.trial.metric)) == (run, "finished", [0.5, 1.0])


def test_an_answer_that_got_lost_is_given_again_and_then_counts_as_failed(own_place: Path) -> None:
    sweep = make(own_place)
    agent = sweep.register()
    (first,) = sweep.beat(agent, ())
    assert sweep.beat(agent, ()) == [first]
    (third,) = sweep.beat(agent, ())
    assert third.run_id != first.run_id
    assert states(sweep) == ["failed", "pending"]


def test_a_sweep_is_paused_resumed_and_cancelled(own_place: Path) -> None:
    sweep = make(own_place)
    agent = sweep.register()
    (command,) = sweep.beat(agent, ())
    sweep.set_state("PAUSED")
    assert sweep.beat(agent, ()) == []
    assert sweep.beat(agent, (command.run_id,)) == []
    sweep.set_state("CANCELED")
    assert [told.kind for told in sweep.beat(agent, (command.run_id,))] == ["stop"]
    assert [told.kind for told in sweep.beat(agent, ())] == ["exit"]


def test_what_a_sweep_writes_is_for_its_user_alone(own_place: Path) -> None:
    sweep = make(own_place)
    sweep.beat(sweep.register(), ())
    assert sweep.folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in sweep.folder.iterdir())


def test_a_local_controller_decides(own_place: Path) -> None:
    wandb.setup(wandb.Settings(mode="offline"))
    controller = wandb.controller({**GRID, "method": "random"})
    sweep = OfflineSweep(own_place / "wandb" / f"sweep-{controller.sweep_id}")
    agent = sweep.register()
    assert sweep.beat(agent, ()) == []

    class Mine:
        config: ClassVar[Dict[str, Any]] = {"lr": {"value": 7}}

    controller.schedule(Mine())
    controller.step()
    (command,) = sweep.beat(agent, ())
    assert command.arguments == {"lr": {"value": 7}}
    controller.step()
    assert [run.id for run in controller.runs] == [command.run_id]
    controller.stop_runs(controller.runs)
    controller.step()
    assert [told.kind for told in sweep.beat(agent, (command.run_id,))] == ["stop"]


def test_a_sweep_is_made_and_found_by_its_id(own_place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep_id = wandb.sweep({**GRID, "run_cap": 1})
    assert f"Created sweep {sweep_id}" in capsys.readouterr().err
    wandb.agent(sweep_id, train)
    assert len(list((own_place / "wandb").glob("offline-run-*"))) == 1
    with pytest.raises(wandb.sweeps.SweepConfigError, match="method"):
        wandb.sweep({"parameters": {"lr": {"value": 1}}})


def test_signals_end_trials_and_agent(own_place: Path) -> None:
    (own_place / "wait.py").write_text("import signal; print('waits', flush=True); signal.pause()")
    sweep = make(own_place, program="wait.py", command=["${interpreter}", "${program}"])
    script = (
        "import sys; from pathlib import Path; from wandb.sweeps import OfflineSweep, ProcessAgent;"
        "sys.exit(ProcessAgent(OfflineSweep(Path(sys.argv[1])), beat_seconds=0.05).run())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(sweep.folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
    assert not subprocess.run(["pgrep", "-f", str(own_place / "wait.py")], check=False, stdout=subprocess.PIPE).stdout


def test_macros_fill_in_the_command(own_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_place / "show.py").write_text("import json, sys; json.dump(sys.argv[1:], open('shown.json', 'w'))")
    monkeypatch.setenv("PLACE", "here")
    macros = ["${envvar:PLACE}", "${args_no_hyphens}", "${args_json}", "${args_json_file}"]
    parameters = {"lr": {"value": 0.5}, "fast": {"value": True}}
    sweep = make(own_place, command=["${interpreter}", "show.py", *macros], parameters=parameters, run_cap=1)
    ProcessAgent(sweep, beat_seconds=0.05).run()
    place, *plain, text, path = json.loads((own_place / "shown.json").read_text())
    assert (place, plain) == ("here", ["lr=0.5", "fast=True"])
    assert json.loads(text) == json.loads(Path(path).read_text()) == {"lr": 0.5, "fast": True}

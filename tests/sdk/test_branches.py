"""Going back to a step: as another run, and as the same one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from logged import rows_of, state_of, values_of

import wandb


def offline(**arguments: Any) -> wandb.Run:
    return wandb.init(mode="offline", settings={"silent": True, "x_disable_stats": True}, **arguments)


@pytest.fixture
def parent() -> wandb.Run:
    """Ten rows in two sessions, a config that changes and a summary with a rule."""
    with offline(id="parent", project="p", name="old", group="g", config={"lr": 1}) as run:
        run.define_metric("loss", summary="min,mean")
        for step in range(5):
            run.log({"loss": float(10 - step), "n": step})
        run.config.epochs = 5
    with offline(id="parent", resume="must") as run:
        for step in range(5, 10):
            run.log({"loss": float(10 - step), "n": step})
        run.config.late = True
    return run


def test_a_fork_begins_with_what_its_parent_had_logged_up_to_the_step(parent: wandb.Run) -> None:
    with offline(fork_from="parent?_step=6", config={"lr": 2}) as fork:
        assert (fork.starting_step, fork.step, fork.resumed, fork.project, fork.group) == (7, 7, False, "p", "g")
        assert fork.id != "parent"
        assert fork.name != "old"
        assert fork.config.as_dict() == {"lr": 2, "epochs": 5}
        assert fork.summary["loss"] == {"min": 4.0, "mean": 7.0}
        fork.log({"loss": 0.0})
    assert values_of(fork)[:7] == values_of(parent)[:7]
    assert [row["_timestamp"] for row in rows_of(fork)[:7]] == [row["_timestamp"] for row in rows_of(parent)[:7]]
    assert values_of(fork)[7:] == [{"_step": 7, "loss": 0.0}]
    state = state_of(fork)
    assert (state.start.run_id, state.start.branch_run, state.start.branch_step) == (fork.id, "parent", 6)
    assert state.summary["loss"] == {"min": 0.0, "mean": 49 / 8}
    assert len(values_of(parent)) == 10


def test_a_run_goes_back_under_its_own_id_and_is_then_resumed_from_there(parent: wandb.Run) -> None:
    with offline(resume_from="parent?_step=2") as run:
        assert (run.id, run.name, run.resumed, run.starting_step) == ("parent", "old", True, 3)
        assert run.config.as_dict() == {"lr": 1}
        run.log({"loss": 100.0})
    assert run.sync_dir != parent.sync_dir
    assert [row["_step"] for row in values_of(run)] == [0, 1, 2, 3]
    assert len(values_of(parent)) == 10
    with offline(id="parent", resume="must") as again:
        assert (again.sync_dir, again.starting_step) == (run.sync_dir, 4)


def test_a_fork_takes_what_was_said_between_its_step_and_the_next() -> None:
    with offline(id="a", project="p") as run:
        run.log({"x": 1}, step=10)
        run.summary["note"] = "at ten"
        run.log({"x": 2}, step=20)
        run.summary["note"] = "at twenty"
    with offline(fork_from="a?_step=15") as fork:
        assert (fork.summary["note"], fork.step) == ("at ten", 16)
    assert values_of(fork) == [{"_step": 10, "x": 1}]


def test_files_and_alerts_are_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("weights")
    with offline(id="a") as run:
        run.save("model.txt")
        run.alert("once")
        run.log({"x": 1})
    with offline(fork_from="a?_step=0") as fork:
        pass
    assert (state_of(fork).files, state_of(fork).alerts) == ({}, [])


def test_media_come_along_with_the_rows_that_name_them() -> None:
    with offline(id="a") as run:
        for step in range(3):
            run.log({"page": wandb.Html(f"<p>{step}")})
    with offline(fork_from="a?_step=1") as fork:
        fork.log({"page": wandb.Html("<p>other")})
    paths = [row["page"]["path"] for row in values_of(fork)]
    assert paths[:2] == [row["page"]["path"] for row in values_of(run)[:2]]
    assert all((Path(fork.dir) / path).is_file() for path in paths)
    assert set(paths) <= set(state_of(fork).files)


def test_a_run_that_is_still_written_can_be_forked() -> None:
    running = offline(id="a")
    running.log({"x": 1})
    with offline(fork_from="a?_step=0", reinit="create_new") as fork:
        fork.log({"x": 5})
    running.log({"x": 2})
    running.finish()
    assert [row["x"] for row in values_of(running)] == [1, 2]
    assert [row["x"] for row in values_of(fork)] == [1, 5]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"fork_from": "parent"}, r"ID\?_step=100"),
        ({"fork_from": "parent?_step=-1"}, r"ID\?_step=100"),
        ({"fork_from": "parent?_step=10"}, "ends with step 9"),
        ({"fork_from": "nobody?_step=1"}, "no log of the run nobody"),
        ({"fork_from": "parent?_step=1", "id": "parent"}, "id of its own"),
        ({"fork_from": "parent?_step=1", "resume_from": "parent?_step=1"}, "exclude each other"),
        ({"resume_from": "parent?_step=1", "resume": "allow"}, "exclude each other"),
        ({"resume_from": "parent?_step=1", "id": "another"}, "names the run parent"),
    ],
)
def test_a_branch_that_makes_no_sense_is_refused_and_leaves_nothing(
    parent: wandb.Run, arguments: Any, says: str
) -> None:
    before = sorted(Path("wandb").iterdir())
    with pytest.raises(wandb.UsageError, match=says):
        offline(**arguments)
    assert sorted(Path("wandb").iterdir()) == before

"""Actors, as Ray's are: processes that each go into a folder of their own and log a run there, told what by a queue."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any, List

import pytest
from actors import act
from logged import state_of, values_of
from own_place import own_place as own_place

import wandb


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of forking beside threads, since Python 3.12
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_each_actor_logs_in_its_folder(method: str, tmp_path: Path) -> None:
    context: Any = multiprocessing.get_context(method)
    answers = context.Queue()
    with wandb.init(project="tune", mode="offline", job_type="driver") as driver:
        actors: List[Any] = []
        for name in ("first", "second"):
            queue = context.Queue()
            actor = context.Process(target=act, args=(str(tmp_path / name), name, queue, answers))
            actor.start()
            actors.append((actor, queue))
        for step in range(3):
            for _, queue in actors:
                queue.put({"step": step, "reward": step / 2})
            driver.log({"sent": step})
        for _, queue in actors:
            queue.put(None)
        folders = sorted(answers.get(timeout=60) for _ in actors)
        for actor, _ in actors:
            actor.join(60)
            assert actor.exitcode == 0
    for folder, name in zip(folders, ("first", "second")):
        assert Path(folder).parent.parent == tmp_path / name
        assert values_of(folder) == [{"step": step, "reward": step / 2, "_step": step} for step in range(3)]
        assert state_of(folder).config == {"lr": 0.1, "trial_log_path": str(tmp_path / name), "last": 2}
    assert [row["sent"] for row in values_of(driver)] == [0, 1, 2]

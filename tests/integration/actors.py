"""What an actor of `test_actors` does: in a module that a spawned process finds, too."""

from __future__ import annotations

import os
from typing import Any

import wandb


def act(folder: str, name: str, queue: Any, answers: Any) -> None:
    """The main function of an actor's process: as `_WandbLoggingActor` of Ray does it."""
    os.makedirs(folder)
    os.chdir(folder)
    run = wandb.init(id=name, name=name, project="tune", group="trials", config={"lr": 0.1}, mode="offline")
    run.config.trial_log_path = folder
    while True:
        result = queue.get()
        if result is None:
            break
        wandb.config.update({"last": result["step"]}, allow_val_change=True)
        wandb.log(result, step=result["step"])
    wandb.finish()
    answers.put(run.sync_dir)

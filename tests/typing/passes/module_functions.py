"""The functions of the active run, and what stands for its parts."""

from __future__ import annotations

import datetime

import wandb

run = wandb.init(settings=wandb.Settings(mode="offline"), resume="allow", id="abc")
wandb.config.lr = 0.1
wandb.config["epochs"] = 3
wandb.log({"loss": 0.5})
wandb.summary.update({"best": 1})
wandb.alert("title", "text", wait_duration=datetime.timedelta(minutes=5))
wandb.define_metric("loss", summary="min")
wandb.watch(object(), log="all")
file = wandb.restore("best.txt")
if file is not None:
    print(file.read())
if wandb.run is not None:
    print(wandb.run.name)
wandb.termwarn("careful")
wandb.finish(exit_code=0)

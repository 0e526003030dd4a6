"""Each marked line is an error, and no other is."""

from __future__ import annotations

import wandb

run = wandb.init(projekt="p")  # error: call-arg
run = wandb.init(tags=3)  # error: arg-type
run.log([1, 2])  # error: arg-type
run.log({"a": 1}, step="3")  # error: arg-type
run.id = "other"  # error: misc
run.foo = 1  # error: attr-defined
number: int = run.name  # error: assignment
run.save("a", policy=1)  # error: arg-type
wandb.log({1: 2})  # error: dict-item
wandb.alert("title", level=3)  # error: arg-type
wandb.run.log({})  # error: union-attr
wandb.lgo({"a": 1})  # error: attr-defined
run.tags = 3  # error: assignment
wandb.Image("x.png", capton="c")  # error: call-arg
wandb.Audio([0.0], sample_rate="8000")  # error: arg-type
wandb.Table(columns=3)  # error: arg-type
wandb.Table(columns=["a"]).add_column(1, [2])  # error: arg-type
wandb.plot.line([[1]], x="a", y="b")  # error: arg-type
wandb.box3d((0, 0, 0), (1, 1, 1), (1, 0, 0, 0), (1, 2, 3))  # error: call-arg

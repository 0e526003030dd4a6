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

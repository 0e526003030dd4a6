"""A training script as users write it."""

from __future__ import annotations

from typing import Dict, Optional

import wandb


def train(epochs: int) -> float:
    with wandb.init(project="digits", config={"lr": 0.1}, tags=["a"], mode="offline") as run:
        run.define_metric("val/*", step_metric="epoch", summary="max")
        for epoch in range(epochs):
            metrics: Dict[str, float] = {"loss": 1.0 / (epoch + 1)}
            run.log(metrics, step=epoch)
            run.log({"mixed": [1, "two", None], "nested": {"a": 1}}, commit=False)
        run.summary["best"] = 0.5
        run.config.update({"epochs": epochs}, allow_val_change=True)
        run.name, run.notes = "name", "why"
        run.tags = [*run.tags, "b"]
        paths = run.save("*.pt", policy="end")
        print(len(paths), run.step, run.id.upper(), run.url or "offline")
        best: float = run.summary["best"]
    return best


def report(run: Optional[wandb.Run]) -> str:
    if run is None:
        return "no run"
    run.alert("done", level=wandb.AlertLevel.INFO, wait_duration=60)
    return run.path


try:
    train(3)
except wandb.errors.ConfigError as error:
    print(error.message)
except wandb.Error:
    raise

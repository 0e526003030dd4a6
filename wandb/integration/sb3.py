"""Stable-Baselines3: hyperparameters, gradients and the model; its metrics come by `sync_tensorboard`.

from wandb.integration.sb3 import WandbCallback

with wandb.init(config={"env": "CartPole-v1"}, sync_tensorboard=True, monitor_gym=True) as run:
    model = PPO("MlpPolicy", run.config.env, tensorboard_log="runs")
    model.learn(25_000, callback=WandbCallback(model_save_path=f"models/{run.id}", gradient_save_freq=100))
"""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

from .._terminal import termlog, termwarn
from ..errors import UsageError
from ._library import active_run, library

_BaseCallback: Any = library("stable_baselines3.common.callbacks", "stable-baselines3").BaseCallback

__all__ = ["WandbCallback"]

_KINDS = ("gradients", "parameters", "all", None)


class WandbCallback(_BaseCallback):  # type: ignore[misc] # a class of a library that has no types
    """Log the training of an agent to the active run.

    model_save_path: a folder for `model.zip`, which is saved with the run at the end of the training, and every
    `model_save_freq` steps. gradient_save_freq: how often histograms are logged, of what `log` says: "gradients",
    "parameters" or "all". verbose: 2 says when the model is saved.

    The model's attributes become defaults of the run's config, `algo` the name of its class.

    Raises Error where no run is active, and UsageError for a frequency without a path.
    """

    def __init__(
        self,
        verbose: int = 0,
        model_save_path: Optional[str] = None,
        model_save_freq: int = 0,
        gradient_save_freq: int = 0,
        log: Optional[str] = "all",
    ) -> None:
        super().__init__(verbose)
        active_run("WandbCallback()")
        if model_save_path is None and model_save_freq:
            raise UsageError("WandbCallback: model_save_freq needs a model_save_path")
        if log not in _KINDS:
            termwarn(f"WandbCallback: log is gradients, parameters, all or None, not {log!r}; it is taken as all")
            log = "all"
        self.model_save_path = model_save_path
        self.model_save_freq = model_save_freq
        self.gradient_save_freq = gradient_save_freq
        self.log = log
        if model_save_path is not None:
            os.makedirs(model_save_path, exist_ok=True)
            self.path = os.path.join(model_save_path, "model.zip")

    def _init_callback(self) -> None:
        run = active_run("learn()")
        found: Dict[str, Any] = {"algo": type(self.model).__name__}
        for name, value in vars(self.model).items():
            found[name] = value if type(value) in (int, float, str) else str(value)
        run.config.setdefaults(found)
        if self.gradient_save_freq > 0:
            run.watch(self.model.policy, log_freq=self.gradient_save_freq, log=self.log)

    def _on_step(self) -> bool:
        if self.model_save_freq > 0 and self.n_calls % self.model_save_freq == 0:
            self.save_model()
        return True

    def _on_training_end(self) -> None:
        if self.model_save_path is not None:
            self.save_model()

    def save_model(self) -> None:
        """Save the model with the run, as it is now."""
        self.model.save(self.path)
        active_run("save_model()").save(self.path, base_path=self.model_save_path)
        if self.verbose > 1:
            termlog(f"the model is saved: {self.path}")

"""Optuna with its defaults."""

from __future__ import annotations

import importlib
from typing import Any, Dict, Mapping


class Client:
    def __init__(self) -> None:
        self._optuna = importlib.import_module("optuna")
        self._optuna.logging.set_verbosity(self._optuna.logging.ERROR)

    def begin(self, parameters: Mapping[str, Mapping[str, Any]], seed: int) -> None:
        distributions = self._optuna.distributions
        self._space: Dict[str, Any] = {
            name: distributions.FloatDistribution(spec["min"], spec["max"], log="log" in spec["distribution"])
            for name, spec in parameters.items()
        }
        self._study = self._optuna.create_study(sampler=self._optuna.samplers.TPESampler(seed=seed))

    def propose(self) -> Mapping[str, float]:
        self._trial = self._study.ask(self._space)
        values: Mapping[str, float] = self._trial.params
        return values

    def tell(self, values: Mapping[str, float], loss: float) -> None:
        self._study.add_trial(
            self._optuna.trial.create_trial(params=dict(values), distributions=self._space, value=loss)
        )

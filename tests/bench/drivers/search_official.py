"""The official local controller: the package `sweeps`."""

from __future__ import annotations

import importlib
import random
import warnings
from typing import Any, List, Mapping


class Client:
    def __init__(self) -> None:
        warnings.simplefilter("ignore")
        self._sweeps, self._numpy = importlib.import_module("sweeps"), importlib.import_module("numpy")

    def begin(self, parameters: Mapping[str, Mapping[str, Any]], seed: int) -> None:
        # It draws from the global generators.
        random.seed(seed)
        self._numpy.random.seed(seed)
        self._config = {"method": "bayes", "metric": {"name": "loss", "goal": "minimize"}, "parameters": parameters}
        self._runs: List[Any] = []

    def propose(self) -> Mapping[str, float]:
        run = self._sweeps.next_run(self._config, self._runs)
        return {name: float(entry["value"]) for name, entry in run.config.items()}

    def tell(self, values: Mapping[str, float], loss: float) -> None:
        config = {name: {"value": value} for name, value in values.items()}
        state = self._sweeps.RunState.finished
        self._runs.append(self._sweeps.SweepRun(config=config, state=state, summaryMetrics={"loss": loss}))

"""The search of this client: by a Gaussian process, or by chance."""

from __future__ import annotations

from typing import Any, List, Mapping

from wandb.sweeps import Checked, Trial, check_config, next_values


class Client:
    method = "bayes"

    def begin(self, parameters: Mapping[str, Mapping[str, Any]], seed: int) -> None:
        self._id = f"study {seed}"
        self._config: Checked = check_config(
            {"method": self.method, "metric": {"name": "loss"}, "parameters": parameters}
        )
        self._trials: List[Trial] = []

    def propose(self) -> Mapping[str, float]:
        values = next_values(self._id, self._config, self._trials)
        assert values is not None
        return {path[0]: value for path, value in values.items()}

    def tell(self, values: Mapping[str, float], loss: float) -> None:
        self._trials.append(Trial({(name,): value for name, value in values.items()}, "finished", (loss,)))

"""Sacred: an observer that logs an experiment as a run.

from wandb.integration.sacred import WandbObserver

experiment.observers.append(WandbObserver(project="digits", name="first"))
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Union

from .._terminal import termwarn
from ..data_types import Image
from ..sdk.artifacts.artifact import Artifact
from ..sdk.wandb_init import init
from ._library import library

_RunObserver: Any = library("sacred.observers", "sacred").RunObserver

__all__ = ["WandbObserver"]


class WandbObserver(_RunObserver):  # type: ignore[misc] # a class of a library that has no types
    """Log an experiment: its configuration, its metrics, its results, the files that it adds.

    The arguments are those of `wandb.init`. A result that is a number becomes `result_N`, a dictionary a row, an image
    an image, and the path of a file an artifact.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.run = init(**kwargs)
        self.resources: List[str] = []

    def started_event(
        self, ex_info: Any, command: Any, host_info: Any, start_time: Any, config: Mapping[str, Any], meta_info: Any,
        _id: Any,
    ) -> Any:  # fmt: skip
        """Put the experiment's configuration into the config."""
        self.run.config.update({**config, "resources": []}, allow_val_change=True)
        return _id

    def completed_event(self, stop_time: Any, result: Any) -> None:
        """Log the result."""
        if result is None:
            return
        for place, one in enumerate(result if isinstance(result, tuple) else (result,)):
            self._log_result(f"result_{place}", one)

    def _log_result(self, name: str, result: Any) -> None:
        if isinstance(result, (int, float)):
            self.run.log({name: float(result)})
        elif isinstance(result, Mapping):
            self.run.log(result)
        elif getattr(result, "ndim", 0) >= 2:
            self.run.log({name: Image(result)})
        elif isinstance(result, (str, Path)) and Path(result).is_file():
            self._log_file(name, result, "result")
        else:
            termwarn(f"WandbObserver: the result {type(result).__name__} is neither a number nor an image nor a file")

    def artifact_event(
        self, name: str, filename: Union[str, Path], metadata: Optional[Dict[str, Any]] = None,
        content_type: Optional[str] = None,
    ) -> None:  # fmt: skip
        """Log a file that the experiment has added."""
        self._log_file(name, filename, content_type or "file", metadata)

    def _log_file(
        self, name: str, path: Union[str, Path], type: str, metadata: Optional[Dict[str, Any]] = None
    ) -> None:
        artifact = Artifact(name, type=type, metadata=metadata)
        artifact.add_file(str(path))
        self.run.log_artifact(artifact)

    def resource_event(self, filename: str) -> None:
        """Note a file that the experiment has opened."""
        if filename not in self.resources:
            self.resources.append(filename)
            self.run.config.update({"resources": list(self.resources)}, allow_val_change=True)

    def log_metrics(self, metrics_by_name: Mapping[str, Mapping[str, Any]], info: Any) -> None:
        """Log what the experiment has logged since the last time, a row each value."""
        for name, metric in metrics_by_name.items():
            for value in metric["values"]:
                self.run.log({name: Image(value) if getattr(value, "ndim", 0) >= 2 else value})

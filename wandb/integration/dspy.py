"""DSPy: the score of each evaluation, what was predicted, and how the program asks.

from wandb.integration.dspy import WandbDSPyCallback

with wandb.init(project="prompts") as run:
    callback = WandbDSPyCallback()
    dspy.settings.callbacks.append(callback)
    best = dspy.MIPROv2(metric).compile(program, trainset=examples)
    callback.log_best_model(best)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Sequence

from .._terminal import termwarn
from ..data_types import Table
from ..sdk.artifacts.artifact import Artifact
from ._library import active_run, library

if TYPE_CHECKING:
    from ..sdk.wandb_run import Run

_dspy = library("dspy")
_BaseCallback: Any = library("dspy.utils.callback", "dspy").BaseCallback

__all__ = ["WandbDSPyCallback"]


class WandbDSPyCallback(_BaseCallback):  # type: ignore[misc] # a class of a library that has no types
    """Log each `dspy.Evaluate` to a run, with its number as the step: `score`, and a row of `program_signature`.

    log_results: log what was predicted as the tables `predictions_0`, `predictions_1` and so on. run: another run than
    the active one. The settings of the first evaluation become the config.

    Raises Error where no run is given and none is active.
    """

    def __init__(self, log_results: bool = True, run: Optional[Run] = None) -> None:
        self.log_results = log_results
        self._run = run or active_run("WandbDSPyCallback()")
        self._program: Dict[str, Any] = {}
        self._signatures: Optional[Table] = None
        self._evaluations = 0

    def on_evaluate_start(self, call_id: str, instance: Any, inputs: Mapping[str, Any]) -> None:
        """Note how the program asks."""
        if self._evaluations == 0:
            settings = {name: value for name, value in vars(instance).items() if name[:1] != "_" and name != "devset"}
            self._run.config.update(settings, allow_val_change=True)
        if inputs.get("program") is not None:
            self._program = _signature(inputs["program"])

    def on_evaluate_end(self, call_id: str, outputs: Optional[Any], exception: Optional[BaseException] = None) -> None:
        """Log the score and the predictions."""
        score = None
        if exception is not None:
            termwarn(f"WandbDSPyCallback: an evaluation without a score, it raised {exception!r}")
        elif not hasattr(outputs, "score") or not hasattr(outputs, "results"):
            termwarn(f"WandbDSPyCallback: an evaluation without a score, it returned a {type(outputs).__name__}")
        else:
            assert outputs is not None
            score = float(outputs.score)
            self._run.log({"score": score}, step=self._evaluations)
            if self.log_results and outputs.results:
                predictions = _table([_prediction(*result) for result in outputs.results])
                self._run.log({f"predictions_{self._evaluations}": predictions}, step=self._evaluations)
        self._log_signature(score)
        self._evaluations += 1

    def _log_signature(self, score: Optional[float]) -> None:
        row = {"step": self._evaluations, **self._program, "score": score}
        if self._signatures is None:
            self._signatures = Table(columns=list(row), log_mode="INCREMENTAL")
        self._signatures.add_data(*(row.get(str(name)) for name in self._signatures.columns))
        self._run.log({"program_signature": self._signatures}, step=self._evaluations)

    def log_best_model(
        self,
        model: Any,
        *,
        save_program: bool = True,
        save_dir: Optional[str] = None,
        filetype: str = "json",
        aliases: Sequence[str] = ("best", "latest"),
        artifact_name: str = "dspy-program",
    ) -> None:
        """Log a program as a version of the model `NAME-RUN`: whole, or its state alone, as "json" or "pkl".

        save_dir: where it is written before, without one in the run's own folder.
        """
        about = {
            "dspy_version": str(getattr(_dspy, "__version__", "unknown")), "module_class": type(model).__name__,
            **_signature(model),
        }  # fmt: skip
        artifact = Artifact(f"{artifact_name}-{self._run.id}", type="model", metadata=about)
        folder = save_dir or os.path.join(self._run.dir, "dspy_program")
        os.makedirs(folder, exist_ok=True)
        if save_program:
            model.save(folder, save_program=True)
            artifact.add_dir(folder)
        else:
            path = os.path.join(folder, f"program.{filetype}")
            model.save(path, save_program=False)
            artifact.add_file(path)
        self._run.log_artifact(artifact, aliases=list(aliases))


def _signature(program: Any) -> Dict[str, Any]:
    """What the first predictor of a program asks for: `signature`, `instructions`, `input_fields.NAME`, and so on."""
    predictor = next((one for _, one in program.named_parameters() if isinstance(one, _dspy.Predict)), None)
    if predictor is None:
        return {}
    asked = predictor.signature
    return {
        "signature": asked.signature,
        "instructions": asked.instructions,
        **{f"input_fields.{name}": str(field) for name, field in asked.input_fields.items()},
        **{f"output_fields.{name}": str(field) for name, field in asked.output_fields.items()},
    }


def _prediction(example: Any, predicted: Any, is_correct: Any) -> Dict[str, Any]:
    fields = predicted.toDict() if hasattr(predicted, "toDict") else dict(predicted.items())
    found = _flat({"example": example.toDict(), "prediction": fields})
    found["is_correct"] = is_correct
    return found


def _flat(values: Mapping[str, Any], prefix: str = "") -> Dict[str, Any]:
    """Nested dictionaries as one, with paths as names.

    >>> _flat({"example": {"question": "?"}})
    {'example.question': '?'}
    """
    found: Dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found.update(_flat(value, f"{prefix}{name}."))
        else:
            found[f"{prefix}{name}"] = value
    return found


def _table(rows: Iterable[Mapping[str, Any]]) -> Table:
    rows = list(rows)
    columns: List[str] = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(columns=columns, log_mode="IMMUTABLE")
    for row in rows:
        table.add_data(*(row.get(name) for name in columns))
    return table

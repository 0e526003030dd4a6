"""What scripts log beside plain floats, and what they do to the config: one call of each kind for a number."""

from __future__ import annotations

import importlib
import sys
import time
from array import array
from typing import Any, Callable, Dict, Tuple

from ._client import LogCall, metric_names
from ._jobs import summarize

Make = Callable[[int], Any]


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _rows() -> Dict[str, Make]:
    ten, hundred = metric_names(10), metric_names(100)
    kinds: Dict[str, Make] = {
        "10 floats": lambda number: dict.fromkeys(ten, number * 0.1),
        "100 floats": lambda number: dict.fromkeys(hundred, number * 0.1),
        "3 numbers in nested dictionaries": lambda number: {"a": {"b": number * 0.1, "c": {"d": number}}, "loss": 0.1},
        "10 numbers in nested dictionaries": lambda number: {
            "train": {"loss": number * 0.1, "accuracy": {"top1": 0.5, "top5": 0.9, "classes": {"cat": 1, "dog": 2}}},
            "val": {"loss": number * 0.2, "accuracy": {"top1": 0.4, "top5": 0.8}},
            "lr": 0.1,
            "epoch": number,
        },
        "a string": lambda number: {"phase": f"epoch {number}", "loss": 0.1},
        "10 keys, explicit step": lambda number: (dict.fromkeys(ten, number * 0.1), number),
    }
    numpy, torch = _library("numpy"), _library("torch")
    if numpy is not None:
        kinds["10 NumPy scalars"] = lambda number: {key: numpy.float32(number) for key in ten}
        values = numpy.arange(1000.0)
        kinds["an array of 1,000"] = lambda number: {"weights": values}
    if torch is not None:
        kinds["10 PyTorch scalars"] = lambda number: dict(zip(ten, torch.full((10,), number * 0.1)))
    return kinds


def measure(log: LogCall, config: Any, calls: int, libraries: str) -> Dict[str, Any]:
    """Durations of each kind of call, by its name. `libraries`: where NumPy and PyTorch are."""
    sys.path += [libraries] if libraries else []  # behind everything that the client's own environment has
    results = {name: summarize(_time(_caller(log), make, calls)) for name, make in _rows().items()}
    results["config.update of 5 keys"] = summarize(
        _time(
            lambda values: config.update(values, allow_val_change=True),
            lambda number: {"a": number, "b": number, "c": f"x{number}", "d": {"e": number}, "f": 1.5},
            calls,
        )
    )
    return results


def _caller(log: LogCall) -> Callable[[Any], object]:
    def call(row: Any) -> object:
        if isinstance(row, tuple):
            values: Tuple[Any, int] = row
            return log(values[0], step=values[1] + 1_000_000)  # type: ignore[call-arg]
        return log(row)

    return call


def _time(call: Callable[[Any], object], make: Make, calls: int) -> array[int]:
    clock, durations = time.perf_counter_ns, array("q")
    for number in range(calls):
        argument = make(number)
        start = clock()
        call(argument)
        durations.append(clock() - start)
    return durations

"""`run.watch`: histograms of a PyTorch model's gradients and parameters, every so many steps, and its graph, once.

Hooks stand on each parameter that takes gradients, and on the model's `forward`. Most of their calls count to
`log_freq` and return. The histogram is computed where the tensor is, so that a few dozen numbers leave the device, and
of a sample where the tensor is large. What it takes is measured, and said where it holds up the training.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from .._histogram import histogram
from .._tensors import array_of
from .._terminal import termwarn
from ..errors import UsageError

_KINDS = ("gradients", "parameters", "all", None)
BINS = 64
# Of a larger tensor, evenly spaced elements are counted: its histogram looks the same.
_ELEMENTS_MAX = 1 << 20
# When watching takes this part of the time since it began, the user is told, once; not for the first seconds.
_NOTABLE_SHARE = 0.1
_NOTABLE_AFTER_SECONDS = 10.0

LogPart = Callable[[Dict[str, Any]], None]


class Watches:
    """The models that one run watches."""

    def __init__(self, log: LogPart, summarize: LogPart) -> None:
        self._log = log
        self._summarize = summarize
        self.row: Optional[int] = None  # the step of the last row that a histogram has begun
        self._models: Dict[int, List[Any]] = {}  # id of the model -> handles of its hooks
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self.seconds = 0.0  # that watching has taken
        self._told = False
        self._gradients: Dict[str, Any] = {}  # of the backward pass that goes on
        self._collecting = False  # whether PyTorch will say when it has ended

    def watch(
        self,
        models: Union[Any, Sequence[Any]],
        log: Optional[str],
        log_freq: int,
        idx: Optional[int],
        log_graph: bool = False,
    ) -> None:
        """Hook the models. Raises UsageError for what can't be watched, or is already."""
        if log not in _KINDS:
            raise UsageError(f"watch: log is gradients, parameters, all or None, not {log!r}")
        if not isinstance(log_freq, int) or log_freq < 1:
            raise UsageError(f"watch: log_freq is a whole number of steps, not {log_freq!r}")
        for place, model in enumerate(_several(models), idx or 0):
            if not hasattr(model, "named_parameters") or not hasattr(model, "register_forward_hook"):
                raise UsageError(f"watch: {type(model).__name__} is no PyTorch module")
            if id(model) in self._models:
                raise UsageError(f"watch: this {type(model).__name__} is watched already; call unwatch first")
            prefix = f"graph_{place}" if place else ""
            handles: List[Any] = []
            if log in ("gradients", "all"):
                handles += self._hook_gradients(model, prefix, log_freq)
            if log in ("parameters", "all"):
                handles.append(self._hook_parameters(model, prefix, log_freq))
            if log_graph:
                handles.append(self._hook_graph(model, f"graph_{place}"))
            self._models[id(model)] = handles

    def enter_child(self) -> None:
        """In a forked child, where the parent's thread that may hold the lock is not."""
        self._lock = threading.Lock()

    def unwatch(self, models: Union[None, Any, Sequence[Any]] = None) -> None:
        """Take the hooks away again, of all models or of these."""
        chosen = list(self._models) if models is None else [id(model) for model in _several(models)]
        for key in chosen:
            for handle in self._models.pop(key, ()):
                handle.remove()

    def _hook_graph(self, model: Any, key: str) -> Any:
        from ..integration.torch._graph import TorchGraph

        return TorchGraph.following(model, lambda graph: self._summarize({key: graph}))

    def _hook_gradients(self, model: Any, prefix: str, log_freq: int) -> List[Any]:
        return [
            parameter.register_hook(self._gradient_hook(f"gradients/{prefix}{name}", log_freq))
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        ]

    def _gradient_hook(self, key: str, log_freq: int) -> Callable[[Any], None]:
        calls = 0

        def hook(gradient: Any) -> None:
            nonlocal calls
            calls += 1
            if calls >= log_freq:
                calls = 0
                self._record_gradient(key, gradient)

        return hook

    def _hook_parameters(self, model: Any, prefix: str, log_freq: int) -> Any:
        calls = 0

        def hook(module: Any, inputs: Any, output: Any) -> None:
            nonlocal calls
            if not module.training:
                return
            calls += 1
            if calls >= log_freq:
                calls = 0
                named = module.named_parameters()
                self._record({f"parameters/{prefix}{name}": parameter for name, parameter in named})

        return model.register_forward_hook(hook)

    def _record_gradient(self, key: str, gradient: Any) -> None:
        """Gradients of one backward pass are logged together, when it has ended."""
        if not self._gradients:
            with contextlib.suppress(Exception):  # what PyTorch has for its own parts; without it each goes alone
                engine = importlib.import_module("torch.autograd").Variable._execution_engine
                engine.queue_callback(self._log_gradients)
                self._collecting = True
        self._gradients[key] = gradient
        if not self._collecting:
            self._log_gradients()

    def _log_gradients(self) -> None:
        gradients, self._gradients, self._collecting = self._gradients, {}, False
        self._record(gradients)

    def _record(self, tensors: Dict[str, Any]) -> None:
        """Log the histograms of tensors with the next row. Nothing that goes wrong here may end a backward pass."""
        start = time.perf_counter()
        try:
            self._log(tensor_histograms(tensors))
        except Exception as error:
            termwarn(f"watch: a histogram could not be logged ({type(error).__name__}: {error})", repeat=False)
        with self._lock:
            self.seconds += time.perf_counter() - start
            elapsed = time.monotonic() - self._began
            tell = not self._told and elapsed > _NOTABLE_AFTER_SECONDS and self.seconds > _NOTABLE_SHARE * elapsed
            self._told = self._told or tell
        if tell:
            termwarn(
                f"watch has taken {self.seconds:.1f} s of the {elapsed:.0f} s since it began; "
                "raise log_freq, or watch fewer models"
            )


def tensor_histogram(tensor: Any) -> Optional[Dict[str, Any]]:
    """The histogram of a tensor's finite values; None where it has none."""
    return tensor_histograms({"": tensor}).get("")


def tensor_histograms(tensors: Mapping[str, Any]) -> Dict[str, Dict[str, Any]]:
    """The histograms of tensors' finite values, without those of tensors that have none."""
    found: Dict[str, Optional[Dict[str, Any]]] = dict.fromkeys(tensors)
    elsewhere: Dict[Any, Dict[str, Any]] = {}  # device -> its tensors
    for key, tensor in tensors.items():
        values = tensor.detach() if tensor.requires_grad else tensor
        if values.is_sparse:
            values = values.coalesce().values()
        if values.device.type == "cpu":
            found[key] = _array_histogram(array_of(values))
        else:
            elsewhere.setdefault(values.device, {})[key] = _thinned(values.reshape(-1))
    for group in elsewhere.values():
        found.update(_device_histograms(group))
    return {key: value for key, value in found.items() if value is not None}


def _device_histograms(tensors: Mapping[str, Any]) -> Dict[str, Optional[Dict[str, Any]]]:
    """The histograms of flat tensors that live on one device."""
    from .._device_histogram import count_on_device

    try:
        counted = count_on_device(list(tensors.values()), BINS)
    except RuntimeError:  # not every device can count, and `torch.use_deterministic_algorithms` forbids it
        return {key: _array_histogram(array_of(tensor)) for key, tensor in tensors.items()}
    return {key: None if one is None else one.as_histogram() for key, one in zip(tensors, counted)}


def _array_histogram(array: Any) -> Optional[Dict[str, Any]]:
    """The histogram of an array's finite values. NumPy's few passes take a fraction of what PyTorch's histc takes on
    the CPU."""
    flat = _thinned(array.reshape(-1))
    counted = histogram(flat, "watch", BINS)
    numbers = counted["values"]
    taken = len(numbers) - numbers.count(0)
    if taken == 1 and len(numbers) == BINS:
        # All are equal: otherwise the least one is in the first bin, and the greatest in the last.
        value = float(flat[abs(flat) < math.inf][0])
        return {"_type": "histogram", "values": [max(numbers)], "bins": [value, value]}
    return counted if taken else None


def _thinned(values: Any) -> Any:
    """All elements of a flat tensor or array, or some."""
    count = values.shape[0]
    return values if count <= _ELEMENTS_MAX else values[:: -(-count // _ELEMENTS_MAX)]


def _several(models: Any) -> List[Any]:
    return list(models) if isinstance(models, (list, tuple)) else [models]

"""What callers of older clients find of PyTorch: hooks for histograms, set one by one, and the graph of a model.

`run.watch` does all of it at once, and measures what it takes.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ...errors import UsageError
from ...sdk._watch import tensor_histogram
from .._library import active_run, library
from ._graph import TorchGraph
from ._graph import shape_of as nested_shape

torch: Any = library("torch")

__all__ = ["TorchGraph", "TorchHistory", "nested_shape", "torch"]


class TorchHistory:
    """Hooks that log histograms of a module's tensors to the active run, every `log_freq` steps, with its next row."""

    def __init__(self) -> None:
        self._handles: Dict[str, Any] = {}

    def add_log_parameters_hook(self, module: Any, name: str = "", prefix: str = "", log_freq: int = 0) -> None:
        """Log the parameters, as `parameters/PREFIX+NAME+PARAMETER`, after every so many forward passes."""
        before = f"parameters/{prefix}{name}"

        def log() -> None:
            for parameter_name, parameter in module.named_parameters():
                self.log_tensor_stats(parameter, f"{before}{parameter_name}")

        due = _every(log_freq)
        self._keep(before, module.register_forward_hook(lambda *_: log() if due() else None))

    def add_log_gradients_hook(self, module: Any, name: str = "", prefix: str = "", log_freq: int = 0) -> None:
        """Log the gradients, as `gradients/PREFIX+NAME+PARAMETER`, in every so many backward passes."""
        for parameter_name, parameter in module.named_parameters():
            if parameter.requires_grad:
                key = f"gradients/{prefix}{name}{parameter_name}"
                self._keep(key, parameter.register_hook(self._gradient_hook(key, log_freq)))

    def _gradient_hook(self, key: str, log_freq: int) -> Callable[[Any], None]:
        due = _every(log_freq)

        def hook(gradient: Any) -> None:
            if due():
                self.log_tensor_stats(gradient, key)

        return hook

    def log_tensor_stats(self, tensor: Any, name: str) -> None:
        """Log the histogram of a tensor, or of several in a list, with the next row. Raises TypeError for anything
        else."""
        if isinstance(tensor, (list, tuple)):
            tensor = torch.cat([one.detach().reshape(-1) for one in _flat(tensor)])
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"{name}: a tensor is expected, not {type(tensor).__name__}")
        histogram = tensor_histogram(tensor)
        if histogram is not None:
            active_run("log_tensor_stats()").log({name: histogram}, commit=False)

    def unhook(self, name: str) -> None:
        """Take away the hook of a name."""
        self._handles.pop(name).remove()

    def unhook_all(self) -> None:
        """Take away all hooks."""
        for name in list(self._handles):
            self.unhook(name)

    def hook_torch(self, model: Any, criterion: Any = None, graph_idx: int = 0) -> TorchGraph:
        """The graph of a model: `TorchGraph.hook_torch`."""
        return TorchGraph.hook_torch(model, criterion, graph_idx)

    def _keep(self, name: str, handle: Any) -> None:
        if name in self._handles:
            handle.remove()
            raise UsageError(f"there is a hook for {name} already; take it away with unhook({name!r})")
        self._handles[name] = handle


def _flat(tensors: Any) -> List[Any]:
    found: List[Any] = []
    for one in tensors:
        found += _flat(one) if isinstance(one, (list, tuple)) else [one]
    return found


def _every(count: int) -> Callable[[], bool]:
    calls = 0

    def due() -> bool:
        nonlocal calls
        calls += 1
        if calls < count:
            return False
        calls = 0
        return True

    return due

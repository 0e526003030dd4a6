"""The graph of a PyTorch model: its layers in the order in which they run, and what flows from which into which.

Hooks stand on the layers for one forward pass. Which layer's output reaches which is read from the functions that
PyTorch keeps for the backward pass, so additions and skips between layers are seen. Without gradients there is no such
record, and each layer is taken to follow the one before.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from ..._terminal import termwarn
from ...data_types import Graph
from ...data_types._graph import Node

# Layers of these are layers of the model: they are passed through.
_CONTAINERS = frozenset({"Container", "ModuleDict", "ModuleList", "Sequential"})
# Around a model that runs in several places.
_WRAPPERS = frozenset({"DataParallel", "DistributedDataParallel"})
# So many functions between two layers are looked at, and so many layers are drawn.
_FUNCTIONS_MAX = 10_000
_LAYERS_MAX = 1_000


def layers_of(model: Any, before: str = "") -> Iterator[Tuple[str, Any]]:
    """(name, module) of a model's layers: its children, and those of containers in it."""
    for name, child in model.named_children():
        if type(child).__name__ in _CONTAINERS:
            yield from layers_of(child, f"{before}{name}.")
        else:
            yield f"{before}{name}", child


def shape_of(value: Any) -> Any:
    """The shape of a tensor, in lists that are nested like the tuples, lists and dictionaries that hold it."""
    if hasattr(value, "shape"):
        return list(value.shape)
    if isinstance(value, dict):
        return [shape_of(one) for one in value.values()]
    return [shape_of(one) for one in value] if isinstance(value, (list, tuple)) else []


class TorchGraph(Graph):
    """The graph of a PyTorch model, which fills in the model's next forward pass.

    nodes: a layer each, with its parameters and the shape of what it puts out. Its id is the layer's name in the model.
    """

    def __init__(self) -> None:
        super().__init__("torch")
        self._handles: List[Any] = []
        self._functions: Dict[Any, Node] = {}  # what computed a layer's output -> the layer
        self._complete: Callable[[TorchGraph], None] = lambda graph: None

    @classmethod
    def hook_torch(cls, model: Any, criterion: Any = None, graph_idx: int = 0) -> TorchGraph:
        """The graph of a model, which is logged to the active run's summary as `graph_N` when it is known.

        `criterion` is accepted for callers of other clients.
        """
        from .._library import active_run

        run = active_run("hook_torch()")
        return cls.following(model, lambda graph: run.summary.update({f"graph_{graph_idx}": graph}))

    @classmethod
    def following(cls, model: Any, complete: Callable[[TorchGraph], None]) -> TorchGraph:
        """The graph of a model; `complete` is called with it at the end of the model's next forward pass."""
        graph = cls()
        graph._complete = complete
        inner = model.module if type(model).__name__ in _WRAPPERS else model
        layers = list(layers_of(inner)) or [("", inner)]
        if len(layers) > _LAYERS_MAX:
            termwarn(f"watch: of {len(layers)} layers the first {_LAYERS_MAX} are drawn", repeat=False)
        for name, layer in layers[:_LAYERS_MAX]:
            graph._handles.append(layer.register_forward_hook(graph._layer_hook(name)))
        graph._handles.append(inner.register_forward_hook(graph._model_hook))
        return graph

    def remove(self) -> None:
        """Follow the model no more."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._functions = {}

    def _layer_hook(self, name: str) -> Callable[[Any, Any, Any], None]:
        def hook(layer: Any, inputs: Any, output: Any) -> None:
            try:
                self._add(name, layer, inputs, output)
            except Exception as error:
                self._give_up(error)

        return hook

    def _model_hook(self, model: Any, inputs: Any, output: Any) -> None:
        try:
            self.remove()
            self._complete(self)
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """A graph is no reason to end a training."""
        self.remove()
        termwarn(f"watch: the graph of a model can't be recorded ({type(error).__name__}: {error})", repeat=False)

    def _add(self, name: str, layer: Any, inputs: Any, output: Any) -> None:
        node = self.nodes_by_id.get(name)
        if node is None:
            parameters = [(key, list(one.shape)) for key, one in layer.named_parameters()]
            node = self.add_node(
                id=name,
                name=name,
                class_name=str(layer),
                output_shape=shape_of(output if isinstance(output, tuple) else (output,)),
                parameters=parameters,
            )
            node.num_parameters = [one.numel() for one in layer.parameters()]  # type: ignore[assignment]
        for source in self._sources(inputs, node):
            if node.id not in source.out_edges:
                self.add_edge(source, node)
        for tensor in _tensors(output):
            if tensor.grad_fn is not None:
                self._functions[tensor.grad_fn] = node

    def _sources(self, inputs: Any, node: Node) -> List[Node]:
        """The layers whose output has reached these inputs."""
        tensors = list(_tensors(inputs))
        if not any(tensor.requires_grad for tensor in tensors):
            before = self.nodes[-2:-1]  # of the layer that was added just now
            # An input that no layer has computed, or a pass without gradients.
            return before if before and not self._functions else []
        found: Dict[int, Node] = {}
        waiting = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
        seen: Set[Any] = set()
        while waiting and len(seen) < _FUNCTIONS_MAX:
            function = waiting.pop()
            if function in seen:
                continue
            seen.add(function)
            source: Optional[Node] = self._functions.get(function)
            if source is not None and source is not node:
                found[id(source)] = source
            else:
                waiting += [one for one, _ in function.next_functions if one is not None]
        return list(found.values())


def _tensors(value: Any) -> Iterator[Any]:
    if hasattr(value, "grad_fn"):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _tensors(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _tensors(one)

"""Graphs of models: nodes and edges."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Tuple

from ..errors import DataError
from ._base import Media, WBValue
from ._content import Content
from ._json import dump_media_json
from ._plotly import as_lists
from ._sink import Json


class Node(WBValue):
    """A node of a `Graph`: an operation, or a layer of a model.

    >>> from wandb.data_types import Node
    >>> Node(id="conv1", name="conv1", class_name="Conv2D", num_parameters=896).num_parameters
    896

    `id` is unique in the graph. What isn't given is None.
    """

    # In the order in which they are written down.
    _WRITTEN = (
        "name", "id", "class_name", "size", "parameters", "output_shape", "is_output", "num_parameters", "functions",
        "child_parameters", "is_constant",
    )  # fmt: skip

    id: Any = None
    name: Optional[str] = None
    class_name: Optional[str] = None
    size: Optional[Tuple[int, ...]] = None
    parameters: Any = None
    output_shape: Any = None
    is_output: Optional[bool] = None
    num_parameters: Optional[int] = None
    functions: Any = None
    child_parameters: Any = None
    is_constant: Optional[bool] = None

    def __init__(
        self,
        id: Optional[Any] = None,
        name: Optional[str] = None,
        class_name: Optional[str] = None,
        size: Optional[Any] = None,
        parameters: Optional[Any] = None,
        output_shape: Optional[Any] = None,
        is_output: Optional[bool] = None,
        num_parameters: Optional[int] = None,
        node: Optional[Node] = None,
    ) -> None:
        super().__init__()
        self.id, self.name, self.class_name = id, name, class_name
        self.size = None if size is None else tuple(size)
        self.parameters, self.output_shape = parameters, output_shape
        self.is_output, self.num_parameters = is_output, num_parameters
        self.in_edges: Dict[Any, Edge] = {}  # by the id of the node where they begin
        self.out_edges: Dict[Any, Edge] = {}  # by the id of the node where they end
        self.obj: Any = None  # what the node stands for
        if node is not None:
            self.obj = node.obj
            for attribute in self._WRITTEN:
                if attribute != "id" and getattr(self, attribute) is None:
                    setattr(self, attribute, getattr(node, attribute))

    def to_json(self, run_or_artifact: Any = None) -> Json:
        """What is known of the node."""
        known = ((attribute, getattr(self, attribute)) for attribute in self._WRITTEN)
        return {attribute: value for attribute, value in known if value is not None or attribute == "name"}

    @classmethod
    def from_keras(cls, layer: Any) -> Node:
        """A layer of a Keras model."""
        shape = getattr(layer, "output_shape", None)
        if shape is None:
            shape = getattr(getattr(layer, "output", None), "shape", ["multiple"])
        return cls(
            id=layer.name,
            name=layer.name,
            class_name=type(layer).__name__,
            output_shape=shape,
            num_parameters=layer.count_params(),
        )

    def __repr__(self) -> str:
        return f"Node({self.to_json()!r})"


class Edge(WBValue):
    """An edge of a `Graph`, from one node to another."""

    def __init__(self, from_node: Node, to_node: Node) -> None:
        super().__init__()
        self.from_node, self.to_node = from_node, to_node
        self.name: Optional[str] = None

    def to_json(self, run_or_artifact: Any = None) -> Any:
        """The ids of the two."""
        return [self.from_node.id, self.to_node.id]

    def __repr__(self) -> str:
        first, last = self.to_json()
        return f"Edge({first!r}, {last!r})"


class Graph(Media):
    """A graph: the layers of a model and what flows between them.

    >>> import wandb
    >>> graph = wandb.Graph()
    >>> first = graph.add_node(id="input", class_name="Input")
    >>> last = graph.add_node(id="dense", class_name="Dense", num_parameters=650)
    >>> graph.add_edge(first, last)
    Edge('input', 'dense')

    format: how dashboards draw it.
    """

    _log_type = "graph-file"
    _folder = "media/graph"

    def __init__(self, format: str = "keras") -> None:
        super().__init__()
        self.format = format
        self.nodes: List[Node] = []
        self.nodes_by_id: Dict[Any, Node] = {}
        self.edges: List[Edge] = []
        self.loaded = False
        self.criterion: Any = None
        self.criterion_passed = False
        self.root: Optional[Node] = None

    def __getitem__(self, nid: Any) -> Node:
        return self.nodes_by_id[nid]

    def add_node(self, node: Optional[Node] = None, **node_kwargs: Any) -> Node:
        """Add a node, or one of these attributes; return it."""
        if node is None:
            node = Node(**node_kwargs)
        elif node_kwargs:
            raise DataError(f"add_node: pass a node or attributes of one, not both: {node!r}, {node_kwargs}")
        self.nodes.append(node)
        self.nodes_by_id[node.id] = node
        return node

    def pprint(self) -> None:
        """Print the edges and the nodes."""
        for one in (*self.edges, *self.nodes):
            print(one)  # noqa: T201  which is what it is for

    def add_edge(self, from_node: Node, to_node: Node) -> Edge:
        """Add an edge between two nodes; return it."""
        edge = Edge(from_node, to_node)
        self.edges.append(edge)
        from_node.out_edges[to_node.id] = edge
        to_node.in_edges[from_node.id] = edge
        return edge

    @classmethod
    def from_keras(cls, model: Any) -> Graph:
        """The graph of a Keras model: its layers, and which gets its input from which."""
        graph = cls()
        for layer in model.layers:
            graph.add_node(Node.from_keras(layer))
        for first, last in _keras_edges(model):
            if first in graph.nodes_by_id:
                graph.add_edge(graph[first], graph[last])
        return graph

    def _ready_content(self) -> Content:
        data = {
            "format": self.format,
            "nodes": [node.to_json() for node in self.nodes],
            "edges": [edge.to_json() for edge in self.edges],
        }
        self._content = Content.of_bytes(dump_media_json(as_lists(data), "wandb.Graph"), ".graph.json")
        return self._content


def _keras_edges(model: Any) -> Iterator[Tuple[str, str]]:
    for layer in model.layers:
        for node in getattr(layer, "_inbound_nodes", ()):
            operations = getattr(node, "parent_nodes", None)  # Keras 3
            if operations is not None:
                yield from ((parent.operation.name, layer.name) for parent in operations)
                continue
            inbound = getattr(node, "inbound_layers", ())
            for one in inbound if isinstance(inbound, (list, tuple)) else (inbound,):
                yield one.name, layer.name

"""Graphs, under the name that libraries import."""

from ...data_types._graph import Edge as Edge
from ...data_types._graph import Graph as Graph
from ...data_types._graph import Node as Node

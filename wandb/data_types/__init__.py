"""Media, tables, charts: what can be logged beside numbers, and stored in artifacts.

>>> from wandb.data_types import Histogram
>>> Histogram([1.0, 2.0]).MAX_LENGTH
512

The classes are loaded when they are first used, and the libraries that some of them need (NumPy, Pillow, soundfile, …)
when a value needs them. `_base` says what all values have in common, `_sink` where their bytes go, `_limits` how large
they may be.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, List

from ._base import BatchableMedia, Media, WBValue

if TYPE_CHECKING:
    from ._audio import Audio
    from ._bokeh import Bokeh
    from ._box3d import box3d
    from ._boxes import BoundingBoxes2D
    from ._classes import Classes
    from ._eval_table import EvalTable
    from ._graph import Edge, Graph, Node
    from ._histogram import Histogram
    from ._html import Html
    from ._image import Image
    from ._joined_table import JoinedTable
    from ._json_metadata import JSONMetadata
    from ._mask import ImageMask
    from ._molecule import Molecule
    from ._object3d import Object3D
    from ._partitioned_table import PartitionedTable
    from ._plotly import Plotly
    from ._table import Table
    from ._trace_tree import WBTraceTree
    from ._video import Video

__all__ = [
    "Audio",
    "BatchableMedia",
    "Bokeh",
    "BoundingBoxes2D",
    "Classes",
    "Edge",
    "EvalTable",
    "Graph",
    "Histogram",
    "Html",
    "Image",
    "ImageMask",
    "JSONMetadata",
    "JoinedTable",
    "Media",
    "Molecule",
    "Node",
    "Object3D",
    "PartitionedTable",
    "Plotly",
    "Table",
    "Video",
    "WBTraceTree",
    "WBValue",
    "box3d",
]

# In which module of this package the classes are.
HOMES = {
    "Audio": "_audio",
    "Bokeh": "_bokeh",
    "BoundingBoxes2D": "_boxes",
    "Classes": "_classes",
    "Edge": "_graph",
    "EvalTable": "_eval_table",
    "Graph": "_graph",
    "Histogram": "_histogram",
    "Html": "_html",
    "Image": "_image",
    "ImageMask": "_mask",
    "JSONMetadata": "_json_metadata",
    "JoinedTable": "_joined_table",
    "Molecule": "_molecule",
    "Node": "_graph",
    "Object3D": "_object3d",
    "PartitionedTable": "_partitioned_table",
    "Plotly": "_plotly",
    "Table": "_table",
    "Video": "_video",
    "WBTraceTree": "_trace_tree",
    "box3d": "_box3d",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        home = HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(f".{home}", __name__), name)
        return value


def __dir__() -> List[str]:
    return sorted({*globals(), *HOMES})

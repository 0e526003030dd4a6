"""What the official client shows of its media: names and parameters. Run with its Python, it prints the list of them.

python tests/data_types/media_surface.py > tests/data_types/official_surface.json
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any, Dict, List, Optional

# What other packages import.
PATHS = (
    "wandb.sdk.data_types.image.Image",
    "wandb.sdk.data_types.video.Video",
    "wandb.sdk.data_types.base_types.wb_value.WBValue",
    "wandb.sdk.data_types.base_types.media.Media",
    "wandb.sdk.data_types.base_types.json_metadata.JSONMetadata",
    "wandb.sdk.data_types.trace_tree.Trace",
    "wandb.sdk.data_types.trace_tree.WBTraceTree",
    "wandb.sdk.data_types.helper_types.bounding_boxes_2d.BoundingBoxes2D",
    "wandb.sdk.data_types.helper_types.classes.Classes",
    "wandb.sdk.data_types.helper_types.image_mask.ImageMask",
    "wandb.sdk.data_types.audio.Audio",
    "wandb.sdk.data_types.bokeh.Bokeh",
    "wandb.sdk.data_types.graph.Graph",
    "wandb.sdk.data_types.histogram.Histogram",
    "wandb.sdk.data_types.html.Html",
    "wandb.sdk.data_types.molecule.Molecule",
    "wandb.sdk.data_types.object_3d.box3d",
    "wandb.sdk.data_types.plotly.Plotly",
    "wandb.sdk.data_types.table.Table",
    "wandb.sdk.data_types.eval_table.EvalTable",
    "wandb.plot.custom_chart.CustomChart",
    "wandb.plot.viz.Visualize",
)


def members(kind: Any) -> Dict[str, Optional[List[str]]]:
    """The public members of a class and its constructor: parameters of methods, None for other values."""
    names = [name for name in dir(kind) if not name.startswith("_")] + ["__init__"]
    return {name: parameters(inspect.getattr_static(kind, name)) for name in names}


def parameters(value: Any) -> Optional[List[str]]:
    if isinstance(value, (classmethod, staticmethod)):
        value = value.__func__
    if not callable(value):
        return None
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    try:
        found = inspect.signature(value).parameters.values()
    except ValueError:
        return None
    return sorted(one.name for one in found if one.kind not in kinds and one.name not in ("self", "cls"))


def surface() -> Dict[str, Dict[str, Optional[List[str]]]]:
    import wandb
    from wandb import data_types, plot
    from wandb.sdk.data_types import trace_tree

    result = {
        name: members(getattr(data_types, name))
        for name in data_types.__all__
        if inspect.isclass(getattr(data_types, name))
    }
    result["Trace"] = members(trace_tree.Trace)
    result["Span"] = members(trace_tree.Span)
    result["plot"] = {name: parameters(getattr(plot, name)) for name in plot.__all__}
    result["wandb"] = {name: parameters(getattr(wandb, name)) for name in ("box3d", "plot_table")}
    return result


if __name__ == "__main__":
    json.dump(surface(), sys.stdout, indent=1, sort_keys=True)
    print()

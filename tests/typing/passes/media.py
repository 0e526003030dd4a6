"""Media, tables and charts as users write them."""

from __future__ import annotations

from typing import Any, Dict, List

import wandb
from wandb.data_types import BoundingBoxes2D, WBValue
from wandb.sdk.data_types.trace_tree import Trace


def log_media(pixels: Any, samples: Any) -> List[WBValue]:
    image = wandb.Image(
        pixels,
        caption="a caption",
        boxes={"found": {"box_data": [], "class_labels": {0: "car"}}},
        classes=wandb.Classes([{"id": 0, "name": "car"}]),
    )
    layered = wandb.Image("x.png", boxes={"found": BoundingBoxes2D({"box_data": []}, "found")})
    box = wandb.box3d(center=(0, 0, 0), size=(1, 1, 1), orientation=(1, 0, 0, 0), color=(1, 2, 3))
    cloud = wandb.Object3D.from_point_cloud(points=[(0.0, 1.0, 2.0)], boxes=[box])
    media: List[WBValue] = [
        image,
        layered,
        cloud,
        wandb.Audio(samples, sample_rate=8000),
        wandb.Video(pixels, fps=4, format="gif"),
        wandb.Html("<p>x"),
        wandb.Histogram([1.0, 2.0], num_bins=2),
    ]
    with wandb.init(mode="offline") as run:
        run.log({"media": media, "one": image, "nested": {"page": wandb.Html("x", inject=False)}})
        run.summary["best"] = image
    return media


def log_tables() -> float:
    table = wandb.Table(columns=["a", "b"], data=[[1, 2.0]], log_mode="MUTABLE")
    table.add_data(2, 3.0)
    table.add_column("c", ["x", "y"])
    table.add_computed_columns(lambda index, row: {"sum": row["a"] + row["b"]})
    rows: List[List[Any]] = [row for _, row in table.iterrows()]
    chart = wandb.plot.line(table, x="a", y="b", title="t")
    matrix = wandb.plot.confusion_matrix(y_true=[0, 1], preds=[0, 1], class_names=["no", "yes"])
    wandb.log({"table": table, "chart": chart, "matrix": matrix, "own": wandb.plot_table("me/spec", table, {"x": "a"})})
    found: Dict[str, Any] = wandb.Histogram([1, 2]).to_json()
    return float(len(rows) + len(found))


Trace(name="answer", kind="llm", inputs={"q": 1}).add_metadata({"k": "v"}).log("trace")

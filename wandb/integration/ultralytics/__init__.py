"""Ultralytics: tables of what a model sees beside what is there, and its checkpoints.

    from wandb.integration.ultralytics import add_wandb_callback

    with wandb.init(project="shapes"):
        model = YOLO("yolo11n.pt")
        add_wandb_callback(model, enable_model_checkpointing=True)
        model.train(data="coco8.yaml", epochs=5, imgsz=640)

Losses and metrics are logged by Ultralytics itself: `yolo settings wandb=True`.
"""

from __future__ import annotations

from .callback import WandBUltralyticsCallback, add_wandb_callback

__all__ = ["WandBUltralyticsCallback", "add_wandb_callback"]

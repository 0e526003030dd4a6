"""Ultralytics with the callback of `wandb.integration`: what its models of each task see, in training and after it."""

import os
from pathlib import Path

os.environ["YOLO_CONFIG_DIR"] = os.environ["HOME"]
os.environ["YOLO_OFFLINE"] = "true"

import cv2
import numpy
import torch
import ultralytics
import yaml
from ultralytics import YOLO, settings

import wandb
from wandb.integration.ultralytics import add_wandb_callback

# Beside a checkout of its own it would write into that.
settings.update({"wandb": False, "runs_dir": str(Path("runs").resolve())})
PLACES = [(8, 10), (30, 34), (20, 8), (5, 30), (33, 6), (12, 22), (28, 28), (9, 9)]


def write_pictures(task: str, part: str, count: int) -> None:
    """Squares that are green or blue, with what the task wants to know of them."""
    for number, (x, y) in enumerate(PLACES[:count]):
        kind = ("blue", "green")[number % 2]
        picture = numpy.full((64, 64, 3), 40, numpy.uint8)
        picture[y : y + 24, x : x + 24] = (0, 200, 0) if number % 2 else (200, 0, 0)
        folder = Path(task, part, kind if task == "classify" else "images")
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        corners = [(x, y), (x + 24, y), (x + 24, y + 24), (x, y + 24)]
        box = [(x + 12) / 64, (y + 12) / 64, 24 / 64, 24 / 64]
        points = [one / 64 for corner in corners for one in corner]
        label = {"segment": points, "pose": [*box, *points]}.get(task, box)
        if task != "classify":
            (folder.parent / "labels").mkdir(exist_ok=True)
            (folder.parent / f"labels/{number}.txt").write_text(f"{number % 2} {' '.join(map(str, label))}\n")


def data_of(task: str) -> str:
    write_pictures(task, "train", 8)
    write_pictures(task, "val", 3 if task != "classify" else 4)
    if task == "classify":
        return str(Path(task).resolve())
    text = f"path: {Path(task).resolve()}\ntrain: train/images\nval: val/images\nnames:\n  0: blue\n  1: green\n"
    Path(f"{task}.yaml").write_text(text + ("kpt_shape: [4, 2]\n" if task == "pose" else ""))
    return f"{task}.yaml"


def make_model(task: str) -> YOLO:
    """A small model of these two classes from a file."""
    torch.manual_seed(0)
    name = {"detect": "", "segment": "-seg", "pose": "-pose", "classify": "-cls"}[task]
    layers = yaml.safe_load((Path(ultralytics.__file__).parent / f"cfg/models/11/yolo11{name}.yaml").read_text())
    shape = {"kpt_shape": [4, 2]} if task == "pose" else {}
    Path(f"yolo11n{name}.yaml").write_text(yaml.safe_dump({**layers, **shape, "nc": 2}))
    model = YOLO(f"yolo11n{name}.yaml")
    model.model.names = {0: "blue", 1: "green"}
    model.save(f"{task}.pt")
    return YOLO(f"{task}.pt")


for task in ("detect", "segment", "pose", "classify"):
    data = data_of(task)
    with wandb.init(group=task):
        model = make_model(task)
        add_wandb_callback(model, enable_model_checkpointing=task == "detect", max_validation_batches=1)
        model.train(
            data=data, epochs=2, imgsz=64, batch=2, device="cpu", workers=0, seed=0, plots=False, verbose=False,
            project="runs", name=task, lr0=0.1, optimizer="SGD", warmup_epochs=0, mosaic=0,
        )  # fmt: skip
        first = sorted(Path(task, "val").rglob("*.png"))[0]
        model.predict(str(first), verbose=False, conf=0.0001, max_det=2)
        wandb.log({"done": 1})

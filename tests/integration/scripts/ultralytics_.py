"""Ultralytics: a detector of rectangles, trained with the callbacks that the library has of its own."""

import os
from pathlib import Path

os.environ["YOLO_CONFIG_DIR"] = os.environ["HOME"]
os.environ["YOLO_OFFLINE"] = "true"

import cv2
import numpy
from ultralytics import YOLO, settings

# Beside a checkout of its own it would write into that.
settings.update({"wandb": True, "runs_dir": str(Path("runs").resolve())})


def write_pictures(folder: Path, count: int) -> None:
    random = numpy.random.default_rng(count)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        picture = numpy.full((64, 64, 3), 40, numpy.uint8)
        x, y = random.integers(4, 36, 2).tolist()
        picture[y : y + 24, x : x + 24] = (0, 200, 0) if number % 2 else (200, 0, 0)
        cv2.imwrite(str(folder / f"images/{number}.png"), picture)
        box = ((x + 12) / 64, (y + 12) / 64, 24 / 64, 24 / 64)
        (folder / f"labels/{number}.txt").write_text(f"{number % 2} {' '.join(map(str, box))}\n")


write_pictures(Path("data/train"), 16)
write_pictures(Path("data/val"), 4)
Path("data.yaml").write_text(
    f"path: {Path('data').resolve()}\ntrain: train/images\nval: val/images\nnames:\n  0: blue\n  1: green\n"
)
model = YOLO("yolo11n.yaml")
model.train(
    data="data.yaml", epochs=2, imgsz=64, batch=4, device="cpu", workers=0, seed=0,
    project=os.environ["WANDB_PROJECT"], name="first",
)  # fmt: skip

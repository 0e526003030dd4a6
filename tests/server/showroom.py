"""A project with everything in it, made through the server's protocol: what the pages are looked at with.

`python tests/server/showroom.py` serves it, and prints an address that signs a browser in.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import random
import struct
import sys
import tempfile
import threading
import time
import wave
import zlib
from pathlib import Path
from typing import Any, Optional

import numpy as np
import requests
from live_server import LiveServer
from test_artifacts import log
from test_sweeps import AGENT, beat
from test_sweeps import UPSERT as UPSERT_SWEEP
from test_teams import POP, PUSH

PROJECT = "vision"
SHOWN = "r0"  # the run with media of every kind
CRASHED = "r3"

UPSERT = """mutation U($name: String, $project: String, $displayName: String, $groupName: String, $jobType: String,
    $notes: String, $tags: [String!], $config: JSONString, $host: String, $program: String, $commit: String,
    $repo: String) {
  upsertBucket(input: {name: $name, modelName: $project, displayName: $displayName, groupName: $groupName,
      jobType: $jobType, notes: $notes, tags: $tags, config: $config, host: $host, jobProgram: $program,
      commit: $commit, jobRepo: $repo}) { bucket { id } } }"""
FILES = """mutation F($project: String!, $run: String!, $files: [String!]!) {
    createRunFiles(input: {projectName: $project, runName: $run, files: $files}) { files { name uploadUrl } } }"""
USE = """mutation U($artifact: ID!, $project: String!, $run: String!) {
    useArtifact(input: {artifactID: $artifact, projectName: $project, runName: $run}) { artifact { id } } }"""
QUEUE = """mutation Q($project: String!) { createRunQueue(input: {projectName: $project, queueName: "q",
    access: PROJECT}) { success } }"""
TAKEN = 'mutation T($item: ID!) { ackRunQueueItem(input: {runQueueItemId: $item, runName: "r23"}) { success } }'
ALERT = """mutation A($project: String!, $run: String!) { notifyScriptableRunAlert(input: {projectName: $project,
    runName: $run, title: "Gradient norm above 100", text: "clipped at step 412", severity: WARN}) { success } }"""

_ADJECTIVES = [
    "amber",
    "brisk",
    "calm",
    "dusty",
    "eager",
    "fabled",
    "gentle",
    "hollow",
    "ivory",
    "jolly",
    "keen",
    "lunar",
]
_TAGS = [["baseline"], ["baseline", "long"], [], ["ablation"]]
_NOUNS = ["river", "falcon", "meadow", "comet", "harbor", "lantern", "maple", "summit", "thicket", "voyage"]


_CLASSES = {"0": "ground", "1": "ball", "2": "bubble", "3": "lamp"}

_CODE = '''"""Train a model on discs."""

import wandb


def main() -> None:
    # Warm up, then a cosine.
    with wandb.init(project="vision", config={"lr": 0.01}) as run:
        for step in range(400):
            run.log({"train/loss": 1 / (step + 1)})


if __name__ == "__main__":
    main()
'''
_PATCH = """diff --git a/train.py b/train.py
index 3a1f..9c2e 100644
--- a/train.py
+++ b/train.py
@@ -6,3 +6,3 @@ def main() -> None:
     # Warm up, then a cosine.
-    with wandb.init(project="vision") as run:
+    with wandb.init(project="vision", config={"lr": 0.01}) as run:
         for step in range(400):
"""
_METADATA = {
    "os": "Linux-6.8-x86_64", "python": "CPython 3.11.7", "program": "train.py", "args": ["--epochs", "20"],
    "codePath": "train.py", "git": {"remote": "https://git.example/discs.git", "commit": "3a1f"},
    "host": "gpu-node-0", "cpu_count": 32, "gpu": "NVIDIA H100 80GB", "gpu_count": 2,
    "startedAt": "2026-11-20T08:30:00Z",
}  # fmt: skip
_TRACEBACK = [
    "ERROR 2026-11-20T09:14:02.000100 Traceback (most recent call last):",
    'ERROR 2026-11-20T09:14:02.000200   File "train.py", line 118, in step',
    "ERROR 2026-11-20T09:14:02.000300 torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.2 GiB",
]


# `define_metric` of the epoch and what is drawn over it, and a log of two sessions.
_DEFINED = [{"1": "epoch", "6": [3]}, {"2": "val/*", "5": 1, "6": [1]}]
_STORY = [
    {
        "number": 1, "time": 1.7985e9, "host": "gpu-node-0", "pid": 4711, "step": 0,
        "lost": {
            "time": 1.79850031e9, "cause": "died", "lost_records": 0,
            "evidence": "process 4711 on gpu-node-0 ended without closing the log: the lock that it held is free",
        },
    },
    {
        "number": 2, "time": 1.7985004e9, "host": "gpu-node-2", "pid": 96, "step": 181,
        "exit": {"code": 0, "time": 1.7985031e9},
    },
]  # fmt: skip


# --- Files of every kind ----------------------------------------------------------------------------------------------


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    """A picture of grey values (rows, columns) or of colours (rows, columns, 3) between 0 and 255."""
    grey = pixels.ndim == 2
    height, width = pixels.shape[:2]
    lines = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in pixels)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0 if grey else 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    ]
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def gif(frames: list[np.ndarray[Any, Any]]) -> bytes:
    """Grey frames as an animation; codes are not compressed, so that this stays short."""
    height, width = frames[0].shape
    out = io.BytesIO()
    out.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF6, 0, 0))
    out.write(bytes(value for level in range(128) for value in (level * 2,) * 3))
    out.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
    for frame in frames:
        out.write(b"\x21\xf9\x04\x04\x0a\x00\x00\x00\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x07")
        codes: list[int] = []
        for at in range(0, frame.size, 120):
            codes.extend([128, *(frame.reshape(-1)[at : at + 120] // 2)])  # a clear code keeps codes at 8 bits
        data = bytes(int(code) for code in [*codes, 129])
        for at in range(0, len(data), 255):
            part = data[at : at + 255]
            out.write(bytes([len(part)]) + part)
        out.write(b"\0")
    return out.getvalue() + b"\x3b"


def wav(seconds: float, pitch: float) -> bytes:
    rate = 8000
    times = np.arange(int(seconds * rate)) / rate
    samples = np.sin(2 * np.pi * pitch * times) * np.exp(-2 * times) * 20_000
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


def scene(seed: int, size: int = 128) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[dict[str, Any]]]:
    """A picture of coloured discs, its mask of classes, and a box around each disc."""
    chosen = random.Random(seed)
    y, x = np.mgrid[0:size, 0:size]
    shade = 40 + 50 * (y / size)
    pixels = np.stack([shade, shade + 12, shade + 34], axis=-1)
    mask = np.zeros((size, size))
    boxes = []
    for _ in range(3):
        kind = chosen.randint(1, 3)
        radius, cx, cy = chosen.randint(9, 24), chosen.randint(26, size - 26), chosen.randint(26, size - 26)
        inside = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
        light = np.clip(1.2 - np.hypot(x - cx + radius / 3, y - cy + radius / 3) / (2 * radius), 0.4, 1.2)
        colour = {1: (236, 112, 99), 2: (88, 196, 221), 3: (245, 203, 92)}[kind]
        for channel in range(3):
            pixels[..., channel] = np.where(inside, np.clip(colour[channel] * light, 0, 255), pixels[..., channel])
        mask[inside] = kind
        left, right, top, bottom = ((value / size) for value in (cx - radius, cx + radius, cy - radius, cy + radius))
        boxes.append({
            "position": {"minX": left, "maxX": right, "minY": top, "maxY": bottom},
            "class_id": kind,
            "box_caption": f"{_CLASSES[str(kind)]} {chosen.uniform(0.6, 1):.2f}",
            "scores": {"confidence": round(chosen.uniform(0.5, 1), 3)},
        })  # fmt: skip
    return pixels, mask, boxes


class Filled:
    """A server that is being filled."""

    def __init__(self, server: LiveServer, project: str = PROJECT) -> None:
        self.server, self.project = server, project

    def upsert(self, name: str, **values: Any) -> None:
        config = {key: {"value": value} for key, value in values.pop("config", {}).items()}
        config["_wandb"] = {"value": {"t": {"4": "3.11", "5": "1.0.0"}, **values.pop("internal", {})}}
        self.server.execute(UPSERT, name=name, project=self.project, config=json.dumps(config), **values)

    def stream(self, name: str, **files: Any) -> None:
        more = {key: files.pop(key) for key in ("complete", "exitcode", "preempting") if key in files}
        names = {"history": "wandb-history.jsonl", "events": "wandb-events.jsonl", "summary": "wandb-summary.json"}
        chunks = {
            names.get(key, "output.log"): {
                "offset": files.get("offset", 0),
                "content": [line if isinstance(line, str) else json.dumps(line) for line in lines],
            }
            for key, lines in files.items()
            if key != "offset"
        }
        self.server.stream({"files": chunks, **more}, name=name, project=self.project)

    def put(self, name: str, files: dict[str, bytes]) -> None:
        answer = self.server.execute(FILES, project=self.project, run=name, files=list(files))
        for file in answer["createRunFiles"]["files"]:
            assert requests.put(file["uploadUrl"], data=files[file["name"]], timeout=30).status_code == 200

    def media(self, run: str, kind: str, folder: str, key: str, step: int, end: str, data: bytes, **more: Any) -> Any:
        """Upload a file and return what stands for it in a row."""
        digest = hashlib.sha256(data).hexdigest()
        path = f"media/{folder}/{key}_{step}_{digest[:20]}{end}"
        self.put(run, {path: data})
        return {"_type": kind, "sha256": digest, "size": len(data), "path": path, **more}


def fill(server: LiveServer, runs: int = 24, rows: int = 400, trials: int = 32) -> None:
    """The whole project."""
    into = Filled(server)
    now = server.clock.now
    chosen = random.Random(11)
    server.clock.now = now - (runs + 30) * 5400
    _sweep(server, trials)
    for number in range(runs):
        server.clock.now = now - (runs - number) * 5400
        _one_run(into, number, rows, chosen)
    server.clock.now = now
    _media(into)
    _artifacts(server)
    _queue(server)


def _one_run(into: Filled, number: int, rows: int, chosen: random.Random) -> None:
    name = f"r{number}"
    model = ["resnet18", "resnet50", "vit-s", "convnext-t"][number % 4]
    config = {
        "model": model,
        "lr": chosen.choice([0.03, 0.01, 0.003, 0.001]),
        "batch_size": chosen.choice([64, 128, 256]),
        "optimizer": {
            "name": chosen.choice(["adamw", "sgd", "lion"]),
            "weight_decay": chosen.choice([0.0, 0.01, 0.05]),
        },
        "augment": chosen.random() > 0.4,
        "epochs": 20,
        "seed": number,
        "dataset": "discs-128",
    }
    into.upsert(
        name, displayName=f"{_ADJECTIVES[number % 12]}-{_NOUNS[number * 7 % 10]}-{number + 1}", groupName=model,
        jobType="train" if number % 6 else "eval", tags=_TAGS[number % 4],
        notes="The recipe of the paper, with the longer warm-up." if number == 0 else None,
        config=config, host=f"gpu-node-{number % 3}", program="train.py",
        commit=hashlib.sha1(name.encode()).hexdigest(),
        repo="https://git.example/discs.git",
        internal={"m": _DEFINED, "log": _STORY} if number == 0 else {},
    )  # fmt: skip
    last = rows if number not in (CRASHED_NUMBER, 5) else int(rows * 0.62)
    history, events = _history(config, last, rows, number, into.server.clock.now)
    if last == rows:
        # What is measured once, at the end.
        history[-1]["test/accuracy"] = history[-1]["val/accuracy"] - 0.01
        history[-1]["test/loss"] = history[-1]["val/loss"] + 0.02
    summary: dict[str, Any] = {}
    for row in history:
        summary.update(row)
    summary["_wandb"] = {"runtime": int(summary["_runtime"])}
    ending: dict[str, Any] = {"complete": True, "exitcode": 1 if number == 5 else 0}
    output = [*_console(history), *(_TRACEBACK if number == 5 else [])]
    if number in (CRASHED_NUMBER, 23):
        ending = {}
    into.stream(name, history=history, events=events, summary=[summary], output=output, **ending)
    into.server.clock.now += 3000 if number != 23 else 0


CRASHED_NUMBER = 3


def _history(config: Any, last: int, rows: int, seed: int, began: float) -> tuple[list[Any], list[Any]]:
    noise = np.random.default_rng(seed)
    best = {"resnet18": 0.86, "resnet50": 0.9, "vit-s": 0.88, "convnext-t": 0.93}[config["model"]] - config["lr"] * 1.5
    history: list[Any] = []
    events: list[Any] = []
    for step in range(last):
        done = step / rows
        fall = math.exp(-4.5 * done * (0.6 + config["lr"] * 14))
        row: dict[str, Any] = {
            "_step": step,
            "_runtime": step * 7.3 + noise.uniform(0, 0.4),
            "_timestamp": began + step * 7.3,
            "train/loss": 0.22 + 2.1 * fall + noise.normal(0, 0.05 * (fall + 0.25)),
            "train/accuracy": min(1.0, best * (1 - 0.88 * fall) + noise.normal(0, 0.012)),
            "train/grad_norm": float(np.exp(noise.normal(0.4, 0.45)) * (0.4 + fall)),
            "optim/lr": config["lr"] * min(1.0, step / 20) * (0.5 + 0.5 * math.cos(math.pi * done)),
            "perf/samples_per_second": 1480 + noise.normal(0, 25) - (300 if 180 < step < 196 else 0),
        }
        if seed == 8 and step > rows * 0.7:
            row["train/loss"] = float("nan")
        if step % 20 == 19:
            row["epoch"] = step // 20
            row["val/loss"] = 0.28 + 1.9 * fall + noise.normal(0, 0.02)
            row["val/accuracy"] = min(1.0, best * (1 - 0.9 * fall) - 0.02 + noise.normal(0, 0.006))
            row["val/f1"] = row["val/accuracy"] - 0.03 + noise.normal(0, 0.004)
        history.append(row)
        if step % 4 == 0:
            events.append(_machine(step, began, noise))
    return history, events


def _machine(step: int, began: float, noise: Any) -> dict[str, Any]:
    event = {
        "_runtime": step * 7.3, "_timestamp": began + step * 7.3, "_wandb": True,
        "system.cpu": 42 + noise.normal(0, 6), "system.memory_percent": 38 + step / 60 + noise.normal(0, 0.3),
        "system.proc.memory.rssMB": 5200 + step * 1.2, "system.proc.cpu.threads": 41,
        "system.disk./.usagePercent": 61.4, "system.network.sent": step * 5e4, "system.network.recv": step * 9e3,
    }  # fmt: skip
    for gpu in range(2):
        event[f"system.gpu.{gpu}.gpu"] = float(np.clip(93 + noise.normal(0, 4), 0, 100))
        event[f"system.gpu.{gpu}.memoryAllocated"] = 71.5 + noise.normal(0, 0.2)
        event[f"system.gpu.{gpu}.temp"] = 63 + 8 * (1 - math.exp(-step / 40)) + noise.normal(0, 0.6)
        event[f"system.gpu.{gpu}.powerWatts"] = 268 + noise.normal(0, 12)
    return event


def _console(history: list[Any]) -> list[str]:
    lines = ["2026-11-20T08:30:00.100000 \x1b[1mtrain.py\x1b[0m: 2 GPUs, 49,152 pictures, seed 0"]
    for row in history:
        minutes, seconds = divmod(int(row["_runtime"]), 60)
        time_text = f"2026-11-20T{8 + (30 + minutes) // 60:02d}:{(30 + minutes) % 60:02d}:{seconds:02d}.250000"
        if row["_step"] % 5 == 0:
            lines.append(f"{time_text} step {row['_step']:>5}  loss \x1b[36m{row['train/loss']:.4f}\x1b[0m")
        if "val/loss" in row:
            lines.append(
                f"{time_text} \x1b[32mepoch {row['epoch']} done\x1b[0m  val/accuracy {row['val/accuracy']:.4f}"
            )
        if row["_step"] == 60:
            lines.append(f"ERROR {time_text} UserWarning: lr_scheduler.step() was called before optimizer.step()")
    return lines


def _media(into: Filled) -> None:
    """Media of every kind in one run, at several steps."""
    run = SHOWN
    offset = into.server.run("historyLineCount", run, PROJECT)["historyLineCount"]
    rows = []
    for index in range(5):
        step = 400 + index
        rows.append(
            {"_step": step, "_runtime": step * 7.3, "_timestamp": 1.8e9 + step, **_media_row(into, run, step, index)}
        )
    into.stream(run, history=rows, offset=offset, complete=True, exitcode=0)
    other = _CODE.replace("0.01", "0.003").replace("range(400)", "range(800)")
    files = {
        "code/train.py": _CODE,
        "diff.patch": _PATCH,
        "requirements.txt": "numpy==2.1.0\ntorch==2.6.0\nwandb==1.0.0\n",
        "wandb-metadata.json": json.dumps(_METADATA),
        "config.yaml": "lr:\n  value: 0.01\n",
    }
    into.put(run, {name: text.encode() for name, text in files.items()})
    files = {
        "code/train.py": other,
        "requirements.txt": "numpy==2.2.0\ntorch==2.6.0\nwandb==1.0.0\n",
        "wandb-metadata.json": json.dumps({**_METADATA, "host": "gpu-node-1"}),
    }
    into.put("r1", {name: text.encode() for name, text in files.items()})
    into.server.execute(ALERT, project=PROJECT, run=run)


def _media_row(into: Filled, run: str, step: int, index: int) -> dict[str, Any]:
    pixels, mask, boxes = scene(index)
    noise = np.random.default_rng(index)
    mask_file = into.media(run, "mask", "images/mask", "val/predictions", step, ".mask.png", png(mask))
    box_data = json.dumps({"box_data": boxes, "class_labels": _CLASSES}).encode()
    box_file = into.media(run, "boxes2D", "metadata/boxes2D", "val/predictions", step, ".boxes2D.json", box_data)
    picture = into.media(
        run, "image-file", "images", "val/predictions", step, ".png", png(pixels), format="png", width=128, height=128,
        caption=f"epoch {index}", boxes={"predictions": box_file}, masks={"ground_truth": mask_file},
    )  # fmt: skip
    paths = []
    for part in range(6):
        data = png(scene(100 + index * 10 + part, 96)[0])
        paths.append(into.media(run, "image-file", "images", f"samples{part}", step, ".png", data)["path"])
    samples = {"_type": "images/separated", "width": 96, "height": 96, "format": "png", "count": 6, "filenames": paths,
               "captions": [f"sample {part}" for part in range(6)]}  # fmt: skip
    frames = [((np.add.outer(np.arange(48), np.arange(64)) * 3 + shift * 16) % 256).astype(int) for shift in range(8)]
    cloud = noise.normal(0, 1, (900, 3))
    cloud /= np.linalg.norm(cloud, axis=1, keepdims=True)
    points = [[*map(float, point), int(1 + (point[2] > 0))] for point in cloud * (1 + 0.1 * index)]
    rows = [
        [number, f"disc {number}", round(float(noise.uniform()), 4), bool(noise.uniform() > 0.3)]
        for number in range(200)
    ]
    columns = ["id", "label", "score", "correct"]
    figure = {
        "data": [
            {"type": "heatmap", "z": noise.integers(0, 30, (4, 4)).tolist(), "x": list("abcd"), "y": list("abcd")}
        ],
        "layout": {"title": {"text": "Confusion"}},
    }
    counts, edges = np.histogram(noise.normal(0, 1.6 - index * 0.25, 2000), 40, (-4, 4))
    page = (
        "<style>body{font:14px sans-serif;padding:12px}b{color:#4f46e5}</style><h3>Report</h3><p>Epoch <b id=n></b></p>"
    )
    page += f"<script>document.getElementById('n').textContent = {index}</script>"
    table = json.dumps({"columns": columns, "data": rows}).encode()
    return {
        "val/predictions": picture,
        "samples": samples,
        "clip": into.media(run, "video-file", "videos", "clip", step, ".gif", gif(frames), width=64, height=48),
        "speech": into.media(
            run, "audio-file", "audio", "speech", step, ".wav", wav(0.6, 330 + 60 * index), caption="a tone"
        ),
        "shape": into.media(run, "object3D-file", "object3D", "shape", step, ".pts.json", json.dumps(points).encode()),
        "val/table": into.media(
            run, "table-file", "table", "val/table", step, ".table.json", table, ncols=4, nrows=200
        ),
        "report": into.media(run, "html-file", "html", "report", step, ".html", page.encode()),
        "confusion": into.media(
            run, "plotly-file", "plotly", "confusion", step, ".plotly.json", json.dumps(figure).encode()
        ),
        "gradients/head": {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()},
    }


def _artifacts(server: LiveServer) -> None:
    more = {"projectName": PROJECT}

    def alias(name: str, *labels: str) -> list[dict[str, str]]:
        return [{"artifactCollectionName": name, "alias": label} for label in labels]

    data = {"train/part-0.bin": b"d" * 40_000, "labels.json": b'{"1": "ball"}', "README.md": b"# Discs\n"}
    made = log(server, data, runName="r6", artifactCollectionName="discs", aliases=alias("discs", "latest", "v1-clean"),
               metadata='{"pictures": 49152}', description="Pictures of discs", **more)  # fmt: skip
    for number in range(3):
        run = f"r{number}"
        server.execute(USE, artifact=made["id"], project=PROJECT, run=run)
        weights = {"model.bin": bytes([number]) * 90_000, "config.json": b'{"layers": 18}'}
        model = log(server, weights, runName=run, artifactTypeName="model", artifactCollectionName="detector",
                    aliases=alias("detector", "latest", *(["best"] if number == 1 else [])), **more)  # fmt: skip
        if number == 1:
            server.execute(USE, artifact=model["id"], project=PROJECT, run="r7")
    log(server, {"report.md": b"fine"}, runName="r7", artifactTypeName="evaluation", artifactCollectionName="scores",
        aliases=alias("scores", "latest"), **more)  # fmt: skip


def _queue(server: LiveServer) -> None:
    """A queue of which an agent has taken one item."""
    server.execute(QUEUE, project=PROJECT)
    for number in range(3):
        server.execute(PUSH.replace('"demo"', f'"{PROJECT}"'), spec=json.dumps({"job": f"train:v{number}"}), priority=2)
    taken = server.execute(POP.replace('"demo"', f'"{PROJECT}"'))["popFromRunQueue"]
    server.execute(TAKEN, item=taken["runQueueItemId"])


def _sweep(server: LiveServer, trials: int) -> None:
    config = "method: random\nname: learning rates\nmetric: {name: val/accuracy, goal: maximize}\nparameters:\n"
    config += "  lr: {distribution: log_uniform_values, min: 0.0001, max: 0.1}\n  width: {values: [64, 128, 256]}\n"
    config += "  optimizer: {values: [adamw, sgd]}\n  dropout: {min: 0.0, max: 0.5}\nrun_cap: 60\n"
    query = UPSERT_SWEEP.replace('"demo"', f'"{PROJECT}"')
    sweep = server.execute(query, config=config)["upsertSweep"]["sweep"]
    agent = server.execute(AGENT.replace('"demo"', f'"{PROJECT}"'), sweep=sweep["name"])["createAgent"]["agent"]["id"]
    noise = np.random.default_rng(3)
    for _ in range(trials):
        (command,) = beat(server, agent)
        tried = {name: entry["value"] for name, entry in command["args"].items()}
        score = 0.92 - 0.05 * (math.log10(tried["lr"]) + 2.3) ** 2 - 0.1 * abs(tried["dropout"] - 0.2)
        score += (0.02 if tried["optimizer"] == "adamw" else 0) + 0.00005 * tried["width"] + noise.normal(0, 0.008)
        body = {"files": {"wandb-summary.json": {"offset": 0, "content": [json.dumps({"val/accuracy": score})]}}}
        server.stream({**body, "complete": True, "exitcode": 0}, name=command["run_id"], project=PROJECT)


def keep_logging(server: LiveServer, stop: threading.Event, name: str = "r23") -> None:
    """Go on with the running run, a row a second."""
    into = Filled(server)
    step = server.run("historyLineCount", name, PROJECT)["historyLineCount"]
    while not stop.wait(1):
        server.clock.now = time.time()
        row = {"_step": step, "_runtime": step * 7.3, "train/loss": 0.3 + random.gauss(0, 0.02), "train/accuracy": 0.9}
        into.stream(name, history=[row], offset=step)
        step += 1


def main(data: Optional[str] = None) -> None:
    with tempfile.TemporaryDirectory() as folder, LiveServer(Path(data or folder)) as server:
        server.clock.now = time.time()
        fill(server)
        print(server.url + server.sign_in_path(f"/{server.user}/{PROJECT}"), flush=True)
        keep_logging(server, threading.Event())


if __name__ == "__main__":
    main(*sys.argv[1:])

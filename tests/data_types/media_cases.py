"""Media and tables as any client of W&B's would be asked to make them, and what becomes of them.

Run with the Python of the official client, this prints what that one makes of the same:

    python tests/data_types/media_cases.py > tests/data_types/official_media.json
"""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np

import wandb

Made = Dict[str, Any]


def _pixels(*shape: int) -> Any:
    return (np.arange(np.prod(shape)) * 7 % 256).astype(np.uint8).reshape(shape)


_BOX = {"position": {"minX": 0.1, "maxX": 0.25, "minY": 0.3, "maxY": 1e-5}, "class_id": 2, "scores": {"p": 0.5}}
_PIXEL_BOX = {
    "position": {"middle": [3, 2], "width": 2, "height": 1e-7}, "domain": "pixel", "class_id": 0, "box_caption": "é",
}  # fmt: skip
_CLASSES = [{"id": 0, "name": "road"}, {"id": 2, "name": "car"}]


def _layered(folder: Path) -> Any:
    return wandb.Image(
        _pixels(4, 6, 3),
        caption="layers",
        boxes={"found": {"box_data": [_BOX, _PIXEL_BOX], "class_labels": {0: "road", 2: "car"}}},
        masks={"truth": {"mask_data": _pixels(4, 6) % 3, "class_labels": {0: "road", 1: "tree", 2: "car"}}},
        classes=_CLASSES,
    )


def _file(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def _gif() -> bytes:
    return (
        b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"
        b"!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    )


def _box3d() -> Any:
    return wandb.box3d(
        center=(0.5, -1, 2), size=(1, 2, 3), orientation=(2, 0, 0, 0), color=(255, 0, 10), label="b", score=0.5
    )


# What is logged under the key "val/key", by the name of the case.
MEDIA: Dict[str, Callable[[Path], Any]] = {
    "image of an array": lambda folder: wandb.Image(_pixels(4, 6, 3), caption="c"),
    "image of a grey array": lambda folder: wandb.Image(_pixels(4, 6)),
    "image with transparency": lambda folder: wandb.Image(_pixels(4, 6, 4), grouping=3),
    "image with a trivial dimension": lambda folder: wandb.Image(_pixels(1, 5, 6, 3)),
    "image converted to a mode": lambda folder: wandb.Image(_pixels(4, 6, 3), mode="L"),
    "image of whole numbers": lambda folder: wandb.Image(_pixels(4, 6, 3).astype(np.int64)),
    "image with layers": _layered,
    "image with layers without names": lambda folder: wandb.Image(
        _pixels(4, 6), boxes={"b": {"box_data": [dict(_BOX)]}}, masks={"m": {"mask_data": _pixels(4, 6) % 2}}
    ),
    "JPEG": lambda folder: wandb.Image(_pixels(8, 8, 3), file_type="jpg"),
    "BMP": lambda folder: wandb.Image(_pixels(8, 8, 3), file_type="bmp"),
    "images": lambda folder: [wandb.Image(_pixels(4, 6, 3) + n, caption=f"{n}") for n in range(3)],
    "images with layers": lambda folder: [wandb.Image(_pixels(4, 6, 3)), _layered(folder)],
    "image of an image": lambda folder: wandb.Image(wandb.Image(_pixels(4, 6, 3), caption="c")),
    "sound": lambda folder: wandb.Audio(np.sin(np.arange(100) / 9), sample_rate=8000, caption="tone"),
    "sounds": lambda folder: [wandb.Audio(np.zeros(n), 8000, caption=c) for n, c in ((80, "x"), (40, None))],
    "sound of a file": lambda folder: wandb.Audio(_file(folder, "sound.ogg", b"OggS")),
    "video of a file": lambda folder: wandb.Video(_file(folder, "video.gif", _gif()), caption="v"),
    "videos": lambda folder: [wandb.Video(_file(folder, "video.gif", _gif()), caption="v")],
    "video of an open file": lambda folder: wandb.Video(io.BytesIO(_gif()), format="gif"),
    "page": lambda folder: wandb.Html("<h1>é</h1>"),
    "page with a head": lambda folder: wandb.Html("<html><head><title>t</title></head><body>x</body></html>"),
    "page without a head": lambda folder: wandb.Html("<html><body>x</body></html>"),
    "page as it is": lambda folder: wandb.Html(io.StringIO("<p>x"), inject=False),
    "page of a file": lambda folder: wandb.Html(_file(folder, "page.html", b"<p>file</p>")),
    "pages": lambda folder: [wandb.Html("<p>1"), wandb.Html("<p>2")],
    "points": lambda folder: wandb.Object3D(np.arange(9).reshape(3, 3) / 7, caption="p"),
    "points with categories": lambda folder: wandb.Object3D(np.ones((2, 4))),
    "scene": lambda folder: wandb.Object3D.from_point_cloud(points=[[0.1, 0.2, 0.3]], boxes=[_box3d()]),
    "mesh": lambda folder: wandb.Object3D(_file(folder, "mesh.obj", b"v 0 0 0\n")),
    "clouds": lambda folder: [wandb.Object3D(np.ones((1, 3))), wandb.Object3D(np.ones((2, 3)))],
    "molecule": lambda folder: wandb.Molecule(_file(folder, "atom.pdb", b"ATOM      1  N   ASP A   1\n"), caption="m"),
    "molecules": lambda folder: [wandb.Molecule(io.StringIO("ATOM"), file_type="pdb", caption="a")],
    "histogram": lambda folder: wandb.Histogram([1, 2, 2.5, 7, -3], num_bins=5),
    "histogram of bytes": lambda folder: wandb.Histogram(np.array([1, 2, 200], np.uint8), num_bins=3),
    "histogram of halves": lambda folder: wandb.Histogram(np.array([1, 2, 7], np.float32), num_bins=3),
    "histogram of counts": lambda folder: wandb.Histogram(np_histogram=np.histogram([1, 2, 3, 10], bins=4)),
    "graph": lambda folder: _graph(),
    "trace": lambda folder: _trace(),
    "dictionary": lambda folder: {"inner": wandb.Html("<p>x", inject=False), "number": 1},
}


def _graph() -> Any:
    graph = wandb.Graph()
    first = graph.add_node(id="in", name="input", class_name="Input", size=[3, 4])
    graph.add_edge(first, graph.add_node(id="out", class_name="Dense", output_shape=[None, 10], num_parameters=650))
    return graph


def _trace() -> Any:
    from wandb.sdk.data_types.trace_tree import Result, Span, SpanKind, StatusCode, WBTraceTree

    child = Span(name="search", span_kind=SpanKind.TOOL, results=[Result({"q": "why?"}, {"a": 1.5})])
    root = Span(
        name="answer", start_time_ms=1, end_time_ms=5, status_code=StatusCode.SUCCESS, child_spans=[child],
        attributes={"when": datetime.datetime(2026, 1, 2, 3, 4, 5)},
    )  # fmt: skip
    return WBTraceTree(root, {"_kind": "llm", "layers": [1, 2]})


_TIMES = [datetime.datetime(2026, 1, 2, 3, 4, 5, 678000), datetime.date(2026, 1, 2)]

TABLES: Dict[str, Callable[[], Any]] = {
    "numbers and texts": lambda: wandb.Table(columns=["a", "b"], data=[[1, "x"], [2.5, "é"], [None, None]]),
    "by default": lambda: wandb.Table(),
    "small numbers": lambda: wandb.Table(columns=["a"], data=[[1e-5], [1.5e-5], [1e-7], [1e22], [-2.5e-6], [0.1]]),
    "truths": lambda: wandb.Table(columns=["a"], data=[[True], [False]]),
    "numbers for names": lambda: wandb.Table(columns=[2, 1], data=[[1, 2]]),
    "NaN": lambda: wandb.Table(columns=["a"], data=[[1.0], [float("nan")], [float("inf")]]),
    "lists": lambda: wandb.Table(columns=["a"], data=[[[1, 2]], [[3]], [[]]]),
    "lists with None": lambda: wandb.Table(columns=["a"], data=[[[1, None]]]),
    "lists of all kinds": lambda: wandb.Table(columns=["a"], data=[[[1, "x"]]]),
    "lists of lists": lambda: wandb.Table(columns=["a"], data=[[[[1, 2], [3, 4]]]]),
    "dictionaries": lambda: wandb.Table(columns=["a"], data=[[{"x": 1, "y": {"z": "t"}}]]),
    "times": lambda: wandb.Table(columns=["a"], data=[[one] for one in _TIMES]),
    "embeddings": lambda: wandb.Table(columns=["a"], data=[[np.arange(3.0)], [np.ones(3)]]),
    "mixed": lambda: wandb.Table(columns=["a"], data=[[1], ["x"]], allow_mixed_types=True),
    "typed": lambda: wandb.Table(columns=["a", "b"], data=[[1, "x"]], dtype=[int, str], optional=False),
    "nothing yet": lambda: wandb.Table(columns=["a"], data=[[None]]),
    "an array": lambda: wandb.Table(columns=["a", "b"], data=np.arange(4.0).reshape(2, 2)),
    "pages": lambda: wandb.Table(columns=["a"], data=[[wandb.Html("<p>x")]]),
    "of one value": lambda: wandb.Table(columns=["a"], data=[["x"]], dtype="x"),
    "a column more": lambda: _with_column(),
    "computed": lambda: _computed(),
}


def rich_table() -> Any:
    """A table of what tables are made for."""
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    rows = [[n, _layered(Path()), wandb.Html("<p>x"), np.eye(2) * n, moment] for n in range(3)]
    return wandb.Table(columns=["n", "image", "page", "array", "time"], data=rows)


def _with_column() -> Any:
    table = wandb.Table(columns=["a"], data=[[1], [2]])
    table.add_column("b", ["x", "y"])
    return table


def _computed() -> Any:
    table = wandb.Table(columns=["a"], data=[[1], [2]])
    table.add_computed_columns(lambda index, row: {"twice": 2 * row["a"]})
    return table


# --- what becomes of them ---------------------------------------------------------------------------------------------


_PACKED = (".png", ".jpg")


def described(value: Any, folder: Path) -> Any:
    """A JSON object with the digests of its files; of those whose packing isn't prescribed, those of the pixels."""
    if isinstance(value, list):
        return [described(item, folder) for item in value]
    if isinstance(value, str):
        return _described_path(value, folder)
    if not isinstance(value, dict):
        return value
    result = {key: described(item, folder) for key, item in value.items()}
    if str(value.get("path", "")).endswith(_PACKED):
        result.update(sha256="", size=0)
    return result


def _described_path(text: str, folder: Path) -> str:
    path = folder / text
    if not text.startswith("media/") or not path.is_file():
        return text
    data = path.read_bytes()
    if not text.endswith(_PACKED):
        assert hashlib.sha256(data).hexdigest()[:20] in text
        return text
    from PIL import Image

    image = Image.open(path)
    head = text[: text.rindex("_") + 1]
    return f"{head}{image.mode} {image.size} {hashlib.md5(image.tobytes()).hexdigest()}{''.join(path.suffixes)}"


def outcome(make: Callable[[Path], Any], run: Any, log: Callable[[Any, Dict[str, Any]], Any], folder: Path) -> Any:
    """What a run holds of a medium."""
    folder.mkdir()
    return described(log(run, {"val/key": make(folder)}), Path(run.dir))["val/key"]


def main() -> None:
    from wandb.sdk.data_types.utils import history_dict_to_json  # type: ignore[import-not-found]

    folder = Path(tempfile.mkdtemp())
    os.chdir(folder)
    run: Any = wandb.init(mode="offline", project="cases")
    result: Dict[str, Any] = {"media": {}, "tables": {}, "labels": {}}
    for number, (name, make) in enumerate(MEDIA.items()):
        result["media"][name] = outcome(
            make, run, lambda run, row: history_dict_to_json(run, row, step=7), folder / str(number)
        )
    for name, make_table in TABLES.items():
        table = make_table()
        artifact = wandb.Artifact("cases", "dataset")
        entry = artifact.add(table, "t")
        held = {"artifact": json.loads(Path(str(entry.local_path)).read_text())}
        table.bind_to_run(run, "t", 7)
        held["run"] = [table._sha256, Path(table._path).read_text()]
        result["tables"][name] = held
    internal = run.config._items["_wandb"]
    result["labels"] = {kind: internal[kind] for kind in ("mask/class_labels", "bounding_box/class_labels")}
    run.finish()
    json.dump(result, sys.stdout, indent=1, sort_keys=True)
    print()


if __name__ == "__main__":
    main()

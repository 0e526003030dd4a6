"""Media and tables in artifacts: what is added comes back, with its types, layers and links."""

from __future__ import annotations

import datetime
import json
import zipfile
from pathlib import Path
from typing import Any, List

import numpy as np
import pytest

import wandb
from wandb.errors import DataError
from wandb.sdk.artifacts._internal_artifact import sanitize_artifact_name

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 10, 3), dtype=np.uint8)
CLASSES = wandb.Classes([{"id": 0, "name": "road"}, {"id": 1, "name": "car"}])
BOXES = {"box_data": [{"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "class_id": 1}]}


@pytest.fixture
def run() -> wandb.Run:
    return wandb.init(mode="offline", settings={"silent": True})


def image(caption: str = "c") -> wandb.Image:
    return wandb.Image(
        PIXELS, caption=caption, classes=CLASSES, masks={"m": {"mask_data": PIXELS[:, :, 0] % 2}},
        boxes={"b": {**BOXES, "class_labels": {1: "car"}}},
    )  # fmt: skip


def read_back(run: wandb.Run, value: Any, name: str = "value") -> Any:
    """A value that was added to an artifact, logged, used and got again."""
    artifact = wandb.Artifact("things", "dataset")
    artifact.add(value, name)
    run.log_artifact(artifact)
    return got(run, "things:latest", name)


def got(run: wandb.Run, artifact: str, name: str) -> Any:
    return run.use_artifact(artifact).get(name)


def test_an_image_comes_back_with_its_layers(run: wandb.Run) -> None:
    found = read_back(run, image())
    assert isinstance(found, wandb.Image)
    assert np.array_equal(np.asarray(found.image), PIXELS)
    assert (found._caption, found._width, found._height, found.format) == ("c", 10, 8, "png")
    assert sorted(found._boxes or ()) == ["b"]
    assert sorted(found._masks or ()) == ["m"]
    assert found._classes is not None
    assert {one["id"]: one["name"] for one in found._classes._class_set} == {0: "road", 1: "car"}
    assert found == image()


@pytest.mark.parametrize(
    "value",
    [
        wandb.Html("<p>x", inject=False),
        wandb.Audio(np.zeros(80), 8000, caption="silence"),
        wandb.Object3D(np.ones((2, 3))),
        wandb.Classes([{"id": 1, "name": "x"}]),
        wandb.Video(np.zeros((2, 3, 4, 4), np.uint8), format="gif"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_media_come_back(value: Any, run: wandb.Run) -> None:
    assert read_back(run, value) == value


def test_a_table_comes_back_with_its_types(run: wandb.Run) -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc)
    row: List[Any] = [1, "x", True, moment, [1, 2], {"k": "v"}, np.arange(3.0), np.ones((4, 5)), image(), None]
    table = wandb.Table(columns=[f"c{number}" for number in range(len(row))], data=[row, row])
    table.add_data(2, None, None, None, None, None, np.arange(3.0), None, None, None)
    found = read_back(run, table)
    assert found.data[0][:6] == row[:6]
    assert found.data[0][6] == [0.0, 1.0, 2.0]
    assert np.array_equal(found.data[1][7], np.ones((4, 5)))
    assert found.data[2][7] is None
    assert found.data[0][8] == image()
    types = {name: str(one) for name, one in found._column_types.params["type_map"].items()}
    assert types["c3"] == "None or Timestamp"
    assert types["c6"] == "Number[]"
    found.add_data(*found.data[0])
    with pytest.raises(DataError):
        found.add_data("text", *found.data[0][1:])


def test_equal_images_in_cells_are_stored_once(run: wandb.Run) -> None:
    artifact = wandb.Artifact("things", "dataset")
    artifact.add(wandb.Table(columns=["a"], data=[[wandb.Image(PIXELS)] for _ in range(5)]), "t")
    assert len([path for path in artifact.manifest.entries if path.startswith("media/images/")]) == 1


def test_the_same_arrays_are_the_same_file(run: wandb.Run) -> None:
    digests = set()
    for _ in range(2):
        artifact = wandb.Artifact("things", "dataset")
        artifact.add(wandb.Table(columns=["a"], data=[[np.eye(3)]]), "t")
        artifact.finalize()
        digests.add(artifact.digest)
    assert len(digests) == 1


def test_arrays_that_are_pickles_are_not_read(run: wandb.Run, tmp_path: Path) -> None:
    table = wandb.Table(columns=["a"], data=[[np.eye(3)]])
    first = wandb.Artifact("first", "dataset")
    first.add(table, "t")
    run.log_artifact(first)
    folder = Path(run.use_artifact("first:latest").download(root=str(tmp_path / "first")))
    np.savez(next(folder.rglob("*.npz")), a=np.array([object()], dtype=object))
    second = wandb.Artifact("second", "dataset")
    second.add_dir(str(folder))
    run.log_artifact(second)
    with pytest.raises(DataError, match="can't be read from media/serialized_data"):
        run.use_artifact("second:latest").get("t")


def test_an_archive_that_promises_more_than_it_has_takes_no_memory(run: wandb.Run, tmp_path: Path) -> None:
    header = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1000000000000), }"
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as packed:
        packed.writestr("a.npy", header + text.ljust(117) + b"\n" + b"\0" * 64)
    with pytest.raises(DataError, match="it is no array of numbers"):
        read_malformed(run, tmp_path, {"data": [[None]], "column_types": _array_types("bomb.npz")})


def _array_types(path: str) -> Any:
    params = {"shape": [1], "serialization_path": {"path": path, "key": "a"}}
    return {"wb_type": "typedDict", "params": {"type_map": {"a": {"wb_type": "ndarray", "params": params}}}}


def read_malformed(run: wandb.Run, folder: Path, table: Any) -> Any:
    """A table as anybody may write it into an artifact."""
    (folder / "t.table.json").write_text(json.dumps({"_type": "table", "columns": ["a"], **table}))
    artifact = wandb.Artifact("malformed", "dataset")
    artifact.add_dir(str(folder))
    run.log_artifact(artifact)
    return got(run, "malformed:latest", "t")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"columns": None, "data": []}, "no columns with names"),
        ({"columns": [["a"]], "data": []}, "no columns with names"),
        ({}, "it has no rows"),
        ({"data": {"0": [1]}}, "it has no rows"),
        ({"data": [[1, 2]]}, "no table of 1 columns"),
        ({"data": ["x"]}, "no table of 1 columns"),
        ({"data": [], "column_types": {"wb_type": "nonsense"}}, "not all of its columns have types"),
        ({"data": [], "column_types": {"wb_type": "list"}}, "not all of its columns have types"),
        ({"data": [], "column_types": {"wb_type": "typedDict", "params": {"x": 1}}}, "can't be read"),
        ({"data": [], "column_types": [1]}, "can't be read"),
        ({"data": [[None]], "column_types": _array_types("t.table.json")}, "can't be read from t.table.json"),
    ],
)
def test_a_malformed_table_is_refused_with_what_is_wrong(
    table: Any, message: str, run: wandb.Run, tmp_path: Path
) -> None:
    folder = tmp_path / "malformed"
    folder.mkdir()
    with pytest.raises(DataError, match=message):
        read_malformed(run, folder, table)


def test_a_type_that_only_another_client_knows_is_any(run: wandb.Run, tmp_path: Path) -> None:
    types = {"wb_type": "typedDict", "params": {"type_map": {"a": {"wb_type": "tomorrow", "params": {"x": 1}}}}}
    (tmp_path / "newer").mkdir()
    found = read_malformed(run, tmp_path / "newer", {"data": [[1], ["x"]], "column_types": types})
    assert found.data == [[1], ["x"]]


def test_tables_that_link_come_back_linked(run: wandb.Run) -> None:
    users = wandb.Table(columns=["name"], data=[["ann"], ["bob"]])
    users.set_pk("name")
    posts = wandb.Table(columns=["author", "row"], data=[["ann", users.get_index()[1]]])
    posts.set_fk("author", users, "name")
    found = read_back(run, posts)
    assert found.data[0][1].get_row() == {"name": "bob"}
    assert found.data[0][0]._table.columns == ["name"]


def test_joined_tables_come_back_with_their_tables(run: wandb.Run) -> None:
    first = wandb.Table(columns=["id", "x"], data=[[1, "a"]])
    second = wandb.Table(columns=["id", "y"], data=[[1, "b"]])
    found = read_back(run, wandb.JoinedTable(first, second, "id"))
    assert found.rows() == [{"id": 1, "x": "a", "y": "b"}]


def test_a_partitioned_table_is_all_the_tables_of_a_folder(run: wandb.Run) -> None:
    artifact = wandb.Artifact("things", "dataset")
    for number in range(3):
        artifact.add(wandb.Table(columns=["a"], data=[[number], [10 * number]]), f"parts/{number}")
    artifact.add(wandb.data_types.PartitionedTable("parts"), "all")
    run.log_artifact(artifact)
    found = got(run, "things:latest", "all")
    assert list(found.iterrows()) == [(0, [0]), (1, [0]), (2, [1]), (3, [10]), (4, [2]), (5, [20])]


def test_a_table_that_is_logged_is_an_artifact_too(run: wandb.Run) -> None:
    table = wandb.Table(columns=["n", "image"], data=[[number, wandb.Image(PIXELS)] for number in range(20)])
    run.log({"val/table": table})
    value = dict(run.summary["val/table"])
    assert value["artifact_path"].startswith("wandb-client-artifact://")
    assert value["artifact_path"].endswith("/val/table.table.json")
    assert ":latest/" in value["_latest_artifact_path"]
    name = sanitize_artifact_name(f"run-{run.id}-val/table")
    found = got(run, f"{name}:latest", "val/table")
    assert found.data[19][0] == 19
    assert found.data[0][1] == wandb.Image(PIXELS)


def test_the_increments_of_a_table_are_one_table_again(run: wandb.Run) -> None:
    table = wandb.Table(columns=["a"], log_mode="INCREMENTAL")
    for number in range(3):
        table.add_data(number)
        run.log({"t": table})
    value = run.summary.as_dict()["t"]
    assert (value["increment_num"], len(value["previous_increments_paths"])) == (2, 2)
    name = f"run-{run.id}-incr-t:latest"
    names = sorted(run.use_artifact(name).manifest.entries)
    assert [name.partition("-")[0] for name in names] == ["0", "1", "2"]
    assert got(run, name, names[-1]).data == [[0], [1], [2]]


def test_a_longer_table_than_pages_show_is_cut_or_refused(run: wandb.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb.Table, "MAX_ARTIFACT_ROWS", 3)
    table = wandb.Table(columns=["a"], data=[[number] for number in range(5)])
    found = read_back(run, table)
    assert found.data == [[0], [1], [2]]
    run.finish()
    with (
        wandb.init(mode="offline", settings={"silent": True, "strict": True}) as strict,
        pytest.raises(DataError, match="Table row limit exceeded: table has 5 rows, limit is 3"),
    ):
        strict.log({"t": wandb.Table(columns=["a"], data=[[number] for number in range(5)])})


def test_an_image_of_an_artifact_is_logged_and_added_elsewhere(run: wandb.Run) -> None:
    found = read_back(run, image())
    run.log({"again": found})
    value = dict(run.summary["again"])
    assert (Path(run.dir) / value["path"]).is_file()
    other = wandb.Artifact("others", "dataset")
    entry = other.add(found, "copy")
    assert entry.ref is not None
    assert entry.ref.endswith("/value.image-file.json")


@pytest.mark.parametrize("kind", [wandb.Image, wandb.Audio])
def test_an_address_is_a_reference_in_an_artifact(kind: Any, run: wandb.Run) -> None:
    address = "s3://bucket/a/file.png"
    with pytest.raises(DataError, match="can be part of an artifact, but not of a run"):
        run.log({"key": kind(address)})
    assert kind(address) == kind(address) != kind("s3://bucket/b")

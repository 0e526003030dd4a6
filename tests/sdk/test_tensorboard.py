"""What programs write for TensorBoard, as rows of their runs: real writers, growing and damaged files, killed runs."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import numpy as np
import pytest
from logged import state_of, values_of
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter

import wandb
from wandb.sdk._tensorboard._events import EventReader, Pictures
from wandb.sdk._tensorboard._records import DamagedFile, RecordFile, masked_crc
from wandb.sdk._tensorboard._sync import TensorBoardSync

Rows = List[Dict[str, Any]]


@contextlib.contextmanager
def synced(**options: Any) -> Iterator[wandb.Run]:
    with wandb.init(mode="offline", sync_tensorboard=True, settings={"silent": True}, **options) as run:
        yield run


def sync_of(run: wandb.Run) -> TensorBoardSync:
    (found,) = [watcher for watcher in run._watchers if isinstance(watcher, TensorBoardSync)]
    return found


def test_scalars_histograms_and_texts_come_with_their_steps(tmp_path: Path) -> None:
    with synced() as run, SummaryWriter("logs") as writer:
        for step in (0, 100, 200):
            writer.add_scalar("loss", 1 / (step + 1), step)
            writer.add_scalar("accuracy", step / 200, step)
        writer.add_histogram("weights", np.arange(1000.0), 300)
        writer.add_text("note", "as it is", 400)
    rows = values_of(run)
    assert [(row["global_step"], row["accuracy"]) for row in rows[:3]] == [(0, 0.0), (100, 0.5), (200, 1.0)]
    assert rows[1]["loss"] == float(str(np.float32(1 / 101)))  # as short as 32 bits say it
    weights = rows[3]["weights"]
    assert (weights["_type"], sum(weights["values"])) == ("histogram", 1000)
    assert (len(weights["bins"]), weights["bins"][0], weights["bins"][-1]) == (len(weights["values"]) + 1, 0, 999)
    assert rows[4]["note/text_summary"] == "as it is"
    state = state_of(run)
    assert state.metrics.definitions["loss"].step_metric == "global_step"
    (saved,) = state.files
    assert (Path(run.dir) / saved).samefile(next(Path("logs").iterdir()))
    assert run.summary["accuracy"] == 1.0


def test_images_are_media_of_the_run() -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    with synced() as run, SummaryWriter("logs") as writer:
        writer.add_image("sample", np.zeros((3, 4, 6), np.uint8), 1)
    (row,) = values_of(run)
    assert (row["sample"]["_type"], row["sample"]["width"], row["sample"]["height"]) == ("image-file", 6, 4)
    assert Path(run.dir, row["sample"]["path"]).read_bytes().startswith(b"\x89PNG")


def test_rows_of_the_program_are_not_disturbed() -> None:
    with synced() as run:
        run.log({"a": 1}, commit=False)
        with SummaryWriter("logs") as writer:
            writer.add_scalar("loss", 0.5, 7)
        sync_of(run).stop()  # its thread has looked, in the middle of a row
        run.log({"b": 2})
        run.log({"c": 3}, step=10)
    rows = values_of(run)
    assert {"a": 1, "b": 2, "_step": 0} in rows
    assert {"c": 3, "_step": 10} in rows
    assert [row["loss"] for row in rows if "loss" in row] == [0.5]


def test_folders_name_the_parts_of_a_run() -> None:
    with synced() as run, SummaryWriter("logs/train") as train, SummaryWriter("logs/validation") as validation:
        train.add_scalar("loss", 1.0, 3)
        validation.add_scalar("loss", 2.0, 4)
        train.add_scalars("both", {"a": 1.0}, 5)
    rows = values_of(run)
    assert {"train/loss": 1.0, "train/global_step": 3}.items() <= rows[0].items()
    found = {key: row[key] for row in rows for key in row}
    assert (found["validation/loss"], found["validation/global_step"]) == (2.0, 4)
    assert found["train/both/a/both"] == 1.0
    assert len(state_of(run).files) == 3


def test_a_writer_that_was_there_before_the_run_is_found() -> None:
    with SummaryWriter("logs") as writer:
        writer.add_scalar("loss", 1.0, 0)
        writer.flush()
        with synced() as run:
            writer.add_scalar("loss", 2.0, 1)
        with synced() as later:
            writer.add_scalar("loss", 3.0, 2)
    assert [row["loss"] for row in values_of(run)] == [1.0, 2.0]
    assert [row["loss"] for row in values_of(later)] == [3.0]


def test_files_that_were_there_before_their_writer_belong_to_other_runs() -> None:
    for value in (1.0, 2.0):
        program = f"""
from tensorboardX import SummaryWriter
with SummaryWriter("logs") as writer:
    writer.add_scalar("loss", {value}, 0)
"""
        subprocess.run([sys.executable, "-c", program], check=True)
    with synced() as run, SummaryWriter("logs") as writer:
        writer.add_scalar("loss", 3.0, 0)
    assert [row["loss"] for row in values_of(run)] == [3.0]


def test_a_file_that_native_code_holds_open_is_found(tmp_path: Path) -> None:
    with synced() as run, contextlib.closing(RecordWriter(str(tmp_path / "events.out.tfevents.1.native"))) as file:
        file.write(event("loss", 0.5, 3).SerializeToString())
        file.flush()
        sync_of(run)._poll()
    assert [(row["loss"], row["global_step"]) for row in values_of(run)] == [(0.5, 3)]


def test_the_writer_of_tensorboard_and_pytorch_is_one_too() -> None:
    module = pytest.importorskip("tensorboard.summary.writer.event_file_writer", reason="tensorboard is not installed")
    with synced() as run:
        writer = module.EventFileWriter("logs")
        made = importlib.import_module("tensorboard.compat.proto.event_pb2").Event()
        made.ParseFromString(event("loss", 0.5, 3).SerializeToString())
        writer.add_event(made)
    assert [(row["loss"], row["global_step"]) for row in values_of(run)] == [(0.5, 3)]
    writer.close()


def event(tag: str, value: float, step: int) -> Any:
    made = Event(step=step, wall_time=time.time())
    made.summary.value.add(tag=tag, simple_value=value)
    return made


# --- killed runs ------------------------------------------------------------------------------------------------------

_KILLED = """
import os, sys, wandb
from tensorboardX import SummaryWriter
run = wandb.init(mode="offline", id="r", resume="allow", sync_tensorboard=True, settings={"silent": True})
first = int(sys.argv[1])
writer = SummaryWriter("logs", filename_suffix=f".{first}")
for step in range(first, first + 500):
    writer.add_scalar("loss", float(step), step)
    if step == first + 250:
        run._watchers[-2]._poll()
writer.close()
if sys.argv[2] == "killed":
    os.kill(os.getpid(), 9)
run.finish()
"""


def test_what_a_killed_run_had_not_taken_over_comes_with_the_next_session(tmp_path: Path) -> None:
    for first, end, code in ((0, "killed", -signal.SIGKILL), (500, "killed", -signal.SIGKILL), (1000, "finished", 0)):
        assert subprocess.run([sys.executable, "-c", _KILLED, str(first), end], check=False).returncode == code
    folder = Path(os.path.realpath(tmp_path / "wandb" / "latest-run"))
    assert sorted(row["global_step"] for row in values_of(folder)) == list(range(1500))


# --- the format -------------------------------------------------------------------------------------------------------


def framed(payload: bytes) -> bytes:
    size = struct.pack("<Q", len(payload))
    return b"".join((size, struct.pack("<I", masked_crc(size)), payload, struct.pack("<I", masked_crc(payload))))


def test_a_record_is_read_when_its_end_is_there(tmp_path: Path) -> None:
    path = tmp_path / "events"
    whole = framed(b"one") + framed(b"") + framed(b"three")
    records = RecordFile(path)
    found: List[Any] = []
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        found += [record.payload for record in records.read(1 << 20)]
    records.close()
    assert found == [b"one", b"", b"three"]


def test_a_record_of_another_checksum_is_passed_over_and_a_damaged_length_ends_the_file(tmp_path: Path) -> None:
    path = tmp_path / "events"
    damaged = bytearray(framed(b"one") + framed(b"two") + framed(b"three"))
    damaged[len(framed(b"one")) + 13] ^= 1
    path.write_bytes(damaged)
    records = RecordFile(path)
    assert [record.payload for record in records.read(1 << 20)] == [b"one", None, b"three"]
    path.write_bytes(bytes(damaged) + b"\0" * 100)
    with pytest.raises(DamagedFile, match=f"at byte {len(damaged)}"):
        records.read(1 << 20)
    records.close()


def test_damage_is_told_once_and_ends_no_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with wandb.init(mode="offline", sync_tensorboard=True) as run, SummaryWriter("logs") as writer:
        writer.add_scalar("loss", 1.0, 0)
        writer.flush()
        (path,) = Path("logs").iterdir()
        with path.open("ab") as file:
            file.write(b"\0" * 100)
    assert [row["loss"] for row in values_of(run)] == [1.0]
    assert capsys.readouterr().err.count("is damaged at byte") == 1


def test_values_as_tensorflow_2_writes_them() -> None:
    reader = EventReader()

    def read(tag: str, plugin: str = "", **tensor: Any) -> Any:
        made = Event(step=1)
        value = made.summary.value.add(tag=tag)
        value.tensor.MergeFrom(type(value.tensor)(**tensor))
        if plugin:
            value.metadata.plugin_data.plugin_name = plugin
        return reader.read(made.SerializeToString()).values.get(tag)

    assert read("loss", "scalars", dtype=1, tensor_content=struct.pack("<f", 0.5)) == 0.5
    assert read("count", "scalars", dtype=9, int64_val=[-3]) == -3
    assert read("lr", dtype=2, double_val=[0.1]) == 0.1
    buckets = np.array([[0.0, 1.0, 0.0], [1.0, 2.0, 5.0], [2.0, 4.0, 3.0]])
    histogram = {"_type": "histogram", "values": [5.0, 3.0], "bins": [1.0, 2.0, 4.0]}
    assert read("h", "histograms", dtype=2, tensor_content=buckets.tobytes()) == histogram
    # Only the first event of a tag says what it is.
    assert read("h", dtype=2, tensor_content=buckets.tobytes()) == histogram
    assert read("image", "images", dtype=7, string_val=[b"2", b"3", b"png"]) == Pictures((b"png",))
    assert read("note", "text", dtype=7, string_val=[b"one", b"two"]) == "one\ntwo"
    assert read("matrix", dtype=1, tensor_content=struct.pack("<2f", 1, 2)) is None


def test_a_histogram_of_many_buckets_is_made_smaller() -> None:
    made = Event(step=1)
    histogram = made.summary.value.add(tag="h").histo
    histogram.min, histogram.max = 0, 2000
    histogram.bucket_limit.extend(range(1, 2001))
    histogram.bucket.extend([1] * 2000)
    value = EventReader().read(made.SerializeToString()).values["h"]
    assert (len(value["values"]), sum(value["values"]), value["bins"][0], value["bins"][-1]) == (500, 2000, 0, 2000)
    assert len(value["bins"]) == 501


# --- what programs call -----------------------------------------------------------------------------------------------


def test_patch_lets_later_runs_take_over_and_names_the_root() -> None:
    wandb.tensorboard.patch(root_logdir="logs", save=False)
    try:
        with wandb.init(mode="offline", settings={"silent": True}) as run, SummaryWriter("logs/a") as writer:
            writer.add_scalar("loss", 1.0, 3)
    finally:
        wandb.tensorboard.unpatch()
    (row,) = values_of(run)
    assert (row["a/loss"], row["a/global_step"]) == (1.0, 3)
    assert not state_of(run).files
    with wandb.init(mode="offline", settings={"silent": True}) as run, SummaryWriter("logs/b") as writer:
        writer.add_scalar("loss", 1.0, 3)
    assert values_of(run) == []


def test_a_summary_is_logged_by_hand() -> None:
    with pytest.raises(wandb.Error, match=r"wandb\.init"):
        wandb.tensorboard.log(event("loss", 0.5, 3).summary)
    run = wandb.init(mode="offline")
    wandb.tensorboard.log(event("loss", 0.5, 3).summary, step=3, epoch=1)
    assert values_of(run) == [{"loss": 0.5, "global_step": 3, "epoch": 1, "_step": 0}]
    for wrong in (b"\xff\xff", 3.5):
        with pytest.raises(wandb.Error, match="takes a Summary"):
            wandb.tensorboard.log(wrong)

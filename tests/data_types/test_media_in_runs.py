"""Media in rows and in the summary: where their bytes are, when, and what becomes of them when something breaks."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from logged import records_of, state_of, values_of
from PIL import Image as Pillow

import wandb
from wandb.errors import DataError
from wandb_storage import FileSaved, Telemetry
from wandb_uploader import config_document

NOISE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


@pytest.fixture
def run() -> wandb.Run:
    return wandb.init(mode="offline", settings={"silent": True})


def file_of(run: wandb.Run, value: Dict[str, Any]) -> Path:
    """The file of a medium, which is what its JSON object says it is."""
    path: Path = Path(run.dir) / value["path"]
    data = path.read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (value["sha256"], value["size"])
    assert value["sha256"][:20] in path.name
    return path


def test_the_file_is_there_when_log_returns_and_recorded_before_the_row(run: wandb.Run) -> None:
    run.log({"val/image": wandb.Image(NOISE)})
    value = run.summary["val/image"]
    path = file_of(run, dict(value))
    assert value["path"] == f"media/images/val/image_0_{value['sha256'][:20]}.png"
    assert np.array_equal(np.asarray(Pillow.open(path)), NOISE)
    assert path.stat().st_mode & 0o777 == 0o600
    run.finish()
    assert [(saved.path, saved.policy) for saved in records_of(run, FileSaved)] == [(value["path"], "now")]
    assert state_of(run).files[value["path"]] == "now"


def test_a_killed_program_leaves_every_image_that_log_returned_for(tmp_path: Path) -> None:
    script = (
        "import os, signal, numpy, wandb\n"
        "run = wandb.init(mode='offline', settings={'silent': True})\n"
        "for step in range(20):\n"
        "    run.log({'image': wandb.Image(numpy.full((8, 8), step, numpy.uint8))})\n"
        "print(run.sync_dir, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    folder = Path(done.stdout.strip())
    rows = values_of(folder)
    assert len(rows) == 20
    for step, row in enumerate(rows):
        pixels = np.asarray(Pillow.open(folder / "files" / row["image"]["path"]))
        assert (pixels == step).all()


def test_the_value_is_a_snapshot(run: wandb.Run, tmp_path: Path) -> None:
    """What becomes of the array, or of the file, after the call is no business of the run's."""
    pixels = NOISE.copy()
    source = tmp_path / "picture.png"
    Pillow.fromarray(pixels).save(source)
    image, from_file = wandb.Image(pixels), wandb.Image(source)
    pixels[:] = 0
    run.log({"array": image, "file": from_file})
    source.write_bytes(b"something else")
    for key in ("array", "file"):
        assert np.array_equal(np.asarray(Pillow.open(file_of(run, dict(run.summary[key])))), NOISE)


def test_equal_bytes_under_one_name_are_one_file(run: wandb.Run) -> None:
    run.log({"images": [wandb.Image(NOISE), wandb.Image(NOISE), wandb.Image(NOISE[:8])]})
    run.finish()
    names = run.summary["images"]["filenames"]
    assert names[0] == names[1] != names[2]
    assert sorted(saved.path for saved in records_of(run, FileSaved)) == sorted(set(names))


def test_one_object_is_logged_again_without_another_file(run: wandb.Run) -> None:
    image = wandb.Image(NOISE)
    run.log({"image": image})
    run.log({"image": image})
    run.finish()
    first, second = values_of(run)
    assert first["image"]["path"] == second["image"]["path"]


def test_media_are_found_in_dictionaries_and_lists(run: wandb.Run) -> None:
    run.log({"a": {"b": {"image": wandb.Image(NOISE)}, "n": 1}, "mixed": [wandb.Html("x"), wandb.Image(NOISE)]})
    run.finish()
    (row,) = values_of(run)
    assert row["a"]["n"] == 1
    assert row["a"]["b"]["image"]["path"].startswith("media/images/image_0_")
    assert [one["_type"] for one in row["mixed"]] == ["html-file", "image-file"]
    for value in (row["a"]["b"]["image"], *row["mixed"]):
        file_of(run, value)


def test_the_summary_takes_media(run: wandb.Run) -> None:
    run.summary["best"] = wandb.Image(NOISE)
    run.summary.update({"pages": {"first": wandb.Html("<p>1</p>")}})
    run.finish()
    summary = state_of(run).summary
    assert summary["best"]["path"].startswith("media/images/best_summary_")
    assert summary["pages"]["first"]["path"].startswith("media/html/first_summary_")
    file_of(run, summary["best"])


def test_the_config_keeps_no_media(run: wandb.Run) -> None:
    run.config.update({"image": wandb.Html("x")})
    assert isinstance(run.config["image"], str)


def test_names_of_classes_are_in_the_config_once(run: wandb.Run) -> None:
    boxes = {"box_data": [{"position": {"middle": [1, 2], "width": 3, "height": 4}, "class_id": 0}]}
    for _ in range(3):
        run.log({
            "image": wandb.Image(
                NOISE,
                boxes={"found": {**boxes, "class_labels": {0: "car"}}},
                masks={"road": {"mask_data": np.zeros((24, 32), np.uint8), "class_labels": {0: "road"}}},
            )
        })  # fmt: skip
    run.finish()
    assert len(records_of(run, Telemetry)) == 2
    document = config_document(state_of(run))
    for kind, layer, name in (("mask", "road", "road"), ("bounding_box", "found", "car")):
        assert f"{kind}/class_labels:" in document
        assert f'image_wandb_delimeter_{layer}:\n                type: "{kind}/class_labels"' in document
        assert f'"0": "{name}"' in document
    assert document == (Path(run.dir) / "config.yaml").read_text()


def test_a_key_leads_nowhere_out_of_the_run(run: wandb.Run) -> None:
    run.log({"../../../escape": wandb.Image(NOISE), "/etc/x": wandb.Html("x")})
    assert run.summary["../../../escape"]["path"].startswith("media/images/__/__/__/escape_0_")
    assert run.summary["/etc/x"]["path"].startswith("media/html/etc/x_0_")


def test_a_longer_list_of_images_than_pages_show_is_cut(run: wandb.Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.log({"images": [wandb.Image(np.full((2, 2), n, np.uint8)) for n in range(110)]})
    assert (run.summary["images"]["count"], len(run.summary["images"]["filenames"])) == (108, 108)


def test_a_list_that_is_too_long_for_a_row_is_refused(run: wandb.Run, tmp_path: Path) -> None:
    page = wandb.Html("x")
    with pytest.raises(DataError, match="pages: 10,001 media in a list are above the limit"):
        run.log({"pages": [page] * 10_001})


def test_a_file_that_is_too_large_for_the_runs_folder_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "long.mp4").open("wb") as file:
        file.truncate((16 << 30) + 1)
    with pytest.raises(DataError, match="log an artifact with the file"):
        wandb.Video(tmp_path / "long.mp4")


def test_a_child_process_logs_media_to_its_parents_run(run: wandb.Run) -> None:
    child = os.fork()
    if not child:
        try:
            run.log({"image": wandb.Image(NOISE)})
            run.finish()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    run.finish()
    (row,) = values_of(run)
    file_of(run, row["image"])
    assert state_of(run).files[row["image"]["path"]] == "now"


def test_a_disabled_run_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    with wandb.init(mode="disabled") as run:
        run.log({"image": wandb.Image(NOISE)})
        run.summary["best"] = wandb.Image(NOISE)
        run.summary["table"] = wandb.Table(columns=["a"], data=[[1]])
    assert sorted(tmp_path.rglob("*")) == before


def test_media_for_a_finished_run_are_refused_and_leave_no_file(run: wandb.Run) -> None:
    run.finish()
    with pytest.raises(wandb.UsageError, match="is finished"):
        run.log({"image": wandb.Image(NOISE)})
    assert not (Path(run.dir) / "media").exists()


def test_a_disk_that_refuses_costs_no_row(run: wandb.Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The place of the media is taken by a file; when it is free again, what waited is written."""
    place = Path(run.dir) / "media"
    place.write_text("in the way")
    run.log({"image": wandb.Image(NOISE)})
    place.unlink()
    run.log({"page": wandb.Html("x")})
    run.finish()
    first, second = values_of(run)
    for value in (first["image"], second["page"]):
        file_of(run, value)
    assert {saved.path for saved in records_of(run, FileSaved)} == {first["image"]["path"], second["page"]["path"]}


def test_a_batch_says_what_its_members_are(run: wandb.Run) -> None:
    run.log({
        "pages": [wandb.Html("a"), wandb.Html("b")],
        "sounds": [wandb.Audio(np.zeros(80), 8000, "x"), wandb.Audio(np.zeros(40), 8000)],
        "clouds": [wandb.Object3D(np.zeros((2, 3)))],
    })  # fmt: skip
    summary = run.summary.as_dict()
    assert (summary["pages"]["_type"], len(summary["pages"]["html"])) == ("html", 2)
    sounds = summary["sounds"]
    assert (sounds["durations"], sounds["captions"], sounds["sampleRates"]) == ([0.01, 0.005], ["x", ""], [8000, 8000])
    assert summary["clouds"]["filenames"] == [os.path.basename(summary["clouds"]["objects"][0]["path"])]


MALFORMED: List[Any] = [b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b""]


@pytest.mark.parametrize("data", MALFORMED)
def test_what_is_no_image_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(DataError, match="is no image that can be read"):
        wandb.Image(path)


@pytest.mark.parametrize("kind", [wandb.Image, wandb.Audio])
def test_a_path_of_no_file_is_told_with_what_stands_there(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"there is no file {tmp_path}/absent"):
        kind(str(tmp_path / "absent"))
    with pytest.raises(DataError, match=f"{tmp_path} is a folder"):
        kind(str(tmp_path))


def test_the_name_of_a_page_that_is_not_there_is_logged_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert "absent.html" in wandb.Html("absent.html").html
    assert "there is no file absent.html" in capsys.readouterr().err
    with pytest.raises(DataError, match="is no file whose name ends in"):
        wandb.Html(Path("absent.html"))


def test_a_mode_that_pillow_lacks_is_named() -> None:
    with pytest.raises(DataError, match="can't be turned into 'XYZ'"):
        wandb.Image(np.zeros((4, 4)), mode="XYZ")


def test_a_histogram_of_nothing_is_that_of_numpy() -> None:
    counts, edges = np.histogram([], bins=4)
    made = wandb.Histogram([], num_bins=4)
    assert (made.histogram, made.bins) == (counts.tolist(), edges.tolist())
    with pytest.raises(DataError, match="num_bins is 1 or more"):
        wandb.Histogram([1.0], num_bins=0)


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    header = io.BytesIO()
    Pillow.new("1", (60_000, 10)).save(header, "PNG")
    data = bytearray(header.getvalue())
    data[20:24] = (60_000).to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(DataError, match="above the limit of 178,956,970 pixels"):
        wandb.Image(path)


def test_media_are_json_that_any_reader_takes(run: wandb.Run) -> None:
    run.log({"image": wandb.Image(NOISE, caption="täglich \u2028")})
    assert json.loads(json.dumps(run.summary.as_dict()))["image"]["caption"] == "täglich \u2028"

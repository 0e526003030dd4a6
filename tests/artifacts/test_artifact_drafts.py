"""Putting an artifact together: what is taken, how it is called, and what is refused."""

from __future__ import annotations

import gc
import os
from datetime import timedelta
from pathlib import Path

import pytest
from made_artifacts import FILES, LARGE, made, write
from namespace import in_a_namespace
from own_server import eventually

import wandb
from wandb.sdk.artifacts.exceptions import ArtifactFinalizedError, ArtifactNotLoggedError


def draft() -> wandb.Artifact:
    return wandb.Artifact("ds", type="dataset")


def content_of(artifact: wandb.Artifact, path: str) -> bytes:
    local = artifact.manifest.entries[path].local_path
    assert local is not None
    return Path(local).read_bytes()


def test_a_folder_is_added_with_its_paths(tmp_path: Path) -> None:
    write(tmp_path / "d")
    artifact = draft()
    artifact.add_dir("d")
    artifact.add_dir("d", name="below")
    assert set(artifact.manifest.entries) == {*FILES, *(f"below/{name}" for name in FILES)}
    assert {path: content_of(artifact, path) for path in FILES} == FILES
    assert artifact.size == 2 * sum(map(len, FILES.values()))


def test_a_mutable_file_is_taken_as_it_is_at_the_call(tmp_path: Path) -> None:
    for name, content in {"small": b"before", "large": LARGE}.items():
        (tmp_path / name).write_bytes(content)
    artifact = draft()
    for name in ("small", "large"):
        artifact.add_file(name)
        (tmp_path / name).write_bytes(b"after")
    assert content_of(artifact, "small") == b"before"
    assert content_of(artifact, "large") == LARGE


def test_an_immutable_large_file_costs_no_copy(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    artifact = draft()
    local = artifact.add_file("large", policy="immutable").local_path
    assert local is not None
    assert os.path.samefile(local, "large")
    (tmp_path / "large").unlink()
    assert content_of(artifact, "large") == LARGE


def test_an_unchanged_large_file_is_copied_once(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    os.utime("large", (1.0, 1.0))
    with wandb.init(mode="offline") as run:
        versions = []
        for number in range(2):
            artifact = wandb.Artifact(f"ds{number}", type="dataset")
            artifact.add_file("large", name=f"{number}.bin")
            versions.append(run.log_artifact(artifact).wait())
        inodes = {path.stat().st_ino for path in Path(run.sync_dir).rglob("*") if path.stat().st_size == len(LARGE)}
    assert len(inodes) == 1


def test_what_has_changed_is_copied_again(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    os.utime("large", (1.0, 1.0))
    with wandb.init(mode="offline") as run:
        first = run.log_artifact("large", name="ds").wait()
        with (tmp_path / "large").open("r+b") as file:
            file.write(b"changed")
        second = run.log_artifact("large", name="ds").wait()
    assert first.digest != second.digest
    assert Path(second.get_entry("large").download()).read_bytes()[:7] == b"changed"


@pytest.mark.parametrize(("mode", "written", "kept"), [("w", "second", b"second"), ("a", "second", b"firstsecond")])
def test_new_file_replaces_or_adds_to_what_is_there(mode: str, written: str, kept: bytes) -> None:
    artifact = draft()
    with artifact.new_file("a") as file:
        file.write("first")
    with artifact.new_file("a", mode=mode) as file:
        file.write(written)
    assert content_of(artifact, "a") == kept
    with pytest.raises(ValueError, match="mode='w' replaces it"), artifact.new_file("a"):
        pass


def test_a_block_that_raises_adds_nothing() -> None:
    artifact = draft()
    with pytest.raises(ZeroDivisionError), artifact.new_file("a") as file:
        file.write(str(1 / 0))
    assert artifact.manifest.entries == {}


def test_two_contents_under_one_path_are_refused_unless_one_replaces_the_other(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_text("two")
    artifact = draft()
    artifact.add_file("a", name="x")
    artifact.add_file("a", name="x")
    with pytest.raises(ValueError, match="overwrite=True"):
        artifact.add_file("b", name="x")
    artifact.add_file("b", name="x", overwrite=True)
    assert content_of(artifact, "x") == b"two"
    artifact.add_dir(write(tmp_path / "d", {"x": b"three"}), merge=True)
    assert content_of(artifact, "x") == b"three"


def test_a_file_can_be_called_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.table.json").write_text("{}")
    entry = draft().add_file("a.table.json", name="media/a.table.json", is_tmp=True)
    assert entry.path == "media/99914b932bd37a50b983.table.json"


def test_files_entries_and_folders_can_be_taken_out_again() -> None:
    artifact = made()
    artifact.remove("a.txt")
    artifact.remove(artifact.manifest.entries["empty"])
    artifact.remove("sub")
    assert set(artifact.manifest.entries) == {"large.bin"}
    with pytest.raises(FileNotFoundError, match="no file and no folder sub"):
        artifact.remove("sub")


def test_links_to_folders_are_followed_but_not_round_in_a_circle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "elsewhere", {"x": b"x"})
    write(tmp_path / "d", {"a": b"a"})
    (tmp_path / "d" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "d" / "round").symlink_to(tmp_path / "d")
    (tmp_path / "d" / "nothing").symlink_to(tmp_path / "absent")
    os.mkfifo(tmp_path / "d" / "pipe")
    artifact = draft()
    artifact.add_dir("d")
    assert set(artifact.manifest.entries) == {"a", "link/x"}
    said = capsys.readouterr().err
    assert all(name in said for name in ("round", "nothing", "pipe"))


@pytest.mark.parametrize("name", ["", "a/b", "a b", "a:b", "..", "ä", "x" * 129])
def test_names_that_no_artifact_can_have_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        wandb.Artifact(name, type="dataset")


@pytest.mark.parametrize(
    ("name", "type"), [("run-1-t", "run_table"), ("source-x", "code"), ("x", "job"), ("x", "wandb-h")]
)
def test_types_that_the_client_keeps_for_itself_are_refused(name: str, type: str) -> None:
    with pytest.raises(ValueError, match="another type"):
        wandb.Artifact(name, type=type)


@pytest.mark.parametrize("path", ["../a", "/a", "a/../../b", "", "C:\\x"])
def test_paths_that_lead_out_of_the_artifact_are_refused(path: str) -> None:
    artifact = draft()
    with pytest.raises(ValueError, match="no path in an artifact"), artifact.new_file(path):
        pass
    with pytest.raises(ValueError, match="no path in an artifact"):
        artifact.add_reference("s3://bucket/key", name=path, checksum=False)


def test_metadata_is_kept_as_json_and_bounded() -> None:
    artifact = wandb.Artifact("ds", type="dataset", metadata={"t": (1, 2), "n": {"x": None}})
    assert artifact.metadata == {"t": [1, 2], "n": {"x": None}}
    with pytest.raises(ValueError, match="100 are the most"):
        artifact.metadata = {str(key): 0 for key in range(101)}
    with pytest.raises(ValueError, match=r"n\.x is not finite"):
        artifact.metadata = {"n": {"x": float("nan")}}
    with pytest.raises(TypeError, match="is a dictionary"):
        artifact.metadata = [1]  # type: ignore[assignment]


def test_what_isnt_there_is_named(tmp_path: Path) -> None:
    write(tmp_path / "d")
    artifact = draft()
    with pytest.raises(ValueError, match="add_dir takes it"):
        artifact.add_file("d")
    with pytest.raises(ValueError, match="'absent' is no file"):
        artifact.add_file("absent")
    with pytest.raises(ValueError, match="add_file takes it"):
        artifact.add_dir("d/a.txt")
    with pytest.raises(ValueError, match="mutable, immutable"):
        artifact.add_file("d/a.txt", policy="frozen")


def test_a_draft_has_no_number_and_a_finalized_one_takes_nothing_more() -> None:
    artifact = made()
    for ask in ("version", "aliases", "qualified_name"):
        with pytest.raises(ArtifactNotLoggedError, match="log it first"):
            getattr(artifact, ask)
    with pytest.raises(AttributeError):
        artifact.download()
    artifact.finalize()
    with pytest.raises(ArtifactFinalizedError, match="new_draft"), artifact.new_file("b"):
        pass


def test_a_full_disk_is_an_error_and_the_draft_goes_on_when_there_is_room(tmp_path: Path) -> None:
    script = """
import errno, os, subprocess, sys
import wandb
def mount(options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", sys.argv[1]], check=True)
with open("large", "wb") as file:
    file.write(os.urandom(2 << 20))
mount("size=1m")
os.environ["WANDB_DIR"] = sys.argv[1]
artifact = wandb.Artifact("ds", type="dataset")
def small():
    for number in range(100):
        with artifact.new_file(f"small/{number}", mode="wb") as file:
            file.write(os.urandom(100_000))
        artifact.digest  # is written out when it is read
for add in (lambda: artifact.add_file("large"), small):
    try:
        add()
    except OSError as error:
        print(errno.errorcode[error.errno])
mount("remount,size=64m")
artifact.add_file("large")
with wandb.init(mode="offline", dir=sys.argv[1]) as run:
    version = run.log_artifact(artifact)
    version.verify(version.download("here"))
print(os.path.getsize("here/large"))
"""
    (tmp_path / "disk").mkdir()
    assert in_a_namespace(script, tmp_path / "disk") == ["ENOSPC", "ENOSPC", str(2 << 20)]


def test_a_time_to_live_is_a_timedelta() -> None:
    artifact = made()
    for wrong in (5, "1d"):
        with pytest.raises(TypeError, match="ttl is a timedelta"):
            artifact.ttl = wrong  # type: ignore[assignment]
    with pytest.raises(ValueError, match="above zero"):
        artifact.ttl = timedelta(0)


def test_a_draft_that_nobody_logs_leaves_nothing(tmp_path: Path) -> None:
    artifact = made()
    folder = tmp_path / "wandb" / ".staging"
    assert len(list(folder.iterdir())) == 1
    del artifact
    # Where another thread is collecting, this collects nothing, and what that thread found may not be gone yet.
    eventually(lambda: gc.collect() >= 0 and not list(folder.iterdir()))


def test_many_small_files_are_one(tmp_path: Path) -> None:
    write(tmp_path / "d", {f"{number % 7}/{number}": str(number % 100).encode() for number in range(500)})
    artifact = draft()
    artifact.add_dir("d")
    (folder,) = (tmp_path / "wandb" / ".staging").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["owner", "pack"]
    assert len(artifact.manifest) == 500
    assert content_of(artifact, "3/304") == b"4"


def test_on_a_full_disk_a_draft_says_which_and_the_run_goes_on(tmp_path: Path) -> None:
    script = """
import os, subprocess, sys
import wandb
folder, path = sys.argv[1], sys.argv[2]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
with wandb.init(mode="offline", dir=folder) as run:
    try:
        wandb.Artifact("ds", type="dataset").add_file(path)
    except OSError as error:
        print(error.filename == path, error.filename2.startswith(folder), error.strerror)
    print(run.save(path, base_path=os.path.dirname(path), policy="now"))
    run.log({"a": 1})
print(run.summary["a"])
"""
    (tmp_path / "disk").mkdir()
    (tmp_path / "large").write_bytes(LARGE)
    said = in_a_namespace(script, tmp_path / "disk", tmp_path / "large")
    assert said == ["True True No space left on device", "[]", "1"]

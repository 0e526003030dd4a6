"""Artifacts that were logged offline are whole: used, downloaded and drafted from at once, by this run and others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from logged import records_of
from made_artifacts import FILES, LARGE, contents, made, write

import wandb
from wandb.sdk.artifacts.exceptions import ArtifactNotLoggedError
from wandb_storage import Artifact as Record
from wandb_storage import staged_artifacts


def test_what_was_logged_is_downloaded_byte_for_byte() -> None:
    with wandb.init(mode="offline", project="p") as run:
        logged = run.log_artifact(made(metadata={"k": 1}, description="words"), aliases=["best"]).wait()
        assert (logged.name, logged.version, logged.aliases) == ("ds:v0", "v0", ["latest", "best"])
    with wandb.init(mode="offline", project="p") as run:
        used = run.use_artifact("ds:best", type="dataset")
        assert contents(used.download()) == FILES
        assert (used.metadata, used.description, used.digest, used.file_count) == ({"k": 1}, "words", logged.digest, 4)
        assert used.size == sum(map(len, FILES.values()))
        used.verify()
    assert contents("artifacts/ds:v0") == FILES


def test_versions_are_numbered_as_a_server_would() -> None:
    """Equal content is one version; an alias belongs to the one that got it last; the newest is the latest."""
    with wandb.init(mode="offline", project="p") as run:
        for content, aliases in ((b"1", ["x"]), (b"2", ["x", "y"]), (b"1", ["z"])):
            run.log_artifact(made(files={"a": content}), aliases=aliases)
        found = {alias: run.use_artifact(f"ds:{alias}").version for alias in ("x", "y", "z", "v0", "v1", "latest")}
    assert found == {"x": "v1", "y": "v1", "z": "v0", "v0": "v0", "v1": "v1", "latest": "v0"}


def test_the_record_names_what_is_staged() -> None:
    with wandb.init(mode="offline", project="p") as run:
        artifact = run.log_artifact(made(), aliases=["best"], tags=["t"])
        run.use_artifact(artifact)
    logged, used = records_of(run, Record)
    about = json.loads(logged.json)
    (staged,) = staged_artifacts(Path(run.sync_dir))
    assert (logged.name, logged.type, logged.aliases, logged.used) == ("ds", "dataset", ["best"], False)
    assert (about["staging"], about["tags"], about["finalize"]) == (staged.folder.name, ["t"], True)
    assert staged.header().digest == artifact.digest
    assert (used.used, used.name, json.loads(used.json)) == (True, "ds:v0", {"client_id": about["client_id"]})


def test_a_path_is_logged_as_an_artifact(tmp_path: Path) -> None:
    write(tmp_path / "d")
    with wandb.init(mode="offline", id="r") as run:
        folder = run.log_artifact("d", name="folder", type="dataset").wait()
        file = run.log_artifact(Path("d/a.txt")).wait()
        with pytest.raises(ValueError, match="no file, no folder and no address"):
            run.log_artifact("absent")
        with pytest.raises(TypeError, match=r"wandb\.Artifact or a path"):
            run.log_artifact(3)  # type: ignore[arg-type]
    assert (folder.type, folder.file_count) == ("dataset", 4)
    assert (file.type, file.name) == ("unspecified", "run-r-a.txt:v0")


def test_the_next_version_begins_with_this_one() -> None:
    with wandb.init(mode="offline", project="p") as run:
        run.log_artifact(made())
        draft = run.use_artifact("ds:latest").new_draft()
        draft.remove("a.txt")
        with draft.new_file("new") as file:
            file.write("more")
        run.log_artifact(draft)
        second = draft.wait()
        assert second.version == "v1"
        expected = {**FILES, "new": b"more"}
        del expected["a.txt"]
        assert contents(second.download()) == expected


def test_an_incremental_version_adds_to_the_one_before() -> None:
    with wandb.init(mode="offline", project="p") as run:
        run.log_artifact(made(files={"a": b"1", "b": b"2"}))
        run.log_artifact(made(files={"b": b"3", "c": b"4"}, incremental=True))
        used = run.use_artifact("ds:latest")
    assert contents(used.download()) == {"a": b"1", "b": b"3", "c": b"4"}
    assert used.digest == made(files={"a": b"1", "b": b"3", "c": b"4"}).digest


def test_several_writers_make_one_version() -> None:
    for number in range(2):
        with wandb.init(mode="offline", project="p", group="g") as run:
            part = run.upsert_artifact(made(files={str(number): b"part"}))
            with pytest.raises(ArtifactNotLoggedError):
                _ = part.version
    with wandb.init(mode="offline", project="p", group="g") as run:
        whole = run.finish_artifact(made(files={"last": b"part"})).wait()
    assert set(contents(whole.download())) == {"0", "1", "last"}
    with wandb.init(mode="offline") as run, pytest.raises(TypeError, match="a group, or a distributed_id"):
        run.upsert_artifact(made())


def test_models_are_artifacts_with_a_type(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(LARGE)
    with wandb.init(mode="offline", project="p") as run:
        run.log_model("model.bin", name="digits", aliases=["best"])
        run.log_artifact(made())
        assert Path(run.use_model("digits:best")).read_bytes() == LARGE
        with pytest.raises(AssertionError, match="'model' in its name"):
            run.use_model("ds:latest")
        with pytest.raises(AssertionError, match="is a path"):
            run.link_model("model.bin", "a/b")
        linked = run.link_model("model.bin", "registered", name="digits", aliases=["prod"])
        assert linked is not None
    link = json.loads(records_of(run, Record)[-1].json)["link"]
    assert (link["name"], link["project"], link["aliases"]) == ("registered", "model-registry", ["prod"])


def test_references_to_entries_of_other_artifacts_are_read_through() -> None:
    with wandb.init(mode="offline", project="p") as run:
        source = run.log_artifact(made()).wait()
        derived = wandb.Artifact("derived", type="dataset")
        derived.add_reference(source.get_entry("large.bin").ref_url(), name="big")
        again = wandb.Artifact("again", type="dataset")
        run.log_artifact(derived)
        again.add_reference(derived.wait().get_entry("big"), name="bigger")
        run.log_artifact(again)
        folder = again.wait().download()
        assert again.manifest.entries["bigger"].ref == source.get_entry("large.bin").ref_url()
    assert contents(folder) == {"bigger": LARGE}


def test_a_name_that_nobody_has_logged_is_an_error_that_says_where_was_looked() -> None:
    with wandb.init(mode="offline", project="p") as run:
        run.log_artifact(made())
        with pytest.raises(ValueError, match="this run is offline"):
            run.use_artifact("ds:v7")
        with pytest.raises(ValueError, match="has the type 'dataset', not 'model'"):
            run.use_artifact("ds:latest", type="model")
        with pytest.raises(ValueError, match="one is called NAME:ALIAS"):
            run.use_artifact("a/b/c/d:latest")


def test_projects_keep_their_artifacts_apart() -> None:
    for project in ("p", "q"):
        with wandb.init(mode="offline", project=project) as run:
            run.log_artifact(made(files={"a": project.encode()}))
    with wandb.init(mode="offline", project="r") as run:
        with pytest.raises(ValueError, match="put the project before the name"):
            run.use_artifact("ds:latest")
        assert contents(run.use_artifact("q/ds:latest").download()) == {"a": b"q"}


def test_the_same_artifact_can_be_logged_again_and_by_others() -> None:
    artifact = made()
    with wandb.init(mode="offline", project="p") as run:
        run.log_artifact(artifact)
        run.log_artifact(artifact, aliases=["twice"])
    with wandb.init(mode="offline", project="q") as run:
        run.log_artifact(artifact)
        assert contents(run.use_artifact("ds:latest").download()) == FILES
    with wandb.init(mode="offline", project="p") as run:
        assert run.use_artifact("ds:twice").version == "v0"


def test_only_files_below_a_prefix_and_files_that_changed_are_written(tmp_path: Path) -> None:
    with wandb.init(mode="offline", project="p") as run:
        used = run.log_artifact(made()).wait()
    assert contents(used.download("partly", path_prefix="sub/")) == {"sub/b.bin": FILES["sub/b.bin"]}
    folder = Path(used.download("whole"))
    before = {path: path.stat().st_ino for path in folder.rglob("*") if path.is_file()}
    (folder / "a.txt").write_text("edited")
    (folder / "stranger").write_text("mine")
    used.download("whole")
    assert {path for path, inode in before.items() if path.stat().st_ino != inode} == {folder / "a.txt"}
    with pytest.raises(ValueError, match="stranger is no file of the artifact"):
        used.verify("whole")
    used.checkout("whole")
    assert contents("whole") == FILES
    (folder / "a.txt").write_bytes(b"olleh")
    with pytest.raises(ValueError, match=r"a\.txt in whole is another file"):
        used.verify("whole")


def test_a_file_where_a_folder_belongs_is_told_and_the_rest_comes(capsys: pytest.CaptureFixture[str]) -> None:
    with wandb.init(mode="offline", project="p") as run:
        version = run.log_artifact(made(files={"a": b"1", "b/c": b"2"}))
    Path("here/a").mkdir(parents=True)
    Path("here/b").write_bytes(b"mine")
    version.download("here")
    assert contents("here") == {"b": b"mine"}
    assert capsys.readouterr().err.count("stands where a folder belongs") == 2


def test_a_file_of_a_version_is_found_alone() -> None:
    with wandb.init(mode="offline", project="p") as run:
        used = run.log_artifact(made()).wait()
        one = run.log_artifact(made("one", {"only": b"x"})).wait()
    entry = used.get_entry("sub/b.bin")
    assert Path(entry.download("here")).read_bytes() == FILES["sub/b.bin"]
    assert [file.name for file in used.files()] == sorted(FILES)
    assert [file.size for file in used.files(["a.txt"])] == [5]
    assert Path(one.file()).read_bytes() == b"x"
    with pytest.raises(ValueError, match="holds 4 files"):
        used.file()
    with pytest.raises(KeyError, match="holds no absent"):
        used.get_entry("absent")


def test_a_run_that_records_nothing_takes_everything() -> None:
    with wandb.init(mode="disabled") as run:
        logged = run.log_artifact(made(), aliases=["best"]).wait()
        assert contents(logged.download()) == FILES
        assert run.use_artifact("anything:latest").download()
        run.log_model("artifacts/ds:v0/a.txt", name="m")
    assert not Path("wandb").exists()


DIES = """
import os, signal, sys, wandb
run = wandb.init(mode="offline", project="p")
artifact = wandb.Artifact("ds", type="dataset")
with artifact.new_file("small") as file:
    file.write("small")
artifact.add_file(sys.argv[1], name="large")
run.log_artifact(artifact)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_has_logged_is_whole(tmp_path: Path) -> None:
    """Though its large file was perhaps not hashed yet."""
    (tmp_path / "large").write_bytes(LARGE * 20)
    subprocess.run([sys.executable, "-c", DIES, "large"], check=False)
    (tmp_path / "large").write_bytes(b"gone")
    with wandb.init(mode="offline", project="p") as run:
        assert contents(run.use_artifact("ds:latest").download()) == {"small": b"small", "large": LARGE * 20}


def test_a_child_process_logs_artifacts_to_its_parents_run() -> None:
    with wandb.init(mode="offline", project="p") as run:
        child = os.fork()
        if not child:
            run.log_artifact(made()).wait()
            run.finish()
            os._exit(0)
        os.waitpid(child, 0)
        assert contents(run.use_artifact("ds:latest").download()) == FILES

"""References: what stores say of their objects, and what is read when one has changed, is gone or is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, List

import pytest
from made_artifacts import contents, write
from referred import entries
from stores import OBJECTS, WebServer

import wandb
from wandb.errors import CommError
from wandb.sdk.artifacts.artifact_file_cache import get_artifact_file_cache

HERE = Path(__file__).parent


def logged(*uris: str, **more: Any) -> wandb.Artifact:
    """A version that refers to these addresses."""
    artifact = wandb.Artifact("refs", type="dataset")
    for uri in uris:
        artifact.add_reference(uri, **more)
    with wandb.init(mode="offline") as run:
        return run.log_artifact(artifact).wait()


def entry_of(uri: str, **more: Any) -> Any:
    (entry,) = wandb.Artifact("refs", type="dataset").add_reference(uri, **more)
    return entry


def test_entries_are_those_of_the_official_client(s3: Any, web: WebServer) -> None:
    assert entries(web.url) == json.loads((HERE / "official_references.json").read_text())


def test_objects_are_downloaded_and_then_come_from_the_cache(s3: Any, web: WebServer) -> None:
    artifact = logged("s3://plain", "gs://bucket/folder", f"{web.url}/with-etag.csv", f"{web.url}/without-etag.csv")
    expected = {**OBJECTS, "a.txt": b"hello", "sub/b.bin": OBJECTS["folder/sub/b.bin"]}
    expected.update({"with-etag.csv": b"a,b\n1,2\n", "without-etag.csv": b"a\n"})
    assert contents(artifact.download()) == expected
    served = dict(web.served)
    assert contents(artifact.download("again")) == expected
    assert web.served == served
    assert get_artifact_file_cache().cleanup(1 << 30).before == sum(map(len, expected.values()))


def test_a_version_that_a_bucket_keeps_is_what_was_referred_to(s3: Any) -> None:
    s3.put_object(Bucket="kept", Key="versions/x.bin", Body=b"before")
    by_etag, by_version = logged("s3://kept/versions"), logged("s3://kept/versions/x.bin")
    first = by_version.manifest.entries["x.bin"].extra["versionID"]
    s3.put_object(Bucket="kept", Key="versions/x.bin", Body=b"after")
    assert contents(by_etag.download("one")) == {"x.bin": b"before"}
    assert contents(by_version.download("two")) == {"x.bin": b"before"}
    named = logged(f"s3://kept/versions/x.bin?versionId={first}")
    assert named.manifest.entries["x.bin"].ref == "s3://kept/versions/x.bin"
    assert contents(named.download("three")) == {"x.bin": b"before"}
    with pytest.raises(ValueError, match="there is no version absent"):
        entry_of("s3://kept/versions/x.bin?versionId=absent")


def test_an_object_that_has_changed_without_a_version_is_not_taken_for_it(s3: Any, web: WebServer) -> None:
    s3.put_object(Bucket="plain", Key="changing/x", Body=b"before")
    artifact = logged("s3://plain/changing/x")
    s3.put_object(Bucket="plain", Key="changing/x", Body=b"after")
    with pytest.raises(FileNotFoundError, match="has changed, and the bucket keeps no version of it"):
        artifact.download()
    page = logged(f"{web.url}/with-etag.csv")
    web.pages["/with-etag.csv"] = (b"other", '"etag-9"')
    with pytest.raises(ValueError, match="its ETag was etag-1 and is etag-9"):
        page.download("page")


def test_what_is_gone_can_be_left_out(s3: Any, web: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    s3.put_object(Bucket="plain", Key="going/x", Body=b"x")
    artifact = logged("s3://plain/going/x", f"{web.url}/with-etag.csv", f"{web.url}/without-etag.csv")
    s3.delete_object(Bucket="plain", Key="going/x")
    del web.pages["/with-etag.csv"]
    with pytest.raises(FileNotFoundError):
        artifact.download("all")
    assert contents(artifact.download("some", allow_missing_references=True)) == {"without-etag.csv": b"a\n"}
    assert "there is nothing at" in capsys.readouterr().err


def test_a_folder_is_not_what_only_begins_like_it(s3: Any) -> None:
    for key in ("near/a", "nearby/b", "near.txt"):
        s3.put_object(Bucket="plain", Key=key, Body=b"x")
    artifact = wandb.Artifact("refs", type="dataset")
    assert [entry.path for entry in artifact.add_reference("s3://plain/near")] == ["a"]


def test_more_objects_than_allowed_are_refused_and_not_left_out(s3: Any, tmp_path: Path) -> None:
    write(tmp_path / "d", {str(number): b"" for number in range(5)})
    for uri in ("s3://plain", "gs://bucket", f"file://{tmp_path / 'd'}"):
        with pytest.raises(ValueError, match="holds more than 1 objects; allow more with max_objects"):
            wandb.Artifact("refs", type="dataset").add_reference(uri, max_objects=1)
    assert len(wandb.Artifact("refs", type="dataset").add_reference(f"file://{tmp_path / 'd'}", max_objects=5)) == 5


def test_stores_that_refuse_say_why(s3: Any) -> None:
    with pytest.raises(CommError, match="NoSuchBucket"):
        entry_of("s3://absent/folder")
    with pytest.raises(CommError, match="absent"):
        entry_of("gs://absent/folder")
    with pytest.raises(ValueError, match="there is no object at s3://plain/nothing"):
        entry_of("s3://plain/nothing")
    with pytest.raises(CommError, match="can't be reached"):
        entry_of("http://127.0.0.1:1/x")


def test_addresses_that_make_no_sense_are_named() -> None:
    artifact = wandb.Artifact("refs", type="dataset")
    with pytest.raises(ValueError, match="it is file:///data/x"):
        artifact.add_reference("/data/x")
    with pytest.raises(ValueError, match="names no bucket"):
        artifact.add_reference("s3:///key", checksum=False)
    with pytest.raises(ValueError, match="give the reference a name"):
        artifact.add_reference("ftp://host/file")
    (entry,) = artifact.add_reference("ftp://host/file", name="x")
    assert (entry.path, entry.ref, entry.digest) == ("x", "ftp://host/file", "ftp://host/file")
    with pytest.raises(ValueError, match="nobody here can look at ftp"):
        logged("ftp://host/file", name="x").download()


def test_files_of_this_machine_are_referred_to_by_content_or_by_path(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", {"a": b"one", "sub/b": b"two"})
    artifact = logged(f"file://{folder}")
    assert contents(artifact.download("one")) == {"a": b"one", "sub/b": b"two"}
    unchecked = logged(f"file://{folder}", checksum=False)
    (folder / "a").write_bytes(b"other")
    assert contents(unchecked.download("two")) == {"a": b"other", "sub/b": b"two"}
    with pytest.raises(ValueError, match="which has changed since"):
        artifact.download("three")
    (folder / "a").unlink()
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        artifact.download("four")
    with pytest.raises(ValueError, match="no file and no folder"):
        entry_of("file:///absent/x")


@pytest.mark.parametrize(("address", "advice"), [("s3://b/x", "wandb[aws]"), ("gs://b/x", "wandb[gcp]")])
def test_a_store_whose_library_is_missing_says_how_to_install_it(address: str, advice: str) -> None:
    script = f"""
import sys
sys.modules.update(dict.fromkeys(["boto3", "botocore", "google.cloud.storage", "google.cloud"]))
import wandb
try:
    wandb.Artifact("ds", type="dataset").add_reference("{address}")
except wandb.Error as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"pip install '{advice}'" in done.stdout
    assert done.stdout.count("\n") == 1


def test_what_is_no_file_in_a_folder_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Reading a pipe would wait for ever."""
    folder = write(tmp_path / "d", {"a": b"one"})
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to("nowhere")
    artifact = wandb.Artifact("ds", type="dataset")
    assert [entry.path for entry in artifact.add_reference(f"file://{folder}")] == ["a"]
    artifact.add_dir(str(folder))
    assert sorted(artifact.manifest.entries) == ["a"]
    assert "pipe is no file" in capsys.readouterr().err


def test_a_reference_that_came_before_is_left_as_it_is(web: WebServer) -> None:
    artifact = logged(f"{web.url}/with-etag.csv")
    folder = Path(artifact.download(skip_cache=True))
    artifact.download(skip_cache=True)
    assert web.served["/with-etag.csv"] == 2, "once to look, once to download"
    (folder / "with-etag.csv").write_text("edited")
    artifact.download(skip_cache=True)
    assert (folder / "with-etag.csv").read_bytes() == b"a,b\n1,2\n"


BARE = """
import sys
for name in ("boto3", "google.cloud"):
    sys.modules[name] = None
import wandb
for uri in ("s3://bucket/key", "gs://bucket/key"):
    try:
        wandb.Artifact("refs", type="dataset").add_reference(uri)
    except wandb.Error as error:
        print(error)
wandb.Artifact("refs", type="dataset").add_reference("s3://bucket/key", checksum=False)
"""


def test_a_missing_library_is_named_and_only_where_it_is_needed() -> None:
    said: List[str] = subprocess.run(
        [sys.executable, "-c", BARE], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert ["pip install 'wandb[aws]'" in said[0], "pip install 'wandb[gcp]'" in said[1]] == [True, True]

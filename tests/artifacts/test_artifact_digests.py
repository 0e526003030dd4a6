"""Digests and manifests are those of the protocol: vectors that were verified by recomputation."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_artifacts import made

import wandb
from wandb.sdk.artifacts.artifact_manifest import ArtifactManifest
from wandb_storage import encoded, new_hash

# protocol: entries empty, f1.txt, a reference without a checksum, and ten times all bytes.
VECTOR = "f45742e40c7696502cb9b3babfedecef"


def vector() -> wandb.Artifact:
    artifact = made(files={"f1.txt": b"file one\n", "empty": b"", "sub/f2.bin": bytes(range(256)) * 10})
    artifact.add_reference("https://example.invalid/file.csv", name="ref.csv", checksum=False)
    return artifact


def test_an_artifacts_digest_is_that_of_the_protocol() -> None:
    artifact = vector()
    assert artifact.digest == VECTOR
    assert {path: entry.digest for path, entry in artifact.manifest.entries.items()} == {
        "empty": "1B2M2Y8AsgTpgAmY7PhCfg==",
        "f1.txt": "Oev02lg+noFxO+pt2P3zcA==",
        "ref.csv": "https://example.invalid/file.csv",
        "sub/f2.bin": "muxfoxL+/3odFbE1GB/+BA==",
    }


def test_the_order_of_adding_changes_nothing() -> None:
    names = ["b", "a/c", "a.b", "A", "ä", "a/b"]
    assert made(files={name: name.encode() for name in names}).digest == (
        made(files={name: name.encode() for name in reversed(names)}).digest
    )


def test_a_large_file_has_the_same_digest_as_if_it_were_small(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000
    (tmp_path / "large").write_bytes(content)
    artifact = wandb.Artifact("ds", type="dataset")
    entry = artifact.add_file("large")
    expected = new_hash()
    expected.update(content)
    assert wandb.Artifact("ds", type="dataset").add_file("large").digest == entry.digest
    assert entry.digest == encoded(expected)


def test_a_manifest_reads_back_as_what_it_was() -> None:
    artifact = vector()
    again = ArtifactManifest.from_manifest_json(artifact.manifest.to_manifest_json())
    assert again.digest() == VECTOR
    assert again.to_manifest_json() == artifact.manifest.to_manifest_json()


@pytest.mark.parametrize("path", ["../up", "/root", "a/../../b", "C:/x", "a\\..\\..\\b", "."])
def test_a_manifest_with_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    document = {"version": 1, "contents": {path: {"digest": "1B2M2Y8AsgTpgAmY7PhCfg==", "size": 0}}}
    with pytest.raises(ValueError, match="no path in an artifact"):
        ArtifactManifest.from_manifest_json(document)


def test_the_fast_digest_says_in_each_entry_which_it_is() -> None:
    artifact = made(files={"a": b"hello"}, digest_algorithm="XXH128")
    entry = artifact.manifest.entries["a"]
    expected = new_hash("XXH128")
    expected.update(b"hello")
    assert entry.extra == {"alg": "XXH128"}
    assert entry.digest == encoded(expected)
    assert len(artifact.digest) == 32

"""The artifacts of an official run: their files are staged with the import, where they are what the record says."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Dict, List, Tuple

import official_files as official

from wandb_storage import Artifact, OfficialImport, Reader, Staged, artifact_folder, import_official


def digest(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def entry(path: str, content: bytes, local_path: str = "", **more: Any) -> bytes:
    fields: List[Tuple[int, official.Value]] = [(1, path), (2, digest(content)), (4, len(content))]
    if local_path:
        fields.append((6, local_path))
    return official.message(*fields, *((16, official.message((1, key), (2, json.dumps(more[key])))) for key in more))


def artifact(name: str, *entries: bytes, more: Tuple[Tuple[int, official.Value], ...] = ()) -> bytes:
    manifest = official.message((1, 1), *((4, one) for one in entries))
    return official.record(
        official.ARTIFACT, (4, "dataset"), (5, name), (6, "d1"), (11, "latest"), (12, manifest), (14, 1),
        (15, f"client-{name}"), (16, f"sequence-{name}"), *more,
    )  # fmt: skip


def staged_copy(home: Path, name: str, content: bytes) -> str:
    """A file in the folder where the official client keeps copies."""
    path = home / "staging" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o400)
    return str(path)


def imported(home: Path, *records: bytes) -> OfficialImport:
    return import_official(official.write_official(home, [official.run(), *records, official.exit_record(0)]))


def logged(found: OfficialImport) -> List[Tuple[Artifact, Dict[str, Any], Staged]]:
    with Reader(found.folder) as reader:
        records = [one.record for one in reader.entries() if isinstance(one.record, Artifact)]
    abouts = [json.loads(record.json) for record in records]
    folders = [artifact_folder(found.folder, about["staging"]) for about in abouts]
    return [(record, about, Staged(folder)) for record, about, folder in zip(records, abouts, folders)]


def test_files_come_along_with_all_that_the_record_says(tmp_path: Path) -> None:
    large = os.urandom(2 << 20)
    entries = (
        entry("z.txt", b"small", staged_copy(tmp_path, "t1", b"small"), kind="x"),
        entry("a/large.bin", large, staged_copy(tmp_path, "t2", large)),
        official.message((1, "ref"), (2, "https://host/x"), (3, "https://host/x")),
        official.message((1, "old"), (2, digest(b"old")), (4, 3), (7, "QXJ0aWZhY3Q6MQ==")),
    )
    more = ((7, "words"), (8, '{"k": 1}'), (10, 1), (13, "together"), (18, 60), (19, "t1"), (19, "t2"), (100, 1))
    found = imported(tmp_path, artifact("ds", *entries, more=more))
    assert found.whole
    assert found.files_left_out == {}
    [(record, about, staged)] = logged(found)
    assert (record.name, record.type, record.digest, record.aliases) == ("ds", "dataset", "d1", ["latest"])
    about.pop("staging")
    assert about == {
        "description": "words", "metadata": {"k": 1}, "client_id": "client-ds", "sequence_client_id": "sequence-ds",
        "distributed_id": "together", "use": True, "finalize": True, "incremental": True, "ttl": 60,
        "tags": ["t1", "t2"],
    }  # fmt: skip
    staged.finish()
    by_path = {one.path: one for one in staged.entries()}
    assert list(by_path) == ["a/large.bin", "old", "ref", "z.txt"]
    for path, content in (("z.txt", b"small"), ("a/large.bin", large)):
        with staged.open(by_path[path]) as file:
            assert file.read() == content
    assert by_path["z.txt"].extra == {"kind": "x"}
    assert (by_path["ref"].ref, by_path["ref"].is_here) == ("https://host/x", False)
    assert by_path["old"].birth == "QXJ0aWZhY3Q6MQ=="


def test_a_file_that_is_not_what_the_record_says_is_left_alone(tmp_path: Path) -> None:
    """Whoever sends somebody a run's folder gets at no file whose content he doesn't know."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    os.mkfifo(tmp_path / "pipe")
    entries = (
        entry("guessed", b"sesame", str(secret)),
        entry("longer", b"a guess", str(secret)),
        entry("pipe", b"", str(tmp_path / "pipe")),
        entry("gone", b"gone", str(tmp_path / "gone")),
        entry("folder", b"", str(tmp_path)),
    )
    found = imported(tmp_path, artifact("ds", *entries))
    [(_, _, staged)] = logged(found)
    assert not any(one.is_here for one in staged.entries())
    assert not (staged.folder / "pack").exists()
    assert list(found.files_left_out) == ["artifact ds"]
    assert found.files_left_out["artifact ds"].startswith("5 of 5 files are gone, or not what they were (folder)")


def test_one_that_was_logged_twice_is_one(tmp_path: Path) -> None:
    one = entry("a", b"a", staged_copy(tmp_path, "t1", b"a"))
    first, second = logged(imported(tmp_path, artifact("ds", one), artifact("ds", one)))
    assert first[2].folder == second[2].folder
    assert first[0].time < second[0].time


def test_a_manifest_in_a_file_of_its_own_is_read(tmp_path: Path) -> None:
    lines = [
        {"path": f"{number:03}", "digest": digest(b"%d" % number), "size": len(b"%d" % number), "extra": {},
         "local_path": staged_copy(tmp_path, f"t{number}", b"%d" % number), "skip_cache": True}
        for number in range(20)
    ]  # fmt: skip
    manifest = tmp_path / "1.manifest_contents.jl.gz"
    with gzip.open(manifest, "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    record = official.record(
        official.ARTIFACT, (4, "t"), (5, "many"), (12, official.message((1, 1), (5, str(manifest)))), (14, 1),
        (15, "c"), (16, "s"),
    )  # fmt: skip
    [(_, _, staged)] = logged(imported(tmp_path, record))
    found = list(staged.entries())
    assert [one.path for one in found] == [line["path"] for line in lines]
    assert all(one.is_here and one.skip_cache for one in found)


def test_what_is_no_artifact_is_counted_and_the_rest_comes_over(tmp_path: Path) -> None:
    damaged = [
        official.record(official.ARTIFACT, (4, "t"), (5, "without-an-id"), (14, 1)),
        artifact("without-a-path", official.message((2, "x"))),
        artifact("other-digests", more=((20, "MANIFEST_SHA3"),)),
        official.record(
            official.ARTIFACT, (5, "m"), (15, "c"), (16, "s"), (12, official.message((5, str(tmp_path / "no"))))
        ),
    ]
    found = imported(tmp_path, *damaged, official.row(0, {"loss": 1}))
    assert (found.kept.unreadable, found.kept.rows) == (4, 1)
    assert logged(found) == []
    assert not (found.folder / "artifacts").exists()

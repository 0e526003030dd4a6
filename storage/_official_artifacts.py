"""The artifacts of an official run: what it has staged becomes staged files of ours.

The official client keeps copies of an artifact's files in a folder of the user's, and its record names them by their
paths; of files that nobody changes, as `policy="immutable"` promises, it names the user's own, and a relative path is
most likely one from the folder that holds the wandb directory. A file is taken only where it has the digest that the
record gives it: whoever sends somebody a run's folder can't fetch files with it whose content he doesn't know. What is
gone meanwhile stays an entry without bytes: the server may have them, or the cache.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union

from ._decode import Undecodable
from ._digests import ALGORITHMS, MD5, DigestUnavailable, hash_descriptor
from ._official_records import fields_of, json_of, number_of, text_of
from ._protobuf import protobuf_fields as fields
from ._protobuf import signed
from ._records import Artifact
from ._rows import dump_json
from ._staging import ARTIFACTS_FOLDER, StagedEntry, StagedHeader
from ._staging_writer import Added, StagingWriter

_ENTRIES_MAX = 10_000_000
_LINE_BYTES_MAX = 1 << 20
_KEY_CHARACTERS = 32
_ALGORITHM_PREFIX = "MANIFEST_"
# Field numbers of the record, for what a log of ours calls so.
_TEXTS = {7: "description", 13: "distributed_id", 15: "client_id", 16: "sequence_client_id", 17: "base_id"}
_FLAGS = {10: "use", 14: "finalize", 100: "incremental"}
_ENTRY_TEXTS = {1: "path", 2: "digest", 3: "ref", 6: "local_path", 7: "birth"}


class _Entry(NamedTuple):
    path: str
    digest: str
    size: int
    ref: Optional[str] = None
    local_path: str = ""
    birth: Optional[str] = None
    extra: Mapping[str, Any] = {}
    skip_cache: bool = False


class ArtifactImport:
    """Takes the artifacts of one official run into the folder of its import."""

    def __init__(self, wandb_folder: Path, run_folder: Path, left_out: Dict[str, str]) -> None:
        """left_out: is told which artifact's files are gone."""
        self._wandb_folder, self._run_folder, self._left_out = wandb_folder, run_folder, left_out
        self._count = 0

    def take(self, body: bytes, time: float) -> Artifact:
        """The record of ours for one of theirs, whose files are staged then. Raises Undecodable, OSError."""
        found = dict(fields(body))
        name, kind = text_of(found.get(5, b"")), text_of(found.get(4, b""))
        aliases = [text_of(value) for number, value in fields(body) if number == 11]
        about = _about(found, [text_of(value) for number, value in fields(body) if number == 19])
        algorithm = text_of(found.get(20, b"")).replace(_ALGORITHM_PREFIX, "") or MD5
        if algorithm not in ALGORITHMS:
            raise Undecodable(f"an artifact's digests are of the kind {algorithm!r}")
        self._count += 1
        time += self._count * 1e-6  # it has none of its own; their order counts
        entries = sorted(_entries(found.get(12, b"")), key=lambda entry: entry.path)
        whole = {**about, "name": name, "type": kind, "aliases": aliases, "time": time}
        about["staging"] = self._stage(whole, algorithm, entries)
        return Artifact(False, name, kind, text_of(found.get(6, b"")), aliases, dump_json(about), time)

    def _stage(self, about: Dict[str, Any], algorithm: str, entries: List[_Entry]) -> str:
        key = hashlib.sha256(about["client_id"].encode()).hexdigest()[:_KEY_CHARACTERS]
        target = self._run_folder / ARTIFACTS_FOLDER / key
        if target.exists():
            return key  # logged twice: it is one artifact
        writer = StagingWriter(self._wandb_folder, algorithm)
        try:
            gone: List[str] = []
            staged = [self._entry(writer, algorithm, entry, gone) for entry in entries]
            header = StagedHeader(about, algorithm, files=len(staged), size=sum(entry.size for entry in staged))
            writer.log(header, staged, target)
        except BaseException:
            writer.discard()
            raise
        writer.take_lock().close()
        writer.close()
        if gone:
            self._left_out[f"artifact {about['name']}"] = (
                f"{len(gone):,} of {len(entries):,} files are gone, or not what they were ({gone[0]}): it can be "
                "uploaded where the server or the cache has them"
            )
        return key

    def _entry(self, writer: StagingWriter, algorithm: str, entry: _Entry, gone: List[str]) -> StagedEntry:
        added = None
        if entry.local_path and entry.ref is None:
            with contextlib.suppress(FileNotFoundError, PermissionError, DigestUnavailable):
                added = _take(writer, algorithm, entry, self._wandb_folder.parent / entry.local_path)
        if added is None and entry.ref is None and entry.birth is None:
            gone.append(entry.path)
        return StagedEntry(
            entry.path, entry.digest, entry.size, None if added is None else added.pack,
            "" if added is None else added.file, entry.ref, entry.birth, entry.extra, entry.skip_cache,
        )  # fmt: skip


def _take(writer: StagingWriter, algorithm: str, entry: _Entry, path: Path) -> Optional[Added]:
    """The file of an entry, where it is the one that was logged."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size != entry.size:
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if hash_descriptor(descriptor, algorithm) != entry.digest:
            return None
    finally:
        os.close(descriptor)
    return writer.add_file(str(path), immutable=True)


def _about(found: Dict[int, Union[int, bytes]], tags: List[str]) -> Dict[str, Any]:
    about: Dict[str, Any] = {name: text_of(found[number]) for number, name in _TEXTS.items() if found.get(number)}
    about.update({name: True for number, name in _FLAGS.items() if found.get(number)})
    about.setdefault("finalize", False)
    if not about.get("client_id") or not about.get("sequence_client_id"):
        raise Undecodable("an artifact has no id")
    if found.get(8):
        about["metadata"] = json_of(found[8])
    if found.get(18):
        about["ttl"] = signed(number_of(found[18]))
    if tags:
        about["tags"] = tags
    return about


# --- the manifest -----------------------------------------------------------------------------------------------------


def _entries(raw: Union[int, bytes]) -> Iterator[_Entry]:
    for number, value in fields_of(raw):
        if number == 4:
            yield _parse(value)
        elif number == 5 and value:
            yield from _entries_of_file(text_of(value))


def _parse(raw: Union[int, bytes]) -> _Entry:
    found = dict(fields_of(raw))
    texts = {name: text_of(found[number]) for number, name in _ENTRY_TEXTS.items() if found.get(number)}
    extra = dict(_extra(value) for number, value in fields_of(raw) if number == 16)
    size, skip_cache = number_of(found.get(4, 0)), bool(found.get(8))
    return _checked(_Entry(**{"path": "", "digest": "", **texts}, size=size, extra=extra, skip_cache=skip_cache))


def _extra(raw: Union[int, bytes]) -> Tuple[str, Any]:
    found = dict(fields_of(raw))
    return text_of(found.get(1, b"")), json_of(found.get(2, b"null"))


def _entries_of_file(path: str) -> Iterator[_Entry]:
    """A manifest of more than a hundred thousand entries stands in a file beside the staged ones."""
    try:
        with gzip.open(path) as file:
            for _ in range(_ENTRIES_MAX):
                line = file.readline(_LINE_BYTES_MAX)
                if not line:
                    return
                one = json.loads(line)
                yield _checked(
                    _Entry(
                        str(one["path"]), str(one["digest"]), int(one.get("size") or 0), one.get("ref"),
                        str(one.get("local_path") or ""), one.get("birthArtifactID"), dict(one.get("extra") or {}),
                        bool(one.get("skip_cache")),
                    )
                )  # fmt: skip
    except (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Undecodable(f"the manifest of an artifact, {path}, can't be read: {error}") from None


def _checked(entry: _Entry) -> _Entry:
    if not entry.path or not entry.digest:
        raise Undecodable("an entry of an artifact has no path or no digest")
    return entry

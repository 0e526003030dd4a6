"""Artifacts of a run, in the order in which it logged and used them: each once in effect.

An artifact is made at the server under an id that the log holds (`clientID`), its files go to where the server wants
them, then the manifest, and the commit gives it its number. Each step can be repeated: the server finds the artifact by
its id, has no address for files that are there, and answers for a committed one that it is. What the server refuses is
parked alone, with its words; the next one goes on.

`ArtifactSender` is advanced by the run's worker and never waits long. The steps of one artifact are a generator, which
yields where it waits for the threads; a failure that passes ends it, and the next call begins it anew.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import time
from concurrent.futures import wait
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Generator, List, Mapping, Optional, Sequence, Tuple, TypeVar, cast

from wandb_storage import (
    MD5,
    Artifact,
    FileSlice,
    LogDamaged,
    LogInUse,
    LogNotFound,
    NewerFormat,
    ObjectCache,
    Staged,
    StagedEntry,
    StagedHeader,
    artifact_folder,
)

from . import _artifact_documents as documents
from ._artifact_cache import artifact_cache
from ._artifact_files import HASHED_AT_ONCE, PARTS_BYTES_MIN, FileUploads, Open, Upload, file_specs, hash_part, parts_of
from ._artifact_manifest import NAME, ManifestFile, headers_of
from ._cursor import ArtifactProgress, ArtifactUnderWay, Cursor
from ._destination import Destination
from ._errors import Refused, TransientError
from ._send_files import TRANSIENT_ERRNOS

# Files whose addresses are asked for at once, and how many may wait for the threads: addresses expire.
FILES_PER_REQUEST = 1000
_FILES_WAITING_MAX = 2000
# The cursor is kept so often while an artifact is under way: a crash repeats at most so much.
_SAVE_SECONDS = 1.0
_XXHASH_FEATURE = "ARTIFACT_DIGEST_ALGORITHM"

T = TypeVar("T")
Steps = Generator[bool, None, T]  # each says whether something has moved


class ArtifactSender:
    """The artifacts of one run that are on their way. Not safe between threads."""

    def __init__(
        self, destination: Destination, folder: Path, cursor: Cursor, save: Callable[[], None], release: bool
    ) -> None:
        """release: whether files that the server has may leave the run's folder for the cache."""
        self._destination, self._folder, self._cursor, self._save = destination, folder, cursor, save
        self._release = release
        self._steps: Optional[Steps[None]] = None
        self._saved_at = time.monotonic()

    def advance(self, logged: Sequence[Mapping[str, Any]], seconds: float) -> bool:
        """Go on with the next of the records that are acknowledged, `logged`, for so long; whether something has moved.
        Raises TransientError."""
        moved = False
        until = time.monotonic() + seconds
        while self._next < len(logged):
            if self._steps is None:
                self._steps = self._one(Artifact(**logged[self._next]))
            try:
                stepped = next(self._steps)
            except StopIteration:
                self._steps = None
                self._done("")
                moved = True
                continue
            except (Refused, LogDamaged, LogNotFound, NewerFormat, OSError) as error:
                self._steps = None
                if isinstance(error, OSError) and error.errno in TRANSIENT_ERRNOS:
                    raise TransientError(f"the files of an artifact can't be read now: {error.strerror}") from error
                self._done(f"a file is not to be had: {error}" if isinstance(error, OSError) else str(error))
                moved = True
                continue
            except BaseException:
                self._steps = None
                raise
            moved |= stepped
            self._beat()
            if time.monotonic() >= until:
                break
        return moved

    def close(self) -> None:
        """Forget what is not under way; what is under way ends by itself."""
        self._steps = None

    @property
    def _next(self) -> int:
        again = self._cursor.artifacts_again
        return again[0] if again else self._cursor.artifacts

    def _done(self, refusal: str) -> None:
        cursor = self._cursor
        if refusal:
            cursor.parked_artifacts[str(self._next)] = refusal
        if cursor.artifacts_again:
            cursor.artifacts_again.pop(0)
        else:
            cursor.artifacts += 1
        cursor.artifact = cursor.artifact_progress = None
        self._save()

    def _beat(self) -> None:
        """Tell, now and then, that the artifact is being worked on, and keep how far it has come."""
        if time.monotonic() - self._saved_at > _SAVE_SECONDS:
            if self._cursor.artifact_progress is not None:
                self._cursor.artifact_progress.beats += 1
            self._save()
            self._saved_at = time.monotonic()

    # --- one record ---------------------------------------------------------------------------------------------------

    def _one(self, record: Artifact) -> Steps[None]:
        about = _about(record)
        if record.used:
            self._use(self._id_of(about), record.name)
        elif "link" in about:
            self._link(self._id_of(about), about["link"])
        elif "staging" in about:
            yield from self._send(record, about, Staged(artifact_folder(self._folder, str(about["staging"]))))

    def _graphql(self, operation: str, document: str, variables: Mapping[str, Any]) -> Dict[str, Any]:
        return self._destination.transport().graphql(operation, document, variables)

    def _place(self) -> Tuple[str, str, str]:
        bucket = self._cursor.bucket
        assert bucket is not None
        return bucket.entity, bucket.project, bucket.name

    def _id_of(self, about: Mapping[str, Any]) -> str:
        """The server's id of the artifact that a record names. Raises Refused where the server doesn't know it."""
        return str(about["id"]) if about.get("id") else self._server_id(str(about.get("client_id") or ""))

    def _server_id(self, client_id: str) -> str:
        known = self._cursor.artifact_ids.get(client_id)
        if known:
            return known
        variables = {"clientID": client_id.partition(":")[0]}
        found = self._graphql("ClientIDMapping", documents.CLIENT_ID_MAPPING, variables).get("clientIDMapping")
        if not found:
            raise Refused(
                f"an artifact that it refers to is not at {self._destination.base_url}: upload the run that logged it, "
                "then try this again with `wandb sync --retry-parked`"
            )
        return str(found["serverID"])

    def _use(self, artifact_id: str, name: str) -> None:
        entity, project, run = self._place()
        variables = {"entityName": entity, "projectName": project, "runName": run, "artifactID": artifact_id}
        self._graphql("UseArtifact", documents.USE_ARTIFACT, variables)

    def _link(self, artifact_id: str, link: Mapping[str, Any]) -> None:
        entity, project, _ = self._place()
        name = str(link["name"])
        aliases = [{"artifactCollectionName": name, "alias": str(alias)} for alias in link.get("aliases") or ()]
        values = {
            "artifactID": artifact_id, "artifactPortfolioName": name, "entityName": link.get("entity") or entity,
            "projectName": link.get("project") or project, "aliases": aliases,
        }  # fmt: skip
        self._graphql("LinkArtifact", documents.LINK_ARTIFACT, {"input": values})

    # --- one that was logged ------------------------------------------------------------------------------------------

    def _send(self, record: Artifact, about: Dict[str, Any], staged: Staged) -> Steps[None]:
        progress = self._cursor.artifact_progress = ArtifactProgress(record.name)
        header = yield from self._finished(staged)
        progress.size = header.size
        under_way = self._cursor.artifact
        if under_way is None:
            if header.algorithm != MD5 and not self._takes(header.algorithm):
                header = yield from self._in_thread(lambda: staged.rehash(MD5))
            under_way = self._cursor.artifact = self._create(record, about, header)
            self._save()
        if not under_way.committed:
            yield from self._bring(about, staged, header, under_way)
            if about.get("finalize", True):
                self._graphql("CommitArtifact", documents.COMMIT_ARTIFACT, {"artifactID": under_way.id})
            under_way.committed = True
        self._cursor.artifact_ids[str(about["client_id"])] = under_way.id
        self._save()
        if about.get("use"):
            self._use(under_way.id, record.name)
        if self._release:
            yield from self._in_thread(lambda: _to_cache(staged, header, artifact_cache(self._destination.environment)))
        self._cursor.artifact_files += header.files

    def _finished(self, staged: Staged) -> Steps[StagedHeader]:
        """Wait until the process that logged it has hashed it; where that has died, hash it here."""
        while True:
            try:
                return (yield from self._in_thread(staged.finish))
            except LogInUse:
                yield False

    def _in_thread(self, work: Callable[[], T]) -> Steps[T]:
        return (yield from self._in_threads([work]))[0]

    def _in_threads(self, works: Sequence[Callable[[], T]]) -> Steps[List[T]]:
        futures = [self._destination.files.submit(work) for work in works]
        while wait(futures, timeout=0.05).not_done:
            yield False
        return [future.result() for future in futures]

    def _takes(self, algorithm: str) -> bool:
        """Whether the server keeps files by another digest than MD5."""
        if not self._destination.supports(_XXHASH_FEATURE):
            return False
        try:
            data = self._graphql("XXHashDigestsEnabled", documents.XXHASH_ENABLED, {"entityName": self._place()[0]})
            return (data.get("entity") or {}).get("xxhashDigestsEnabled") is True
        except Refused:
            return False

    def _create(self, record: Artifact, about: Mapping[str, Any], header: StagedHeader) -> ArtifactUnderWay:
        entity, project, run = self._place()
        collection = record.name
        aliases = dict.fromkeys([*record.aliases, "latest"])
        values: Dict[str, Any] = {
            "entityName": entity,
            "projectName": project,
            "runName": None if about.get("use") else run,  # what a run takes is none of its outputs
            "artifactTypeName": record.type,
            "artifactCollectionName": collection,
            "artifactCollectionNames": None,
            "digest": header.digest,
            "description": about.get("description"),
            "metadata": json.dumps(about["metadata"]) if about.get("metadata") else None,
            "aliases": [{"artifactCollectionName": collection, "alias": alias} for alias in aliases],
            "labels": None,
            "historyStep": about.get("history_step"),
            "ttlDurationSeconds": about.get("ttl"),
            "distributedID": about.get("distributed_id"),
            "enableDigestDeduplication": True,
            "clientID": about["client_id"],
            "sequenceClientID": about["sequence_client_id"],
            "storageRegion": about.get("region"),
            "clientMutationId": None,
        }
        if header.algorithm != MD5 or self._destination.supports(_XXHASH_FEATURE):
            values["digestAlgorithm"] = f"MANIFEST_{header.algorithm}"
        if about.get("tags"):
            values["tags"] = [{"tagName": tag, "attributes": None, "tagCategoryName": None} for tag in about["tags"]]
        try:
            data = self._graphql("CreateArtifact", documents.CREATE_ARTIFACT, {"input": values})
            artifact = data["createArtifact"]["artifact"]
            latest = (artifact.get("artifactSequence") or {}).get("latestArtifact") or {}
            made = ArtifactUnderWay(str(artifact["id"]), artifact["state"] == "COMMITTED")
        except (KeyError, TypeError):
            raise TransientError("CreateArtifact: the reply doesn't say which artifact was made") from None
        base = about.get("base_id") or latest.get("id")
        made.base = str(base) if base and base != made.id else None
        return made

    def _bring(
        self, about: Mapping[str, Any], staged: Staged, header: StagedHeader, under_way: ArtifactUnderWay
    ) -> Steps[None]:
        """Files and manifest. What the server has of them is not sent again."""
        kind = "PATCH" if about.get("distributed_id") else "INCREMENTAL" if about.get("incremental") else "FULL"
        if not under_way.manifest:
            under_way.manifest = str(self._create_manifest(under_way, kind, "", False)["id"])
            self._save()
        opener = _opener(staged, artifact_cache(self._destination.environment))
        uploads = FileUploads(self._destination, opener, under_way.id, under_way.parts, self._beat, self._count_sent)
        manifest = ManifestFile(about.get("region"), self._server_id)
        try:
            entries = staged.entries()
            while True:
                group = list(itertools.islice(entries, FILES_PER_REQUEST))
                if not group:
                    break
                yield from self._bring_group(group, header, opener, under_way, uploads, manifest)
            while uploads.left:
                yield uploads.advance(0.05)
            yield from self._bring_manifest(kind, under_way, manifest)
        finally:
            manifest.close()

    def _bring_group(
        self, group: List[StagedEntry], header: StagedHeader, opener: Open, under_way: ArtifactUnderWay,
        uploads: FileUploads, manifest: ManifestFile,
    ) -> Steps[None]:  # fmt: skip
        births: Dict[str, str] = {}
        wanted = [entry for entry in group if entry.ref is None and entry.birth is None]
        if wanted:
            parts: Dict[str, List[Any]] = {}
            for entry in wanted:
                if entry.size >= PARTS_BYTES_MIN:
                    parts[entry.path] = yield from self._hash_parts(opener, entry)
            specs = file_specs(wanted, under_way.id, under_way.manifest, header.algorithm, parts)
            data = self._graphql("CreateArtifactFiles", documents.CREATE_FILES, {"input": specs})
            for entry, node in zip(wanted, self._nodes(data, len(wanted))):
                births[entry.path] = str((node.get("artifact") or {}).get("id") or under_way.id)
                if node.get("uploadUrl"):
                    in_parts = node.get("uploadMultipartUrls") if entry.path in parts else None
                    path = str(node.get("storagePath") or "")
                    self._count(uploads.add(Upload(entry, node["uploadUrl"], headers_of(node), path, in_parts)))
                else:
                    self._count(entry.size)
        for entry in group:
            manifest.add(entry, births.get(entry.path, entry.birth))
            if entry.path not in births:
                self._count(entry.size)
        yield True
        while uploads.waiting > _FILES_WAITING_MAX:
            yield uploads.advance(0.05)

    def _hash_parts(self, opener: Open, entry: StagedEntry) -> Steps[List[Dict[str, Any]]]:
        parts: List[Dict[str, Any]] = []
        numbers = parts_of(entry)
        for start in range(0, len(numbers), HASHED_AT_ONCE):
            group = numbers[start : start + HASHED_AT_ONCE]
            parts += yield from self._in_threads([functools.partial(hash_part, opener, entry, one) for one in group])
        return parts

    def _nodes(self, data: Mapping[str, Any], count: int) -> List[Dict[str, Any]]:
        try:
            nodes = [edge["node"] for edge in data["createArtifactFiles"]["files"]["edges"]]
        except (KeyError, TypeError):
            nodes = []
        if len(nodes) != count:
            raise TransientError(f"CreateArtifactFiles: {count} files were named, and the reply is about {len(nodes)}")
        return nodes

    def _bring_manifest(self, kind: str, under_way: ArtifactUnderWay, manifest: ManifestFile) -> Steps[None]:
        digest = manifest.finish()
        if kind == "FULL":
            file = self._create_manifest(under_way, kind, digest, True)["file"]
        else:
            variables = {
                "artifactManifestID": under_way.manifest, "digest": digest, "baseArtifactID": under_way.base,
                "includeUpload": True,
            }  # fmt: skip
            data = self._graphql("UpdateArtifactManifest", documents.UPDATE_MANIFEST, variables)
            file = data["updateArtifactManifest"]["artifactManifest"]["file"]
        if file.get("uploadUrl"):
            transport = self._destination.transport
            yield from self._in_thread(
                lambda: transport().put(file["uploadUrl"], headers_of(file), manifest.file, NAME)
            )

    def _create_manifest(self, under_way: ArtifactUnderWay, kind: str, digest: str, upload: bool) -> Dict[str, Any]:
        entity, project, run = self._place()
        variables = {
            "artifactID": under_way.id, "baseArtifactID": under_way.base, "name": NAME, "digest": digest,
            "entityName": entity, "projectName": project, "runName": run, "manifestType": kind, "includeUpload": upload,
        }  # fmt: skip
        data = self._graphql("CreateArtifactManifest", documents.CREATE_MANIFEST, variables)
        try:
            manifest = data["createArtifactManifest"]["artifactManifest"]
            return {"id": manifest["id"], "file": manifest["file"]}
        except (KeyError, TypeError):
            raise TransientError("CreateArtifactManifest: the reply holds no manifest") from None

    def _count_sent(self, size: int) -> None:
        self._cursor.bytes += size
        self._count(size)

    def _count(self, size: int) -> None:
        """So many bytes more of the artifact are at the server."""
        if self._cursor.artifact_progress is not None:
            self._cursor.artifact_progress.done += size
        self._beat()


def _about(record: Artifact) -> Dict[str, Any]:
    try:
        about = json.loads(record.json or "{}")
    except ValueError:
        about = None
    if not isinstance(about, dict):
        raise LogDamaged(f"the record of the artifact {record.name} holds no JSON object")
    return about


def _opener(staged: Staged, cache: ObjectCache) -> Open:
    """The bytes of entries: where they are staged, or in the cache where another server has got them before."""

    def open_entry(entry: StagedEntry, offset: int, size: int) -> BinaryIO:
        try:
            return staged.open(entry, offset, size)
        except FileNotFoundError:
            path = cache.path_of(entry.digest, str(entry.extra.get("alg") or MD5))
            try:
                return cast(BinaryIO, FileSlice(path, offset, size))
            except FileNotFoundError:
                raise FileNotFoundError(
                    f"{entry.path} is neither in {staged.folder} nor in the cache any more; a server that has the "
                    "artifact has it"
                ) from None

    return open_entry


def _to_cache(staged: Staged, header: StagedHeader, cache: ObjectCache) -> None:
    """Let files that the server has leave the run's folder, for the cache as far as it takes them."""
    if not header.released:
        for entry in staged.entries():
            if entry.is_here and not entry.skip_cache:
                try:
                    _cache_one(staged, entry, cache.path_of(entry.digest, header.algorithm), cache)
                except OSError:
                    break  # the cache is full, or can't be written: it isn't needed
        staged.release()


def _cache_one(staged: Staged, entry: StagedEntry, path: Path, cache: ObjectCache) -> None:
    if path.exists():
        return
    if not entry.file:
        with staged.open(entry) as source, cache.new_file(path, entry.size) as file:
            file.write(source.read())
    elif os.stat(staged.path_of(entry)).st_nlink == 1:  # nobody else has the file, to change it
        cache.adopt(path, staged.path_of(entry), entry.size)

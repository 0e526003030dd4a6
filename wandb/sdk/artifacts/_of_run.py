"""What runs do with artifacts: log them, use them, link them. `Run` has the methods; they are loaded on first use."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Union, cast

from wandb_storage import ARTIFACTS_FOLDER, Added, Staged, StagedEntry, StagedHeader, StagingWriter, dump_json
from wandb_storage import Artifact as ArtifactRecord

from ...errors import CommError, Error
from ._facts import new_client_id
from ._finishing import finished, start_finishing
from ._local import find_local
from ._logged import Logged, note_logged, wait_for_own
from ._names import ArtifactPath, Texts, check_aliases, check_metadata, check_tags
from ._place import staging_home
from ._remote import wire_ttl
from ._version import Place, Version
from .artifact import Artifact
from .artifact_manifest_entry import ArtifactManifestEntry, StagedPlace
from .exceptions import ArtifactError

if TYPE_CHECKING:
    from .._run_facts import RunFacts

StrPath = Union[str, "os.PathLike[str]"]
# So many characters of its own id name the folder of an artifact.
_KEY_CHARACTERS = 20
MODEL_REGISTRY = "model-registry"


# --- logging ----------------------------------------------------------------------------------------------------------


def log(
    run: RunFacts,
    artifact_or_path: Union[Artifact, StrPath],
    name: Optional[str] = None,
    type: Optional[str] = None,
    aliases: Texts = None,
    tags: Texts = None,
    distributed_id: Optional[str] = None,
    finalize: bool = True,
    use: bool = False,
) -> Artifact:
    """Stage an artifact's files beside the run's log, and append the record that names them."""
    labels, marks = check_aliases(aliases), check_tags(tags)
    artifact = _prepared(run, artifact_or_path, name, type)
    artifact.distributed_id = distributed_id
    about = _about(run, artifact, labels, marks, finalize, use)
    staged = _stage(run, artifact, about)
    record = _record(about, staged, Path(run.sync_dir))
    run._append(record)
    artifact._logged = Logged(staged, Path(run.sync_dir), about["client_id"], run.settings)
    if finalize and not artifact._logged.is_local:
        note_logged(Path(run.sync_dir), about["name"], artifact._logged)
    return artifact


def _prepared(
    run: RunFacts, artifact_or_path: Union[Artifact, StrPath], name: Optional[str], type: Optional[str]
) -> Artifact:
    if isinstance(artifact_or_path, (str, os.PathLike)):
        path = os.fspath(artifact_or_path)
        artifact = Artifact(name or f"run-{run.id}-{os.path.basename(path)}", type or "unspecified")
        if os.path.isfile(path):
            artifact.add_file(path)
        elif os.path.isdir(path):
            artifact.add_dir(path)
        elif "://" in path:
            artifact.add_reference(path)
        else:
            raise ArtifactError(f"{path!r} is no file, no folder and no address like s3://bucket/path")
    else:
        artifact = artifact_or_path
    if not isinstance(artifact, Artifact):
        raise TypeError(f"log_artifact takes a wandb.Artifact or a path, not {artifact_or_path.__class__.__name__}")
    artifact.finalize()
    return artifact


def _about(
    run: RunFacts, artifact: Artifact, aliases: List[str], tags: List[str], finalize: bool, use: bool
) -> Dict[str, Any]:
    """What the record and the staged entries say of it."""
    again = artifact._logged is not None or artifact._version is not None
    ttl = wire_ttl(artifact._ttl, artifact._ttl_is_inherited) if artifact._ttl_changed else None
    return {
        "name": artifact.source_name.partition(":")[0],
        "type": artifact.type,
        "time": time.time(),
        "aliases": aliases,
        "run_id": run.id,
        "entity": run.settings.entity,
        "project": run.settings.project,
        "tags": tags,
        "description": artifact.description,
        "metadata": check_metadata(artifact.metadata),
        # Its own id stands for the version that was logged first.
        "client_id": new_client_id() if again else artifact._client_id,
        "sequence_client_id": artifact._sequence_client_id,
        "ttl": ttl,
        "history_step": None if run.settings.mode == "shared" else run.step,
        "incremental": artifact.incremental,
        "base_id": artifact._base_id,
        "distributed_id": artifact.distributed_id,
        "finalize": finalize,
        "use": use,
        "region": artifact.manifest.storage_region,
    }


def _record(about: Dict[str, Any], staged: Staged, run_folder: Path) -> ArtifactRecord:
    inside = staged.folder.parent == run_folder / ARTIFACTS_FOLDER
    fields = {key: value for key, value in about.items() if value not in (None, [], {}, False)}
    for name in ("name", "type", "time", "aliases"):
        fields.pop(name, None)
    fields.update(finalize=about["finalize"], staging=staged.folder.name if inside else str(staged.folder))
    return ArtifactRecord(
        name=about["name"], type=about["type"], aliases=about["aliases"], json=dump_json(fields), time=about["time"]
    )


def _stage(run: RunFacts, artifact: Artifact, about: Dict[str, Any]) -> Staged:
    folder = Path(run.sync_dir)
    again = artifact._logged is not None or artifact._version is not None
    writer = StagingWriter(staging_home(), artifact._algorithm.short) if again else artifact._writer()
    entries = _entries(artifact, writer)
    header = StagedHeader(
        about, artifact._algorithm.short, files=len(entries), size=sum(entry.size for entry in entries)
    )
    key = about["client_id"][:_KEY_CHARACTERS]
    place = writer.folder if run.disabled else folder / ARTIFACTS_FOLDER / key
    try:
        staged = writer.log(header, entries, place)
    except OSError as error:
        raise Error(f"the artifact {artifact.name} can't be kept: {error.strerror or error}; make room") from error
    hashes = {
        entry._place.file: entry._hashing
        for entry in artifact.manifest.entries.values()
        if isinstance(entry._place, Added) and entry._hashing is not None and entry._place.file
    }
    start_finishing(staged, writer.take_lock(), hashes, sum(one.size for one in entries if not one.digest))
    writer.close()
    if not again:
        artifact._forget_staging(keep=not run.disabled)
    return staged


def _entries(artifact: Artifact, writer: StagingWriter) -> List[StagedEntry]:
    """What is staged of each entry, in the order of their paths."""
    logged: Dict[str, StagedEntry] = {}
    if artifact._logged is not None:
        finished(artifact._logged.staged)
        logged = {entry.path: entry for entry in artifact._logged.staged.entries()}
    found = []
    for path in sorted(artifact.manifest.entries):
        entry = artifact.manifest.entries[path]
        place = entry._place
        if artifact._logged is not None and path in logged:
            place = StagedPlace(artifact._logged.staged, logged[path])
        if isinstance(place, StagedPlace) and place.entry.is_here:
            place = _brought(writer, place)
        found.append(_staged_entry(artifact, entry, place if isinstance(place, Added) else None))
    return found


def _brought(writer: StagingWriter, place: StagedPlace) -> Optional[Added]:
    """Take the bytes of an artifact that was logged before; None where they are not here any more."""
    staged, entry = place
    try:
        if entry.file:
            return writer.link_staged(staged.path_of(entry), entry.size, entry.digest)
        with staged.open(entry) as file:
            return writer.add_bytes(file.read())
    except OSError:
        return None  # a server has them


def _staged_entry(artifact: Artifact, entry: ArtifactManifestEntry, added: Optional[Added]) -> StagedEntry:
    digest = entry._digest
    if not digest and entry._hashing is not None and entry._hashing.done:
        digest = entry.digest
    if added is not None:
        digest = added.digest or digest
        return StagedEntry(
            entry.path, digest, added.size, added.pack, added.file, None, None, entry.extra, entry.skip_cache
        )
    birth = None if entry.ref is not None else entry.birth_artifact_id or artifact.id
    return StagedEntry(
        entry.path, entry.digest, entry.size or 0, None, "", entry.ref, birth, entry.extra, entry.skip_cache
    )


def log_model(run: RunFacts, path: StrPath, name: Optional[str], aliases: Texts) -> Artifact:
    return log(run, path, name, "model", aliases)


# --- using ------------------------------------------------------------------------------------------------------------


def use(run: RunFacts, artifact_or_name: Union[str, Artifact], type: Optional[str], aliases: Texts) -> Artifact:
    """Find a version, and record that the run uses it."""
    if isinstance(artifact_or_name, str):
        artifact = _find(run, ArtifactPath.parse(artifact_or_name))
    elif isinstance(artifact_or_name, Artifact):
        artifact = artifact_or_name
    else:
        raise TypeError(
            f'use_artifact takes a name such as "digits:latest" or a wandb.Artifact, not '
            f"{artifact_or_name.__class__.__name__}"
        )
    if type is not None and type != artifact.type:
        raise ArtifactError(f"the artifact {artifact.name} has the type {artifact.type!r}, not {type!r}")
    if artifact.is_draft():
        if artifact._logged is None:
            log(run, artifact, aliases=aliases, use=True)
        return artifact.wait()
    known = artifact._known("use_artifact()")
    fields = {"id": known.id} if known.id else {"client_id": artifact._client_id}
    if known.id:
        fields.update(entity=known.place.entity, project=known.place.project)
    used = f"{known.place.collection}:{known.place.version}"  # by whatever alias: that may move
    run._append(
        ArtifactRecord(
            used=True, name=used, type=artifact.type, digest=known.digest, json=dump_json(fields),
            time=time.time(),
        )
    )  # fmt: skip
    return artifact


def _find(run: RunFacts, path: ArtifactPath) -> Artifact:
    settings = run.settings
    project = path.project or settings.project
    if run.disabled:
        return _empty(path)
    if run.offline:
        local = find_local(Path(run.sync_dir).parent, path._replace(project=project))
        if local is None and path.project is None:
            local = find_local(Path(run.sync_dir).parent, path)
        if local is None:
            raise ArtifactError(
                f"no run of {Path(run.sync_dir).parent} has logged an artifact {path}, and this run is offline: log it "
                "first, or go online to use one of the server's"
            )
        artifact = Artifact._of_local(local)
        artifact._known("use_artifact()").place.asked = path.alias
        return artifact
    from ...apis._client import client_for

    client = client_for(settings)
    wait_for_own(Path(run.sync_dir), path.name)
    entity = path.entity or run.entity or _default_entity(client)
    return Artifact._find(client, path._replace(project=project, entity=entity))


def _default_entity(client: Any) -> str:
    """Whom the server takes for the owner where nobody is named."""
    viewer = client.execute("query Viewer { viewer { id entity username } }").get("viewer") or {}
    if not viewer.get("entity"):
        raise CommError("the server doesn't say who you are: put ENTITY/PROJECT before the artifact's name")
    return str(viewer["entity"])


def _empty(path: ArtifactPath) -> Artifact:
    """What a run that records nothing uses: an artifact without files."""
    artifact = Artifact._made(path.name, "unspecified")
    place = Place("", path.project or "", path.name, "v0")
    artifact._take_version(Version("", place, place, "unspecified", artifact.digest))
    return artifact


def use_model(run: RunFacts, name: str) -> str:
    """Download a model; return its file, or the folder where it has several."""
    artifact = use(run, name, None, None)
    _require_model(artifact.type, artifact.name)
    folder = artifact.download()
    names = os.listdir(folder)
    return os.path.join(folder, names[0]) if len(names) == 1 else folder


def _require_model(type: str, name: str) -> None:
    if "model" not in type.lower():
        raise AssertionError(  # which callers of other clients catch
            f"{name} is of the type {type!r}: models are of a type with 'model' in its name"
        )


# --- linking ----------------------------------------------------------------------------------------------------------


def link(run: RunFacts, artifact: Artifact, target_path: str, aliases: Texts) -> Artifact:
    """Link a version, which is logged first where it is a draft. Offline the link is recorded, and made when the run is
    uploaded; what is returned is then the version itself."""
    target = ArtifactPath.parse(target_path)
    labels = check_aliases(aliases)
    if artifact.is_draft() and artifact._logged is None:
        log(run, artifact)
    if not target.is_registry:
        target = target._replace(project=target.project or run.settings.project, entity=target.entity or run.entity)
    if not run.offline and not run.disabled:
        artifact.wait()
        return artifact.link("/".join(part for part in (target.entity, target.project, target.name) if part), labels)
    fields: Dict[str, Any] = {
        "link": {"name": target.name, "project": target.project, "entity": target.entity, "aliases": labels}
    }
    known = artifact._version
    fields.update({"id": known.id} if known is not None and known.id else {"client_id": artifact._client_id})
    run._append(ArtifactRecord(name=artifact.name, type=artifact.type, json=dump_json(fields), time=time.time()))
    return artifact


def link_model(
    run: RunFacts, path: StrPath, registered_model_name: str, name: Optional[str], aliases: Texts
) -> Artifact:
    """Log a model and link it to the registry."""
    if "/" in registered_model_name:
        raise AssertionError(  # which callers of other clients catch
            f"{registered_model_name!r} is a path: link_model takes the name of a registered model alone"
        )
    artifact = log(run, path, name, "model")
    owner = "" if run.entity is None else f"{run.entity}/"
    return link(run, artifact, f"{owner}{MODEL_REGISTRY}/{registered_model_name}", aliases)


# --- several writers --------------------------------------------------------------------------------------------------


def upsert(
    run: RunFacts, artifact_or_path: Union[Artifact, str], name: Optional[str], type: Optional[str], aliases: Texts,
    distributed_id: Optional[str], finalize: bool,
) -> Artifact:  # fmt: skip
    """A part of a version that several processes write, or the last one, which makes the version."""
    shared = distributed_id or run.group
    if not shared:
        raise TypeError("processes that write one artifact have something in common: a group, or a distributed_id")
    return log(run, cast(Any, artifact_or_path), name, type, aliases, None, shared, finalize)

"""Bringing a run of the official client into a log of ours.

The official client's file of a run has the name of our first segment, `run-ID.wandb`; its first bytes tell the two
apart. An import is a run's folder like any other, beside the official one, and named after it with `.imported` behind.
It comes to be in one step, so a folder of that name is always whole. `imported.json` in it says of which bytes it was
made: a second import of the same file finds the first, and one of a file that has grown since takes its place.

The official folder is only read. Of its files, what lies in the folder gets a second name, or a copy where the disk has
none. A link out of it, as `run.save` makes them, is followed where it leads into the folder that holds the wandb
directory, the project's; whoever sends somebody a folder must not be able to fetch other files with it. Artifacts are
staged as ours are (`_official_artifacts.py`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterator, NamedTuple, Optional, Tuple

from . import _official_records as official
from ._decode import Undecodable
from ._errors import ForeignFile, LogDamaged, LogInUse, LogNotFound, LogUnavailable
from ._filesystem import filesystem_of
from ._folder import IMPORT_SUFFIX, is_log_file
from ._log import Log
from ._official_artifacts import ArtifactImport
from ._official_fold import Kept, OfficialFold
from ._official_frames import FrameDamage, is_official_file, official_frames
from ._reader import Reader
from ._records import RunStart, WriterLost
from ._segment import mapped_errors

_ORIGIN = "imported.json"
_ORIGIN_FORMAT = 1
_FILE_NAME = re.compile(r"run-(?P<run_id>.+)\.wandb")
_HASH_BYTES = 1 << 20
_ORIGIN_BYTES_MAX = 64 << 20
# What the client knows of the run and the machine is in its first second's records.
_PRELUDE_RECORDS = 1000
_METADATA = "wandb-metadata.json"
_METADATA_BYTES_MAX = 1 << 20
_FILES_MAX = 1_000_000


@dataclasses.dataclass
class OfficialImport:
    """What an import has found and made."""

    folder: Path  # of the log of ours
    run_id: str
    source: Path  # the official file
    repeated: bool = False  # an earlier import was found; the numbers are those of that one
    version: str = ""  # of the client that wrote it
    kept: Kept = dataclasses.field(default_factory=Kept)
    damage: FrameDamage = dataclasses.field(default_factory=FrameDamage)
    files: int = 0
    files_left_out: Dict[str, str] = dataclasses.field(default_factory=dict)  # path -> why

    @property
    def whole(self) -> bool:
        """Whether everything that was logged is there, as far as the file tells."""
        return not (self.damage.bytes or self.kept.unreadable or self.kept.unknown)


class _Source(NamedTuple):
    path: Path
    size: int
    digest: str


def official_file(folder: Path) -> Optional[Path]:
    """The official client's file in a run's folder, None where there is none."""
    with contextlib.suppress(OSError):
        for path in sorted(folder.glob("run-*.wandb")):
            if _FILE_NAME.fullmatch(path.name) and is_official_file(path):
                return path
    return None


def import_folder(folder: Path) -> Path:
    """Where the import of an official run's folder is, or will be."""
    folder = folder.absolute()
    name = folder.name
    return folder.parent / f"{'' if name.startswith('offline-') else 'offline-'}{name}{IMPORT_SUFFIX}"


def official_folder(imported: Path) -> Optional[Path]:
    """The official run's folder that an import was made of, None where it isn't there, or `imported` is no import."""
    imported = imported.absolute()
    name = imported.name
    if not name.endswith(IMPORT_SUFFIX):
        return None
    offline = name[: -len(IMPORT_SUFFIX)]
    for candidate in (imported.parent / offline, imported.parent / offline[len("offline-") :]):
        if candidate.is_dir() and import_folder(candidate) == imported:
            return candidate
    return None


def import_official(folder: Path) -> OfficialImport:
    """Make an ordinary log of an official run's folder, or find the one that was made before.

    Raises LogNotFound where the folder holds no such file, LogDamaged where nothing of it can be read, LogInUse where
    the import has been gone on with and the official file has changed since, LogUnavailable where the disk refuses.
    """
    path = official_file(folder)
    if path is None:
        raise LogNotFound("no run-*.wandb file of the official client in this folder", folder)
    match = _FILE_NAME.fullmatch(path.name)
    assert match is not None
    with mapped_errors(path), open(path, "rb") as file:
        source = _Source(path, *_digest(file))
        place = import_folder(folder)
        earlier = _read_origin(place, match["run_id"], source)
        if earlier is not None and not earlier[1]:
            return earlier[0]
        result = OfficialImport(place, match["run_id"], path)
        building = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}-"))
        try:
            building.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IRWXU)
            sequence = _write_log(file, source, building, result)
            _bring_files(folder / "files", building / "files", result)
            _write_origin(building, source, sequence, result)
            _put_in_place(building, place, replace=earlier is not None)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return result


def find_import(folder: Path) -> Optional[Path]:
    """The import that was made of an official run's folder, None where there is none."""
    if folder.absolute().name.endswith(IMPORT_SUFFIX):
        return None
    place = import_folder(folder)
    return place if (place / _ORIGIN).exists() else None


def _digest(file: BinaryIO) -> Tuple[int, str]:
    """How many bytes there are now, and what they are: the run may go on."""
    digest, size = hashlib.sha256(), 0
    while True:
        piece = file.read(_HASH_BYTES)
        if not piece:
            return size, digest.hexdigest()
        digest.update(piece)
        size += len(piece)


# --- the log ----------------------------------------------------------------------------------------------------------


def _write_log(file: BinaryIO, source: _Source, building: Path, result: OfficialImport) -> int:
    """Write the official file's records into a new log; the number of its last record."""
    start = _start(file, source, result)
    with contextlib.ExitStack() as undo:
        folder = building
        if not filesystem_of(building).holds_live_logs:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory()))
        artifacts = ArtifactImport(building.parent, building, result.files_left_out)
        sequence = _fold(file, source, folder, start, artifacts, result)
        if folder != building:
            shutil.copytree(folder, building, dirs_exist_ok=True)
    if not result.kept.records:
        raise LogDamaged(
            f"{source.size:,} bytes, and no record in them: the official client keeps what it logs in memory at first, "
            "and was ended before it wrote any of it",
            source.path,
        )
    return sequence


def _fold(
    file: BinaryIO, source: _Source, folder: Path, start: RunStart, artifacts: ArtifactImport, result: OfficialImport
) -> int:
    with Log.create(folder, result.run_id) as log:
        fold = OfficialFold(log, start, result.kept, artifacts)
        for raw in _records(file, source.size, result.damage):
            fold.add(raw)
        fold.end(_lost(source, result))
        if log.lost:
            raise LogUnavailable(f"the disk takes no more: {log.lost:,} records have no place", folder)
        return log.sequence


def _records(file: BinaryIO, size: int, damage: FrameDamage) -> Iterator[bytes]:
    file.seek(0)
    return official_frames(file, size, damage)


def _start(file: BinaryIO, source: _Source, result: OfficialImport) -> RunStart:
    """The first record of the log: who the run is, as the first records of the official file say."""
    run: Optional[official.OfficialRun] = None
    environment: Dict[str, Any] = {}
    for count, raw in enumerate(_records(file, source.size, FrameDamage())):
        if count >= _PRELUDE_RECORDS:
            break
        with contextlib.suppress(Undecodable, OverflowError, ValueError):
            kind, body = official.record_kind(raw)
            if kind == official.RUN and run is None:
                run = official.run(body)
            elif kind == official.ENVIRONMENT:
                environment.update(official.environment(body))
    metadata = _metadata(source.path.parent / "files" / _METADATA) or environment
    start = RunStart(
        run_id=result.run_id, time=source.path.stat().st_mtime, host=str(metadata.get("host") or ""),
        program=str(metadata.get("program") or ""), environment=json.dumps(metadata) if metadata else "",
    )  # fmt: skip
    if run is None:
        return start
    result.version = start.version = run.version
    if run.remote or run.commit:
        metadata.setdefault("git", {"remote": run.remote, "commit": run.commit})
    return dataclasses.replace(
        start, entity=run.entity, project=run.project, name=run.name, notes=run.notes, tags=run.tags, group=run.group,
        job_type=run.job_type, sweep_id=run.sweep_id, time=run.start_time or start.time, host=run.host or start.host,
        resumed=run.resumed, first_step=max(0, run.first_step), environment=json.dumps(metadata) if metadata else "",
    )  # fmt: skip


def _metadata(path: Path) -> Dict[str, Any]:
    """What older clients say of the machine in a file; empty where there is none."""
    try:
        with open(path, "rb") as file:
            value = json.loads(file.read(_METADATA_BYTES_MAX))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _lost(source: _Source, result: OfficialImport) -> WriterLost:
    torn = result.damage.bytes
    evidence = f"the official client's file {source.path.name} ends without a word of how the run ended"
    if torn:
        evidence += f"; {torn:,} of its {source.size:,} bytes can't be read"
    return WriterLost(cause="unknown", evidence=evidence, torn_bytes=torn)


# --- files ------------------------------------------------------------------------------------------------------------


def _bring_files(source: Path, target: Path, result: OfficialImport) -> None:
    target.mkdir(exist_ok=True)
    project = source.absolute().parents[2].resolve()  # files/, the run's folder, the wandb directory, and then this
    for name, path in _files(source, result):
        copy = target / name
        try:
            real = path.resolve(strict=True)
            if not real.is_file():
                continue
            if path.is_symlink() and project not in real.parents:
                result.files_left_out[name] = f"a link to {real}, outside of {project}: put the file in its place"
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            _bring(real, copy, second_name=not path.is_symlink())
            result.files += 1
        except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other
            reason = error.strerror if isinstance(error, OSError) else None
            result.files_left_out[name] = reason or str(error)


def _files(source: Path, result: OfficialImport) -> Iterator[Tuple[str, Path]]:
    found = 0
    for folder, folders, names in os.walk(source):  # which follows no link to a folder
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            relative = path.relative_to(source).as_posix()
            found += 1
            if found > _FILES_MAX:
                result.files_left_out[relative] = f"one of more than {_FILES_MAX:,}"
                return
            if is_log_file(name):
                result.files_left_out[relative] = "it has the name of a log's file"
                continue
            yield relative, path


def _bring(source: Path, target: Path, second_name: bool) -> None:
    """A second name for a file where it can have one: what a link leads to may be written again."""
    if second_name:
        try:
            os.link(source, target)
            return
        except OSError:
            pass  # another disk, or one without such names
    with open(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file, open(target, "xb") as copy:
        shutil.copyfileobj(file, copy)


# --- where it came from -----------------------------------------------------------------------------------------------


def _write_origin(building: Path, source: _Source, sequence: int, result: OfficialImport) -> None:
    fields = {
        "format": _ORIGIN_FORMAT, "file": source.path.name, "sha256": source.digest, "bytes": source.size,
        "last_sequence": sequence, "version": result.version, "kept": vars(result.kept), "damage": vars(result.damage),
        "files": result.files, "files_left_out": result.files_left_out,
    }  # fmt: skip
    with open(building / _ORIGIN, "x", encoding="utf-8") as file:
        json.dump(fields, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _read_origin(place: Path, run_id: str, source: _Source) -> Optional[Tuple[OfficialImport, bool]]:
    """The import that is there already, and whether it is of other bytes and may be replaced. None: there is none.

    Raises LogInUse where it is of other bytes and may not, ForeignFile where something else has its name.
    """
    if not place.exists():
        return None
    try:
        with open(place / _ORIGIN, "rb") as file:
            fields = json.loads(file.read(_ORIGIN_BYTES_MAX))
        if fields["sha256"] == source.digest:
            found = OfficialImport(
                place, run_id, source.path, True, str(fields["version"]), Kept(**fields["kept"]),
                FrameDamage(**fields["damage"]), int(fields["files"]), dict(fields["files_left_out"]),
            )  # fmt: skip
            return found, False
        last_sequence = int(fields["last_sequence"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ForeignFile("this is where the import would go, and it is none; move it away", place) from None
    with Reader(place) as reader:
        if reader.writer() is not None or reader.read(last_sequence + 1):
            raise LogInUse(
                "the run was imported and then gone on with, and the official client's file has changed since; move "
                "this folder away to import the file again",
                place,
            )
    return OfficialImport(place, run_id, source.path), True


def _put_in_place(building: Path, place: Path, replace: bool) -> None:
    if replace:
        old = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}-"))
        os.rename(place, old)
        try:
            os.rename(building, place)
        except OSError:
            os.rename(old, place)
            raise
        shutil.rmtree(old, ignore_errors=True)
        return
    try:
        os.rename(building, place)
    except OSError as error:
        if place.exists():
            raise LogInUse("another process has just imported this run", place) from error
        raise

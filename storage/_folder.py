"""Which files of a run's folder are its log's, and in what order.

run-ID.wandb            the first segment
run-ID.seg-0002.wandb   the second, and so on
run-ID.tail-0, -1       the tails
run-ID.tail-0.damaged   a tail in which a recovery found more than it could read
run-ID.owner            the writer's lock
run-ID.pointer          says that the log is on another disk as long as its run goes on (`_home`)
run-ID.checkpoint       what the records of removed segments add up to (`_checkpoint`)
*.wandb-lock            LMDB's own lock files
lane-1, lane-2, …       folders of lanes: logs of child processes, which are merged into this one
lane-1.damaged          a lane that can't be read to its end, put aside
.lane-1.gone            a lane that is merged, on its way out
run-ID.imported         in a lane's folder: how far it is merged
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple, Union

from ._errors import ForeignFile, LogError, LogNotFound, LogUnavailable
from ._home import log_folder
from ._owner import OwnerLock, living_writer
from ._segment import Identity, Segment, SegmentFile, inherited, mapped_errors, segment_path

# Behind the name of a run's folder: it holds the import of one that the official client wrote (`_official_import`).
IMPORT_SUFFIX = ".imported"
_FIRST_SEGMENT = re.compile(r"run-(?P<run_id>.+?)\.wandb")
_LATER_SEGMENT = re.compile(r"run-(?P<run_id>.+)\.seg-(?P<index>\d{4,})\.wandb")
_LOG_FILE = re.compile(
    r"\.?run-.+\.(wandb(-lock)?|tail-[01](\.damaged)?|owner|imported|checkpoint|pointer(\.[0-9a-f]+)?)(\.new(-lock)?)?"
)
_LANE = re.compile(r"lane-([1-9]\d{0,8})")
_GONE_LANE = re.compile(r"\.lane-\d+\.gone")
_DAMAGED_LANE = re.compile(r"lane-\d+\.damaged(-\d+)?")


def is_log_file(name: str) -> bool:
    """Whether a file of this name in a run's folder belongs to the log, or a folder with all that is in it: nobody else
    may open it."""
    return any(pattern.fullmatch(name) for pattern in (_LOG_FILE, _LANE, _GONE_LANE, _DAMAGED_LANE))


def is_put_aside(name: str) -> bool:
    """Whether this is the name of a lane that is none any more."""
    return any(pattern.fullmatch(name) for pattern in (_GONE_LANE, _DAMAGED_LANE))


def has_lanes(folder: Path) -> bool:
    """Whether there are lanes, or what is left of some. Raises OSError."""
    return any(_LANE.fullmatch(name) or _GONE_LANE.fullmatch(name) for name in os.listdir(folder))


def gone_lane(path: Path) -> Path:
    """What a lane is called on its way out."""
    return path.with_name(f".{path.name}.gone")


def gone_lanes(folder: Path) -> List[Path]:
    """Lanes whose removal was begun. Raises OSError."""
    return [folder / name for name in os.listdir(folder) if _GONE_LANE.fullmatch(name)]


def lane_paths(folder: Path) -> List[Path]:
    """The folders of a log's lanes, in the order in which they are merged. Raises OSError."""
    found = [(int(match[1]), match[0]) for match in map(_LANE.fullmatch, os.listdir(folder)) if match]
    return [folder / name for _, name in sorted(found)]


def owner_path(folder: Path, run_id: str) -> Path:
    return folder / f"run-{run_id}.owner"


def find_run_id(folder: Path) -> str:
    """The run whose log is in a folder, or where its pointer leads. Raises LogNotFound, LogElsewhere."""
    folder = log_folder(folder)
    try:
        names = sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        raise LogNotFound("there is no such run folder", folder) from None
    except OSError as error:
        raise LogUnavailable(f"the system says {error.strerror}", folder) from error
    for pattern in (_FIRST_SEGMENT, _LATER_SEGMENT):  # retention may have removed the first
        for name in names:
            match = pattern.fullmatch(name)
            if match and not (pattern is _FIRST_SEGMENT and _LATER_SEGMENT.fullmatch(name)):
                return match["run_id"]
    raise LogNotFound("no run-*.wandb file in this folder: it holds no log", folder)


def own_log(folder: Path) -> Tuple[Path, str, OwnerLock]:
    """Where the log of a run's folder is, its run, and the writer's lock on it, taken.

    Raises LogInUse where somebody else has it, LogNotFound, LogElsewhere, LogUnavailable.
    """
    while True:
        place = log_folder(folder)
        try:
            run_id = find_run_id(place)
            with mapped_errors(place):
                owner = OwnerLock(owner_path(place, run_id))
        except LogError:
            if log_folder(folder) == place:
                raise
            continue
        try:
            if log_folder(folder) == place:
                return place, run_id, owner
        except BaseException:
            owner.release()
            raise
        owner.release()  # the log came home while its lock was waited for


def has_living_writer(folder: Path, run_id: str) -> bool:
    path = owner_path(folder, run_id)
    with mapped_errors(path):
        return living_writer(path) is not None


def segment_paths(folder: Path, run_id: str) -> List[Tuple[int, Path]]:
    """(number, path) of the files that are called like segments of the log, in order. Raises OSError."""
    indexes = [1] if os.path.lexists(segment_path(folder, run_id, 1)) else []
    for path in folder.iterdir():
        match = _LATER_SEGMENT.fullmatch(path.name)
        if match and match["run_id"] == run_id:
            indexes.append(int(match["index"]))
    return [(index, segment_path(folder, run_id, index)) for index in sorted(indexes)]


class SegmentInfo(NamedTuple):
    path: Path
    identity: Identity


def segments(folder: Path, run_id: str, live: Optional[bool] = None) -> List[SegmentInfo]:
    """The log's segments in order. `live`: whether somebody may be writing them, None to find out.

    Raises LogNotFound where there is none, ForeignFile for one of another log.
    """
    paths = segment_paths(folder, run_id)
    if not paths:
        raise LogNotFound(f"no segment of run {run_id}'s log", folder)
    found: List[SegmentInfo] = []
    if live is None:
        live = has_living_writer(folder, run_id)
    for index, path in paths:
        segment = open_segment(path, live)
        try:
            identity = segment.identity()
        finally:
            segment.close()
        if identity.segment != index or identity.run_id != run_id:
            raise ForeignFile(
                f"segment {identity.segment} of run {identity.run_id}, not what its name says; move it away", path
            )
        if found and identity.log_uuid != found[0].identity.log_uuid:
            raise ForeignFile(f"a segment of another log of run {run_id}; move it away", path)
        found.append(SegmentInfo(path, identity))
    return found


def open_segment(path: Path, live: bool) -> Union[Segment, SegmentFile]:
    """A segment for reading: through LMDB while somebody may write it and LMDB can be had, without it otherwise."""
    if path.is_dir():
        raise ForeignFile("a directory stands where a log's file should be; move it away", path)
    return Segment(path) if live and not inherited(path) else SegmentFile(path)

"""Sending a log to a local disk while its run goes on, and bringing it home. `_home` says why, and who looks where.

Every step is complete or not done, and the pointer is what decides, so a crash at any instant leaves one log:

| step                                                  | the log is      | what a crash leaves                |
|-------------------------------------------------------|-----------------|------------------------------------|
| a local folder is made, the log is created, or copied | home, or is not | a local folder to which none leads |
| the pointer appears, in one step, if there is none    | local           |                                    |
| the run goes on; then the log is closed               | local           |                                    |
| its files are copied home, each under another name    | local           | files that the next copy finds     |
| the pointer goes                                      | home            | a local folder to which none leads |
| the local folder goes                                 | home            |                                    |

A local folder whose files are all at home, and to which nothing leads, goes when the next log is sent or brought.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

from ._errors import LogError, LogInUse, LogUnavailable
from ._filesystem import Filesystem, FilesystemKind, filesystem_of
from ._folder import find_run_id, has_lanes, is_log_file, own_log, owner_path, segments
from ._home import BACK_POINTER, Pointer, find_pointer, leads_to, log_folder, pointer_path
from ._log import Log, Warn
from ._owner import OwnerLock, Writer, boot_id
from ._recovery import merge_lanes, recover, recover_locked
from ._segment import SegmentFile, mapped_errors
from ._tail import tail_paths

_COPY_BYTES = 4 << 20
# What of a log isn't copied: it means something only where the writer is.
_STAYS = (".owner", "-lock", ".new", ".tail-0", ".tail-1", ".pointer")
_GONE = ".gone-"
# Some filesystems can't sync a folder, or make a hard link, and say it in one of these ways.
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EMLINK}


# --- where to ---------------------------------------------------------------------------------------------------------


def local_root(named: str = "") -> Tuple[Path, Filesystem]:
    """The folder for live logs on a disk of this machine, made if need be, and what it is on.

    `named` is the one that the user wants; the others must be on a real disk. Raises LogUnavailable, which says what
    was tried, where there is none.
    """
    refused: List[str] = []
    for folder in [Path(named).expanduser().absolute()] if named else _candidates():
        filesystem = filesystem_of(folder)
        if not filesystem.holds_live_logs:
            refused.append(f"{folder} is on {filesystem.type}")
        elif filesystem.kind is FilesystemKind.MEMORY and not named:
            refused.append(f"{folder} is in memory")
        else:
            try:
                if named:
                    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                else:
                    make_private_folder(folder)
                if os.access(folder, os.W_OK | os.X_OK):
                    return folder, filesystem
                refused.append(f"{folder} is not writable")
            except OSError as error:
                refused.append(f"{folder}: {error.strerror or error}")
    raise LogUnavailable(f"there is no local disk for the log ({'; '.join(refused)}); set WANDB_LOCAL_LOG_DIR to one")


def _candidates() -> List[Path]:
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    temporary = dict.fromkeys((tempfile.gettempdir(), "/var/tmp"))  # noqa: S108 - a folder of this user's in it
    return [Path(state) / "wandb" / "live", *(Path(one) / f"wandb-{os.getuid()}" / "live" for one in temporary)]


def make_private_folder(folder: Path) -> None:
    """Make a folder, and the one that it is in, that nobody else can enter.

    Raises OSError where somebody else has made one of them to be found here.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    for one in (folder.parent, folder):
        if one.is_symlink() or one.stat().st_uid != os.getuid():
            raise OSError(errno.EPERM, "it belongs to somebody else")


# --- away -------------------------------------------------------------------------------------------------------------


def create_away(folder: Path, run_id: str, root: Path, warn: Warn, durability: str) -> Log:
    """Start the log of a new run on a local disk. Raises as `Log.create`."""
    place = _make_place(folder, root)
    try:
        log = Log.create(place, run_id, warn, durability)
        try:
            _point(folder, place, run_id, log.identity.log_uuid)
        except BaseException:
            log.close()
            raise
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return log


def _make_place(folder: Path, root: Path) -> Path:
    """A local folder for the log of a run's folder. It counts from `_point` on."""
    _sweep(root)
    key = secrets.token_hex(8)
    place = root / f"{folder.name}-{key}"
    with mapped_errors(place):
        place.mkdir(mode=0o700)
        _write(place / BACK_POINTER, json.dumps({"key": key, "run_folder": os.path.abspath(folder)}).encode())
        _sync_folder(place)
        _sync_folder(root)
    return place


def _point(folder: Path, place: Path, run_id: str, log_uuid: str) -> None:
    """From here on the log of the run's folder is the one in `place`, durably.

    Raises LogInUse where somebody else has sent it away.
    """
    path = pointer_path(folder, run_id)
    pointer = Pointer(path, run_id, log_uuid, os.uname().nodename, boot_id(), place, leads_to(place))
    temporary = path.with_name(f".{path.name}.{pointer.key}.new")
    with mapped_errors(path):
        try:
            _write(temporary, pointer.to_json())
            _name(temporary, path)
        except FileExistsError:
            raise LogInUse("another process has taken the log to a local disk at the same moment", path) from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
        _sync_folder(folder)


def send_away(folder: Path, root: Path) -> Path:
    """Copy a closed log to a local disk, to go on with it there; where it is there already, that is all.

    What is at home stays, and need not be copied back. Raises LogInUse while somebody writes it.
    """
    if find_pointer(folder) is not None:
        return log_folder(folder)
    run_id = find_run_id(folder)
    with mapped_errors(folder):
        if not _is_closed(folder, run_id) or has_lanes(folder):
            recover(folder)
    _refuse_while_children_log(folder)
    before = _stamps(folder)
    place = _make_place(folder, root)
    try:
        _copy_log(folder, place)
        _point(folder, place, run_id, segments(folder, run_id, live=False)[0].identity.log_uuid)
        if _stamps(folder) != before:
            # Another machine took it, went on with it and brought it back while it was copied.
            pointer_path(folder, run_id).unlink()
            raise LogInUse("another process went on with the log while it was copied; try again", folder)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return place


def _is_closed(folder: Path, run_id: str) -> bool:
    """Whether the log can be copied as it is. No lock is asked, which a network filesystem may not have."""
    with SegmentFile(segments(folder, run_id, live=False)[-1].path) as last:
        return last.sealed() and not any(path.exists() for path in tail_paths(folder, run_id))


def writer_elsewhere(folder: Path) -> str:
    """The other machine that may be writing a log in a folder on a network filesystem: that its lock looks free from
    here proves nothing. Empty where there is none."""
    if filesystem_of(folder).holds_live_logs or log_folder(folder) != folder:
        return ""
    run_id = find_run_id(folder)
    with contextlib.suppress(OSError):
        writer = Writer.parse(owner_path(folder, run_id).read_bytes())
        if writer is not None and writer.host != os.uname().nodename and not _is_closed(folder, run_id):
            return writer.host
    return ""


# --- home -------------------------------------------------------------------------------------------------------------


def bring_home(folder: Path) -> bool:
    """Bring a log that lives on a local disk of this machine into its run's folder; False where it is there already.

    A log that nobody closed is recovered first. Raises LogInUse while somebody writes it, LogUnavailable where the
    run's folder doesn't take it; the log then stays where it is, and the next call goes on.
    """
    if find_pointer(folder) is None:
        return False
    place, run_id, owner = own_log(folder)
    try:
        if place == folder:
            return False
        recovered = recover_locked(place, run_id, owner)
        with mapped_errors(place):
            merge_lanes(place, run_id, owner, recovered)
        _refuse_while_children_log(place)
        _copy_log(place, folder)
        pointer = pointer_path(folder, run_id)
        with mapped_errors(folder):
            told = pointer.read_bytes()
            pointer.unlink()
            try:
                _refuse_while_children_log(place)
            except LogError:
                _write(pointer, told)
                raise
            finally:
                _sync_folder(folder)
        _remove(place)
    finally:
        owner.release()
    _sweep(place.parent)
    return True


def _refuse_while_children_log(place: Path) -> None:
    """Lanes that are not merged can't be moved. Raises LogInUse."""
    with mapped_errors(place):
        if has_lanes(place):
            raise LogInUse("child processes log to the run; its log comes home when they have ended", place)


def _remove(place: Path) -> None:
    """Remove a local folder whose log is at home. What a crash leaves of it is told by its name."""
    gone = place.with_name(f"{_GONE}{place.name}")
    with contextlib.suppress(OSError):
        os.rename(place, gone)
        shutil.rmtree(gone, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Remove the local folders whose log is at home. What isn't known to be there in full stays."""
    with contextlib.suppress(OSError):
        for place in list(root.iterdir()):
            if place.name.startswith(_GONE):
                shutil.rmtree(place, ignore_errors=True)
                continue
            with contextlib.suppress(OSError, LogError, ValueError, KeyError, TypeError):
                if _is_left_over(place):
                    owner = OwnerLock(owner_path(place, find_run_id(place)))
                    _remove(place)
                    owner.release()


def _is_left_over(place: Path) -> bool:
    home = Path(json.loads((place / BACK_POINTER).read_bytes())["run_folder"])
    if find_pointer(home) is not None:
        return False
    files = list(_log_files(place))
    return bool(files) and all((home / one).stat().st_size == (place / one).stat().st_size for one in files)


# --- files ------------------------------------------------------------------------------------------------------------


def _log_files(folder: Path) -> Iterator[Path]:
    """The files of a log that belong to it wherever it is, relative to its folder."""
    for name in sorted(os.listdir(folder)):
        if not is_log_file(name) or name.startswith(".") or name.endswith(_STAYS):
            continue
        if (folder / name).is_dir():
            yield from (Path(name) / inner for inner in _log_files(folder / name))
        else:
            yield Path(name)


def _stamps(folder: Path) -> Dict[Path, Tuple[int, int]]:
    with mapped_errors(folder):
        statuses = {one: os.stat(folder / one) for one in _log_files(folder)}
    return {one: (status.st_size, status.st_mtime_ns) for one, status in statuses.items()}


def _copy_log(source: Path, target: Path) -> None:
    """Copy a log's files, durably, each all or nothing, and read them back. Raises LogUnavailable."""
    for one in _log_files(source):
        with mapped_errors(target / one):
            (target / one).parent.mkdir(exist_ok=True)
            _copy(source / one, target / one)
    with mapped_errors(target):
        _sync_folder(target)


def _copy(source: Path, target: Path) -> None:
    digest = _digest(source)
    if target.exists() and target.stat().st_size == source.stat().st_size and _digest(target) == digest:
        return
    temporary = target.with_name(f".{target.name}.new")
    with open(source, "rb") as reading, open(temporary, "wb", opener=_private) as writing:
        shutil.copyfileobj(reading, writing, _COPY_BYTES)
        writing.flush()
        os.fsync(writing.fileno())
    if _digest(temporary) != digest:
        raise LogUnavailable("what was copied is not what can be read back", target)
    os.replace(temporary, target)


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        if hasattr(os, "posix_fadvise"):  # from the disk or the server, not from what this machine remembers
            with contextlib.suppress(OSError):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while chunk := file.read(_COPY_BYTES):
            digest.update(chunk)
    return digest.digest()


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb", opener=_private) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _name(temporary: Path, path: Path) -> None:
    """Give a complete file its name. Raises FileExistsError where another file has it."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "there is one already", path) from None
        os.replace(temporary, path)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(fd)

"""Where a log lives: in its run's folder, or, while the run goes on, on a disk of the machine that writes it.

On a filesystem that another machine or a program serves, locks and maps can't be relied on (`_filesystem`). A run's
folder there holds a pointer, `run-ID.pointer`, and the log itself lives in a folder on a local disk until it is closed
and comes home (`_away`). While the pointer is there, it decides: what the run's folder holds of the log besides is an
older part, or a copy that isn't complete.

Everybody who is given a run's folder asks `log_folder` first.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import NamedTuple, Optional

from ._errors import LogDamaged, LogElsewhere, LogUnavailable, NewerFormat
from ._owner import boot_id

POINTER_FORMAT = 1
# In the local folder: which run's folder it belongs to.
BACK_POINTER = "home.json"
_POINTER = re.compile(r"run-.+\.pointer")
_POINTER_BYTES_MAX = 1 << 16


class Pointer(NamedTuple):
    """What a run's folder says about a log that lives elsewhere."""

    path: Path  # of the pointer itself
    run_id: str
    log_uuid: str
    host: str
    boot_id: str
    folder: Path  # on that host
    key: str  # stands in the local folder too: a folder of the same path on another host is not the one

    def to_json(self) -> bytes:
        fields = {**self._asdict(), "folder": os.fspath(self.folder)}
        del fields["path"]
        return json.dumps({"format": POINTER_FORMAT, **fields}).encode()


def pointer_path(folder: Path, run_id: str) -> Path:
    return folder / f"run-{run_id}.pointer"


def log_folder(folder: Path) -> Path:
    """Where the log of a run's folder is: there, or where its pointer leads.

    Raises LogElsewhere where the log can't be reached from this machine, LogDamaged for a pointer that is none.
    """
    pointer = find_pointer(folder)
    if pointer is None:
        return folder
    if leads_to(pointer.folder) == pointer.key:
        return pointer.folder
    # It may have come home since the pointer was read.
    if find_pointer(folder) is None:
        return folder
    if pointer.host != os.uname().nodename:
        raise LogElsewhere(
            f"the run's log is on {pointer.host} until the run ends; run `wandb sync` there to bring it here", folder
        )
    since = "" if pointer.boot_id == boot_id() else ", and this machine has been restarted since"
    raise LogElsewhere(
        f"the run's log was written to {pointer.folder} on this machine{since}; that folder can't be read from here",
        folder,
    )


def find_pointer(folder: Path) -> Optional[Pointer]:
    """The pointer in a run's folder, if there is one."""
    try:
        names = sorted(name for name in os.listdir(folder) if _POINTER.fullmatch(name))
    except (FileNotFoundError, NotADirectoryError):
        return None  # which is for whoever looks for the log to tell
    except OSError as error:
        raise LogUnavailable(f"the system says {error.strerror}", folder) from error
    return _read(folder / names[0]) if names else None


def leads_to(place: Path) -> str:
    """The key of a local folder; empty where it isn't there, or is none."""
    try:
        with open(place / BACK_POINTER, "rb") as file:
            return str(json.loads(file.read(_POINTER_BYTES_MAX))["key"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _read(path: Path) -> Optional[Pointer]:
    try:
        with open(path, "rb") as file:
            fields = json.loads(file.read(_POINTER_BYTES_MAX))
        if int(fields["format"]) > POINTER_FORMAT:
            raise NewerFormat(f"written in format {fields['format']}; upgrade wandb", path)
        pointer = Pointer(
            path, str(fields["run_id"]), str(fields["log_uuid"]), str(fields["host"]), str(fields["boot_id"]),
            Path(str(fields["folder"])), str(fields["key"]),
        )  # fmt: skip
    except FileNotFoundError:
        return None  # the log has just come home
    except OSError as error:
        raise LogUnavailable(f"can't be read: {error.strerror}", path) from error
    except (ValueError, KeyError, TypeError, RecursionError):
        raise LogDamaged("this should tell where the run's log is, and doesn't", path) from None
    if not (pointer.folder.is_absolute() and pointer.key):
        raise LogDamaged("this should tell where the run's log is, and doesn't", path)
    return pointer

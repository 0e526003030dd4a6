"""The uploader's own durable state: one folder for each wandb directory and destination, and its lock.

    <wandb directory>/.uploader/<host>_<port>-<hash of the URL>/
        lock               *  held with flock by the one uploader; names it
        uploader.log       *  what it did
        paused             *  while the server refuses the API key: fingerprints of the refused keys
        trouble            *  while nothing can be sent to the server: why, since when, until when
        <run folder>.json     the run's cursor
        <run folder>.lock  *  held with flock by whoever uploads the run: the uploader, or `wandb sync`
        <run folder>.stop     the server wants the run to stop

On a network filesystem, where `flock` may be granted twice or not at all, what is marked with * is in a folder of this
machine's: each machine that writes runs there has an uploader of its own, and they share the cursors. Where two of them
come to upload the same finished run at the same time, it arrives once in effect, as after a crash.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Optional
from urllib.parse import urlsplit

from wandb_storage import LockFile, filesystem_of, make_private_folder, read_held

from ._errors import NotUploadable, UploaderRunning

STATES_FOLDER = ".uploader"
# Somebody who only asks whether the lock is held holds it for an instant.
_LOCK_TRIES = 50
_LOCK_PAUSE_SECONDS = 0.01
# An uploader that takes over waits this long for the one before it to end.
TAKE_OVER_TRIES = 1000


def normalize_url(base_url: str) -> str:
    """A server's address in one form. Raises NotUploadable for what is no http URL."""
    text = base_url.strip().rstrip("/")
    parts = urlsplit(text)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise NotUploadable(f"{base_url!r} is no server's address; it looks like https://api.wandb.ai")
    if parts.username or parts.password:
        raise NotUploadable("the server's address holds a password; put the key into WANDB_API_KEY or netrc instead")
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower(), query="", fragment="").geturl()


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file so that a reader, or a power loss, finds the old content or the new."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


class Home:
    """The state of one wandb directory and destination."""

    def __init__(self, wandb_dir: Path, base_url: str) -> None:
        self.wandb_dir = Path(os.path.abspath(wandb_dir))
        self.base_url = normalize_url(base_url)
        parts = urlsplit(self.base_url)
        digest = hashlib.sha256(self.base_url.encode()).hexdigest()[:8]
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self.folder = self.wandb_dir / STATES_FOLDER / f"{parts.hostname}_{port}-{digest}"

    @functools.cached_property
    def host_folder(self) -> Path:
        """For what concerns this machine only."""
        if filesystem_of(self.wandb_dir).holds_live_logs:
            return self.folder
        digest = hashlib.sha256(os.fsencode(os.path.realpath(self.wandb_dir))).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"wandb-{os.getuid()}" / f"uploader-{digest}-{self.folder.name}"

    @property
    def lock_path(self) -> Path:
        return self.host_folder / "lock"

    @property
    def log_path(self) -> Path:
        return self.host_folder / "uploader.log"

    @property
    def paused_path(self) -> Path:
        return self.host_folder / "paused"

    @property
    def trouble_path(self) -> Path:
        return self.host_folder / "trouble"

    def create(self) -> None:
        """Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.host_folder != self.folder:
            make_private_folder(self.host_folder)

    def run_folder(self, name: str) -> Path:
        return self.wandb_dir / name

    def cursor_path(self, run_folder: str) -> Path:
        return self.folder / f"{run_folder}.json"

    def run_lock_path(self, run_folder: str) -> Path:
        return self.host_folder / f"{run_folder}.lock"

    def stop_path(self, run_folder: str) -> Path:
        return self.folder / f"{run_folder}.stop"


class FileLock:
    """An exclusive lock that ends with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Optional[LockFile] = None

    @property
    def held(self) -> bool:
        return self._file is not None

    @property
    def stands(self) -> bool:
        """Whether it is held, and others see that it is."""
        return self._file is not None and self._file.stands

    def acquire(
        self, signature: Optional[Dict[str, Any]] = None, tries: int = _LOCK_TRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        """Take the lock and sign it. Raises UploaderRunning, which names the holder."""
        file = LockFile(self.path)
        try:
            if not file.acquire(tries, _LOCK_PAUSE_SECONDS, sleep):
                raise UploaderRunning(f"{_describe(_parse_holder(file.read()))} holds {self.path}")
            holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), **(signature or {})}
            file.write(json.dumps(holder).encode())
        except BaseException:
            file.release()
            raise
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.release()
            self._file = None


def lock_holder(path: Path) -> Optional[Dict[str, Any]]:
    """Who holds a lock: what it signed with, or None where nobody does."""
    raw = read_held(path)
    return None if raw is None else _parse_holder(raw)


def _parse_holder(raw: bytes) -> Dict[str, Any]:
    try:
        value = json.loads(raw)
        return value if isinstance(value, dict) else {}
    except ValueError:
        return {}  # it has the lock and hasn't signed yet


def _describe(holder: Dict[str, Any]) -> str:
    return f"process {holder['pid']} on {holder.get('host')}" if holder.get("pid") else "another process"

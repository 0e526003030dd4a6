"""What `wandb doctor` looks at: one function for each thing that can keep runs from being logged or uploaded."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import stat
import sys
import tempfile
import time
import warnings
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterator, List, NamedTuple

if TYPE_CHECKING:
    from wandb.sdk.wandb_settings import Settings

GOOD, DOUBTFUL, BAD = "ok", "warning", "error"
# A run of a week, logged at full speed, may take so much.
_FREE_BYTES_MIN = 1 << 30
_FREE_INODES_MIN = 1000
_FILES_MIN = 256
_CLOCK_SECONDS_MAX = 30.0
_SERVER_SECONDS = 10.0
# A record waits longer where something is wrong.
_LAG_SECONDS_MAX = 600.0
_LISTED_MAX, _REASON_MAX = 3, 200


class Finding(NamedTuple):
    """What a check found, and what to do about it."""

    what: str
    state: str
    text: str
    advice: str = ""


class Place(NamedTuple):
    """What is looked at."""

    home: Path  # the wandb folder, which need not exist
    settings: Settings
    base_url: str


Check = Callable[[Place], Iterator[Finding]]


def python(place: Place) -> Iterator[Finding]:
    import wandb

    text = f"wandb {wandb.__version__}, {platform.python_implementation()} {platform.python_version()}, "
    yield Finding("python", GOOD, text + f"{platform.system()} {platform.machine()}, {sys.prefix}")


def installation(place: Place) -> Iterator[Finding]:
    from ._installed import advice, look

    found = look()
    if not found.problems:
        how = "an editable installation" if found.editable else f"{found.files} files as installed"
        yield Finding("installation", GOOD, f"{found.location}, {how}")
        return
    listed = found.problems[:_LISTED_MAX]
    more = [f"and {len(found.problems) - _LISTED_MAX} more"] if len(found.problems) > _LISTED_MAX else []
    yield Finding("installation", BAD, "; ".join([*listed, *more]), advice(found) or "")


def folder(place: Place) -> Iterator[Finding]:
    """The filesystem, and whether a log can be kept there: one is written, synced and read."""
    from wandb_storage import Console, Log, LogError, Reader, filesystem_of

    parent = _nearest(place.home)
    filesystem = filesystem_of(place.home)
    where = f"{place.home} on {filesystem.type or 'an unknown filesystem'} ({filesystem.kind.value})"
    if not os.access(parent, os.W_OK | os.X_OK):
        yield Finding("folder", BAD, f"{where}: not writable", "set WANDB_DIR to a folder of your own")
        return
    if not filesystem.holds_live_logs:
        yield Finding("folder", GOOD, f"{where}: live logs are kept on a local disk until their runs end")
    try:
        with tempfile.TemporaryDirectory(prefix=".wandb-doctor-", dir=parent) as made:
            began = time.perf_counter()
            with Log.create(Path(made), "doctor") as log:
                log.append(Console(text="hello"))
                log.flush()
            with Reader(Path(made)) as reader:
                assert len(list(reader.entries())) == 1
            yield Finding("folder", GOOD, f"{where}: a log is written, synced and read in {_ms(began)}")
    except (LogError, OSError) as error:
        yield Finding("folder", BAD, f"{where}: no log can be kept there: {error}", "set WANDB_DIR to another disk")


def disk(place: Place) -> Iterator[Finding]:
    from wandb.replay._words import size

    parent = _nearest(place.home)
    free = shutil.disk_usage(parent).free
    counted = os.statvfs(parent)
    text = f"{size(free)} free at {parent}"
    if free < _FREE_BYTES_MIN:
        yield Finding("disk", DOUBTFUL, text, "make room: wandb gc")
    elif counted.f_files and counted.f_favail < _FREE_INODES_MIN:
        yield Finding("disk", DOUBTFUL, f"{counted.f_favail} files can still be made at {parent}", "remove some")
    else:
        yield Finding("disk", GOOD, text)


def limits(place: Place) -> Iterator[Finding]:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FILES_MIN:
        yield Finding("limits", DOUBTFUL, f"a process may open {soft} files", "ulimit -n 1024")
    else:
        yield Finding("limits", GOOD, f"a process may open {soft} files")


def settings(place: Place) -> Iterator[Finding]:
    """Where the settings come from; what makes no sense in them has been said while they were read."""
    sources = {name: place.settings.given(name).origin for name in ("mode", "base_url", "entity", "project")}
    chosen = [
        f"{name} {place.settings.shown(name, place.settings.given(name).value)} ({origin})"
        for name, origin in sources.items()
        if origin != "default"
    ]
    yield Finding("settings", GOOD, ", ".join(chosen) or "all are defaults")


def credentials(place: Place) -> Iterator[Finding]:
    from wandb_uploader import CredentialError, check_api_key, find_api_key, netrc_path

    path = netrc_path()
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding("netrc", DOUBTFUL, f"others can read {path}", f"chmod 600 {path}")
    if place.settings.identity_token_file:
        text = f"an identity token for {place.base_url} in {place.settings.identity_token_file}"
        yield Finding("credentials", GOOD, text)
        return
    try:
        key = place.settings.api_key or find_api_key(place.base_url)
        if key:
            check_api_key(key)
    except CredentialError as error:
        yield Finding("credentials", BAD, str(error), "wandb login")
        return
    if not key:
        text = f"no API key for {place.base_url}: runs are logged offline"
        yield Finding("credentials", DOUBTFUL, text, "wandb login")
        return
    where = "WANDB_API_KEY" if os.environ.get("WANDB_API_KEY") else str(path)
    if place.settings.api_key:
        where = place.settings.given("api_key").origin
    yield Finding("credentials", GOOD, f"a key for {place.base_url} in {where}")


def server(place: Place) -> Iterator[Finding]:
    """Whether it answers, knows the key, and has the same time."""
    import requests

    began = time.time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the certificate isn't checked, which somebody has chosen
            answer = requests.get(
                place.base_url, timeout=_SERVER_SECONDS, headers=place.settings.x_extra_http_headers,
                verify=False if place.settings.insecure_disable_ssl else None,
            )  # fmt: skip
    except requests.RequestException as error:
        advice = "start one of your own with `wandb server`, or check the address, proxies and the network"
        # Who has no key for it may not want one.
        state = BAD if _has_key(place) else DOUBTFUL
        yield Finding("server", state, f"{place.base_url} can't be reached: {_reason(error)}", advice)
        return
    took = time.time() - began
    yield Finding("server", GOOD, f"{place.base_url} answers in {took * 1000:.0f} ms")
    with contextlib.suppress(TypeError, ValueError, KeyError):
        there = parsedate_to_datetime(answer.headers["Date"]).timestamp()
        off = there + 0.5 - (began + took / 2)  # the header has whole seconds
        if abs(off) > _CLOCK_SECONDS_MAX:
            text = f"this machine's clock is {abs(off):.0f} s {'behind' if off > 0 else 'ahead of'} the server's"
            yield Finding("clock", DOUBTFUL, text, "let ntpd or chronyd set it")
        else:
            yield Finding("clock", GOOD, "within a few seconds of the server's")
    yield from _account(place)


def _reason(error: BaseException) -> str:
    """What is at the bottom of an error of the HTTP library, which repeats itself at each level."""
    inner: object = error
    while True:
        deeper = getattr(inner, "reason", None) or next(iter(getattr(inner, "args", ())), None)
        if not isinstance(deeper, BaseException):
            return str(inner).rpartition(": ")[2][:_REASON_MAX]
        inner = deeper


def _has_key(place: Place) -> bool:
    from ..errors import AuthenticationError
    from ..sdk.wandb_login import has_credentials

    try:
        return has_credentials(place.settings)
    except AuthenticationError:
        return True  # which is said to be wrong


def _account(place: Place) -> Iterator[Finding]:
    from wandb_uploader import CredentialError, UploadError, verify_api_key

    from ..sdk._upload import uploader_environment

    if not _has_key(place):
        return
    try:
        user = verify_api_key(place.base_url, environment=uploader_environment(place.settings))
        yield Finding("account", GOOD, f"logged in as {user}")
    except CredentialError as error:
        yield Finding("account", BAD, str(error), "wandb login --relogin")
    except UploadError as error:
        yield Finding("account", BAD, str(error), "check that this is the address of a W&B server")


def uploads(place: Place) -> Iterator[Finding]:
    """What waits, and whether somebody brings it."""
    from wandb.replay._words import count, duration

    from .status import lag_seconds, list_runs

    runs = list_runs(place.home)
    refused = [run for run in runs for one in run.uploads if one.parked_reason or one.parked_items or one.parked_files]
    if refused:
        text = f"a server refused a part of {count(len(refused), 'run')}"
        yield Finding("uploads", DOUBTFUL, text, "wandb status tells why; wandb sync --retry-parked tries again")
    waiting = [run for run in runs if run.waiting and not run.glance.offline]
    lag = max((lag_seconds(run) for run in waiting), default=0.0)
    if waiting and lag > _LAG_SECONDS_MAX:
        text = f"{count(len(waiting), 'online run')} with records that wait, the oldest for {duration(lag)}"
        yield Finding("uploads", DOUBTFUL, text, "wandb status tells why; wandb sync --all uploads now")
    offline = sum(1 for run in runs if run.waiting and run.glance.offline)
    unread = [run.glance.run_id for run in runs if run.glance.state in ("unreadable", "damaged")]
    if unread:
        text = f"{count(len(unread), 'log')} can't be read, or not to the end: {', '.join(unread[:_LISTED_MAX])}"
        advice = "wandb verify RUN tells what is wrong, and wandb verify RUN --salvage FOLDER saves what is intact"
        yield Finding("logs", BAD, text, advice)
    text = f"{count(len(runs), 'run')} in {place.home}, {len(waiting)} on their way, {offline} offline"
    yield Finding("runs", GOOD, text)


LOCAL: List[Check] = [python, installation, folder, disk, limits, settings, credentials, uploads]
REMOTE: List[Check] = [server]


def _nearest(path: Path) -> Path:
    """The path, or its nearest ancestor that is there."""
    real = Path(os.path.abspath(path))
    return next(one for one in (real, *real.parents) if one.exists())


def _ms(began: float) -> str:
    return f"{(time.perf_counter() - began) * 1000:.0f} ms"

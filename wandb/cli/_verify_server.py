"""`wandb verify --host`: does a server take a run, and give back what it took?

A small run is logged here, uploaded, and read back: its rows, config, summary, console, a file and its end. Then it is
deleted again.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, NamedTuple

from ..errors import Error

if TYPE_CHECKING:
    from wandb.apis.public.runs import Run
    from wandb.sdk.wandb_settings import Settings

PROJECT = "wandb-verify"
_ROWS = 100
_CONFIG = {"lr": 0.1, "optimizer": {"name": "adam"}}
_FILE, _CONTENT = "hello.txt", "written by wandb verify\n"


class Step(NamedTuple):
    """One thing that was tried."""

    what: str
    good: bool
    text: str


def verify_server(settings: Settings) -> Iterator[Step]:
    """Try one thing after the other; what can't be tried without one that failed is left out."""
    from wandb_uploader import UploadError, upload, verify_api_key

    from ..sdk._upload import uploader_environment

    try:
        user = verify_api_key(settings.base_url, environment=uploader_environment(settings))
    except UploadError as error:
        yield Step("key", False, str(error))
        return
    yield Step("key", True, f"{settings.base_url} knows it as {user}'s")
    with tempfile.TemporaryDirectory(prefix="wandb-verify-") as place:
        folder = _write(Path(place))
        began = time.monotonic()
        try:
            environment = uploader_environment(settings)
            result = upload(folder, settings.base_url, give_up_seconds=30.0, environment=environment)
        except UploadError as error:
            yield Step("upload", False, str(error))
            return
    refused = result.parked or "; ".join({**result.parked_items, **result.parked_files}.values())
    yield Step("upload", not refused, refused or f"a run of {result.rows} rows in {time.monotonic() - began:.1f} s")
    if refused:
        return
    yield from _read_back(settings, result.run_id)


def _write(place: Path) -> Path:
    from wandb_storage import ConfigChange, Console, Exit, FileSaved, Log, RowFlag, RunStart

    from ..sdk._names import new_run_id

    run_id, now = new_run_id(), time.time()
    folder = place / f"offline-run-20260101_000000-{run_id}"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / _FILE).write_text(_CONTENT)
    with Log.create(folder, run_id) as log:
        log.append(RunStart(run_id=run_id, project=PROJECT, name="wandb verify", time=now, settings="{}"))
        log.append(ConfigChange(json=json.dumps(_CONFIG), time=now))
        for step in range(_ROWS):
            log.append_row({"step_squared": step * step, "half": step / 2}, step, now + step, int(RowFlag.COMMIT))
        log.append(Console(time=now, text="hello\n"))
        log.append(FileSaved(path=_FILE, policy="now", time=now))
        log.append(Exit(code=0, time=now + _ROWS))
    return folder


def _read_back(settings: Settings, run_id: str) -> Iterator[Step]:
    from ..apis.public.api import Api

    run: Run = Api({"base_url": settings.base_url}).run(f"{PROJECT}/{run_id}")
    expected: Dict[str, Any] = {
        "rows": [(step, step * step, step / 2) for step in range(_ROWS)], "config": _CONFIG,
        "summary": (_ROWS - 1) ** 2, "state": "finished", "file": _CONTENT, "console": ["hello"],
    }  # fmt: skip
    looks: Dict[str, Callable[[], Any]] = {
        "rows": lambda: [(row["_step"], row["step_squared"], row["half"]) for row in run.scan_history()],
        "config": lambda: run.config,
        "summary": lambda: run.summary_metrics.get("step_squared"),
        "state": lambda: run.state,
        "file": lambda: run.file(_FILE).read().decode(),
        "console": lambda: [line.content for line in run.console_logs()],
    }
    for what, look in looks.items():
        try:
            found = look()
            good = found == expected[what]
            yield Step(what, good, "as they were logged" if good else f"{str(found)[:200]!r} came back")
        except (Error, ValueError, KeyError, TypeError) as error:
            yield Step(what, False, str(error))
    try:
        run.delete()
        yield Step("delete", True, "the run is gone again")
    except Error as error:
        yield Step("delete", False, str(error))

"""`wandb.init`: from settings to a run whose identity is durable, without waiting for any network."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Union

from wandb_storage import (
    Labels,
    Log,
    LogError,
    LogInUse,
    Reader,
    RunStart,
    beginning,
    boot_id,
    dump_json,
)

from .._run_folders import run_folders
from ..errors import Error, UsageError
from . import _globals, _report
from ._environment import describe_environment, program_path
from ._exit import program_end
from ._folders import link_latest, make_wandb_folder, new_run_folder
from ._live_log import bring_log_home, create_log, open_log
from ._names import new_run_id, new_run_name
from ._restored import Restored
from ._settings._sources import DEFAULT, INIT, INIT_SETTINGS
from ._settings._told import tell
from ._terminal import follow_settings, termlog, termwarn
from ._upload import start_uploader
from ._values import storable_mapping
from .lib.disabled import RunDisabled
from .wandb_config import as_mapping
from .wandb_login import api_key_for, ask_for_key
from .wandb_run import Run
from .wandb_settings import DEFAULT_PROJECT, Settings, merged

# An uploader that brings a killed run's log in order holds it for an instant; a resuming run waits that long.
_IN_USE_SECONDS = 10.0
_IN_USE_PAUSE_SECONDS = 0.05
_RESUME_FILE = "wandb-resume.json"

_running: List[Run] = []


def init(
    project: Optional[str] = None,
    entity: Optional[str] = None,
    dir: Optional[Union[str, Path]] = None,
    id: Optional[str] = None,
    name: Optional[str] = None,
    notes: Optional[str] = None,
    tags: Optional[Sequence[str]] = None,
    config: Any = None,
    config_exclude_keys: Optional[Sequence[str]] = None,
    config_include_keys: Optional[Sequence[str]] = None,
    allow_val_change: Optional[bool] = None,
    group: Optional[str] = None,
    job_type: Optional[str] = None,
    mode: Optional[str] = None,
    reinit: Union[None, bool, str] = None,
    resume: Union[None, bool, str] = None,
    settings: Union[None, Settings, Mapping[str, Any]] = None,
    force: Optional[bool] = None,
    save_code: Optional[bool] = None,
    sync_tensorboard: Optional[bool] = None,
    tensorboard: Optional[bool] = None,
    monitor_gym: Optional[bool] = None,
    anonymous: Optional[str] = None,
    magic: Any = None,
) -> Run:
    """Start a run, or go on with one.

    project, entity, name, notes, tags, group, job_type: what the run is called and where it belongs.
    config: its configuration, a dictionary or a Namespace; include or exclude top-level keys.
    dir: the folder in which the `wandb` folder stands.
    mode: "online" uploads in the background, "offline" doesn't, "disabled" records nothing.
    reinit: while a run is active, "return_previous" (the default) returns it, True or "finish_previous" finishes it
    first, "create_new" starts another beside it.
    resume: "allow", "must" or "never" go on with the run of the same id, "auto" with the one that a crash ended.
    settings: more of them, by name; the arguments here are stronger. docs/settings.md lists all.
    force: raise where there is no API key, instead of logging offline.
    save_code, sync_tensorboard (tensorboard), monitor_gym, anonymous, magic: accepted for callers of other versions.

    Returns the run, whose identity is then durable. Never waits for the network. Raises UsageError for arguments that
    make no sense, Error where no log can be kept anywhere.
    """
    arguments = {
        "project": project, "entity": entity, "run_id": id, "run_name": name, "run_notes": notes, "run_tags": tags,
        "run_group": group, "run_job_type": job_type, "mode": mode, "resume": resume,
        "root_dir": dir, "reinit": reinit, "allow_val_change": allow_val_change, "force": force,
        "save_code": save_code, "sync_tensorboard": tensorboard if sync_tensorboard is None else sync_tensorboard,
        "monitor_gym": monitor_gym, "anonymous": anonymous, "magic": magic,
    }  # fmt: skip
    merged_settings = merged((INIT_SETTINGS, settings), (INIT, arguments))
    follow_settings(merged_settings)
    reinit = merged_settings.reinit
    previous = _globals.active_run()
    if previous is not None and reinit in (False, "default", "return_previous"):
        return previous
    if previous is not None and reinit in (True, "finish_previous"):
        previous.finish()
    tell(merged_settings)
    initial = _initial_config(config, config_include_keys, config_exclude_keys)
    run = _start(merged_settings, initial, merged_settings.allow_val_change)
    _running.append(run)
    program_end.install(finish_all)
    if reinit != "create_new" or previous is None:
        _globals.set_active(run)
    return run


def _start(settings: Settings, config: Dict[str, Any], allow_val_change: bool) -> Run:
    if settings.mode == "disabled":
        settings.update({"run_id": settings.run_id or new_run_id()}, "disabled")
        settings.update({"run_name": settings.run_name or f"dummy-{settings.run_id}"}, "disabled")
        run: Run = RunDisabled(settings, Path.cwd(), None, time.time(), on_finish=_forget)
        run.config.update(config)
        return run
    if settings.mode != "offline" and not _has_key(settings):
        settings.update({"mode": "offline"}, "no API key")
    if settings.project is None:
        settings.update({"project": DEFAULT_PROJECT}, DEFAULT)
    folder = make_wandb_folder(settings.root_dir)
    with _errors_of(folder):
        run = _open_run(settings, folder, config, allow_val_change)
    if settings.symlink:
        link_latest(Path(run.sync_dir))
    if settings.mode != "offline":
        start_uploader(folder, settings)
    _report.show_start(run)
    run._watch_program()
    return run


@contextlib.contextmanager
def _errors_of(folder: Path) -> Iterator[None]:
    try:
        yield
    except LogError as error:
        raise Error(f"no run can be started: {error}") from error
    except OSError as error:
        raise Error(f"no run can be started in {folder}: {error.strerror or error}; set dir= to another") from error


def _has_key(settings: Settings) -> bool:
    """Whether the run can be uploaded: there is a key, or somebody at the terminal who types one."""
    if settings.api_key or (not settings.relogin and api_key_for(settings.base_url)):
        return True
    if sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty() and ask_for_key(settings.base_url):
        return True
    if settings.force:
        raise UsageError(f"there is no API key for {settings.base_url}; run `wandb login` or set WANDB_API_KEY")
    termwarn(
        f"there is no API key for {settings.base_url}, so this run is logged offline. To upload it and later ones, "
        f"run `wandb login --host {settings.base_url}` (a server of your own: `wandb server`) and then `wandb sync`"
    )
    return False


def _initial_config(config: Any, include: Optional[Sequence[str]], exclude: Optional[Sequence[str]]) -> Dict[str, Any]:
    if include and exclude:
        raise UsageError("config_include_keys and config_exclude_keys exclude each other")
    values = storable_mapping(as_mapping(config), "config")
    if include:
        return {key: value for key, value in values.items() if key in include}
    return {key: value for key, value in values.items() if key not in (exclude or ())}


# --- opening the log --------------------------------------------------------------------------------------------------


def _open_run(settings: Settings, folder: Path, config: Dict[str, Any], allow_val_change: bool) -> Run:
    existing = _find_resumed(settings, folder)
    start = time.time()
    if existing is None:
        settings.update({"run_id": settings.run_id or new_run_id()}, "generated")
        if settings.run_name is None:
            settings.update({"run_name": new_run_name(len(run_folders(folder)) + 1)}, "generated")
        assert settings.run_id is not None
        path = new_run_folder(folder, settings.run_id, settings.mode == "offline")
        log, restored = create_log(path, settings), Restored()
    else:
        path = existing
        log = _open_log(path, settings)
        restored = _restore(path, settings)
        _say_recovered(log)
    try:
        log.append(_run_start(settings, start, restored))
        if existing is not None:
            _relabel(log, settings)
        run = Run(settings, path, log, start, restored, on_finish=_finished)
        run.config.update(config, allow_val_change=allow_val_change or existing is not None)
        log.flush()
    except BaseException:
        log.close()
        raise
    if settings.resume == "auto":
        (folder / _RESUME_FILE).write_text(json.dumps({"run_id": settings.run_id}))
    return run


def _find_resumed(settings: Settings, folder: Path) -> Optional[Path]:
    """The folder of the run to go on with, or None for a new one. Raises UsageError where `resume` says so."""
    resume = settings.resume
    if resume == "auto" and settings.run_id is None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            settings.update({"run_id": json.loads((folder / _RESUME_FILE).read_text())["run_id"]}, _RESUME_FILE)
    if resume is None or settings.run_id is None:
        if resume == "must":
            raise UsageError('resume="must" needs the id of the run: wandb.init(id=..., resume="must")')
        return None
    found = [run for run in run_folders(folder) if run.run_id == settings.run_id]
    if resume == "never" and found:
        raise UsageError(f'the run {settings.run_id} exists in {found[-1].path}, and resume="never"')
    if resume == "must" and not found:
        raise UsageError(
            f'there is no log of the run {settings.run_id} in {folder}, and resume="must"; '
            "start in the folder where the run was made, or use another dir="
        )
    return found[-1].path if found and resume != "never" else None


def _open_log(path: Path, settings: Settings) -> Log:
    deadline = time.monotonic() + _IN_USE_SECONDS
    while True:
        try:
            return open_log(path, settings)
        except LogInUse:
            # The lock may be the uploader's, which is bringing the log of the killed session in order.
            if time.monotonic() >= deadline or _held_by_a_run(path):
                raise
            time.sleep(_IN_USE_PAUSE_SECONDS)


def _held_by_a_run(path: Path) -> bool:
    """Whether the log's writer is a process of this machine that is alive: then waiting doesn't help."""
    with Reader(path) as reader:
        writer = reader.writer()
    if writer is None or writer.host != os.uname().nodename or not writer.pid:
        return False
    try:
        os.kill(writer.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _restore(path: Path, settings: Settings) -> Restored:
    """Fold the earlier sessions."""
    with Reader(path) as reader:
        before, state = beginning(reader)
        for entry in reader.entries(before + 1):
            state.apply(entry.record)
    start = state.start
    known = {
        "entity": start.entity, "project": start.project, "run_name": start.name, "run_notes": start.notes,
        "run_tags": start.tags or None, "run_group": start.group, "run_job_type": start.job_type,
    }  # fmt: skip
    settings.update(
        {name: value for name, value in known.items() if settings.source(name) == DEFAULT}, "the resumed run"
    )
    return Restored(
        sessions=state.sessions,
        step=state.step,
        runtime=state.runtime,
        config=state.config,
        summary=state.summary,
        metrics=state.metrics if state.metrics.definitions else None,
    )


def _say_recovered(log: Log) -> None:
    lost = log.recovered.writer_lost if log.recovered is not None else None
    if lost is not None:
        termlog(f"The last session of this run was cut off ({lost.evidence}). Everything it logged is kept.")


def _run_start(settings: Settings, start: float, restored: Restored) -> RunStart:
    from wandb import __version__

    program = settings.program or program_path()
    return RunStart(
        run_id=settings.run_id or "",
        entity=settings.entity,
        project=settings.project,
        name=settings.run_name,
        notes=settings.run_notes,
        tags=list(settings.run_tags or ()),
        group=settings.run_group,
        job_type=settings.run_job_type,
        sweep_id=settings.sweep_id,
        time=start,
        host=os.uname().nodename,
        pid=os.getpid(),
        boot_id=boot_id(),
        program=program,
        version=__version__,
        settings=dump_json({"base_url": settings.base_url, "mode": settings.mode}),
        environment=dump_json(describe_environment(program, settings)),
        resumed=restored.sessions > 0,
        first_step=restored.step,
    )


def _relabel(log: Log, settings: Settings) -> None:
    """Labels that the resuming call names replace those of the earlier sessions."""
    if settings.source("run_tags") == INIT:
        log.append(Labels(tags=list(settings.run_tags or ()), tags_changed=True, time=time.time()))


# --- the end ----------------------------------------------------------------------------------------------------------


def _finished(run: Run, quiet: bool) -> None:
    """A run's log is sealed: say how it went, and show the upload."""
    _forget(run, quiet)
    bring_log_home(Path(run.sync_dir))
    if not run.offline:
        # The uploader that init started may have been killed or stopped since.
        start_uploader(Path(run.sync_dir).parent, run.settings)
    _report.show_end(run, quiet)


def _forget(run: Run, quiet: bool) -> None:
    if run in _running:
        _running.remove(run)
    _globals.clear_active(run)
    if run.settings.resume == "auto" and not run._exit_code:
        with contextlib.suppress(OSError):
            (Path(run.sync_dir).parent / _RESUME_FILE).unlink()


def finish_all(exit_code: Optional[int] = None) -> None:
    """Finish what is still running; without an exit code, with how the program ended."""
    for run in list(_running):
        run.finish(exit_code=program_end.code if exit_code is None else exit_code)


def finish(exit_code: Optional[int] = None, quiet: Optional[bool] = None) -> None:
    """Finish the active run, if there is one."""
    run = _globals.active_run()
    if run is not None:
        run.finish(exit_code=exit_code, quiet=quiet)

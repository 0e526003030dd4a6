"""From settings to a run with an open log: a new one, that of its earlier sessions, or one that begins as another."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

from wandb_storage import ConfigChange, Labels, Log, RunStart, SummaryChange, boot_id, dump_json

from .._run_folders import count_run_folders, folders_of_run
from .._terminal import termwarn
from ._environment import describe_environment, program_path
from ._folders import new_run_folder
from ._live_log import create_log
from ._names import new_run_id, new_run_name
from ._restored import Restored
from ._settings._sources import DEFAULT, INIT
from .wandb_run import Run
from .wandb_settings import DEFAULT_PROJECT, Settings


def open_run(
    settings: Settings, folder: Path, config: Dict[str, Any], on_finish: Callable[[Run, bool, Optional[bool]], None]
) -> Run:
    """The run that the settings ask for, with its identity durable in its log. Raises UsageError and LogError."""
    start = time.time()
    if settings.resume is settings.fork_from is settings.resume_from is None:
        if settings.run_id is not None and not settings.shared:
            _tell_of_namesakes(settings.run_id, folder)
        path, log = _new_log(settings, folder)
        restored = Restored()
    else:
        path, log, restored = _go_on(settings, folder, start, rewound=settings.resume_from is not None)
    try:
        log.append(_run_start(settings, start, restored))
        if restored.elsewhere and (restored.config or restored.summary):
            log.append(ConfigChange(json=dump_json(restored.config), time=start))
            log.append(SummaryChange(json=dump_json(restored.summary), time=start))
        if restored.resumed and settings.source("run_tags") == INIT:
            log.append(Labels(tags=list(settings.run_tags or ()), tags_changed=True, time=start))
        run = Run(settings, path, log, start, restored, on_finish)
        known = restored.resumed or restored.branch_run is not None
        run.config.update(config, allow_val_change=known or None)
        log.flush()
    except BaseException:
        log.close()
        raise
    if settings.resume == "auto":
        from ._resume import remember

        remember(settings, folder)
    return run


def _tell_of_namesakes(run_id: str, folder: Path) -> None:
    """The official client begins anew under a known id, too, but nobody should learn that at the server."""
    earlier = folders_of_run(folder, run_id)
    if earlier:
        termwarn(
            f"the run {run_id} begins anew, and {earlier[-1]} holds an earlier one of the same id: on a server the new "
            'rows replace the old ones. To go on with the earlier one, pass resume="allow"; for another run, another id'
        )


def _go_on(settings: Settings, folder: Path, start: float, rewound: bool) -> Tuple[Path, Log, Restored]:
    """The folder of a run that may have begun before, the log that it writes into, and what was left."""
    from . import _resume

    origin = _resume.find_origin(settings, folder)
    if origin.folder is not None and origin.branch is None:
        log = _resume.open_again(origin.folder, settings)
        try:
            restored = _resume.restore(origin.folder, settings)
            _resume.say_recovered(log)
        except BaseException:
            log.close()
            raise
        return origin.folder, log, restored
    if origin.branch is not None:
        assert origin.state is not None
        _resume.take_labels_of_log(settings, origin.state, name=rewound)
        if rewound:
            settings.update({"run_id": origin.branch.run_id}, "init(resume_from=)")
    path, log = _new_log(settings, folder)
    if origin.folder is None or origin.branch is None:
        return path, log, origin.restored or Restored()
    from ._branch import copy_beginning
    from ._restored import restored_from

    try:
        begun = _run_start(settings, start, Restored())
        state = copy_beginning(origin.folder, origin.branch, log, begun, path / "files")
    except BaseException:
        log.close()
        raise
    _resume.say_branched(settings, origin.folder, origin.branch, rewound)
    restored = restored_from(state)
    restored.resumed = rewound
    restored.step = origin.branch.step + 1
    restored.branch_run, restored.branch_step = origin.branch
    return path, log, restored


def _new_log(settings: Settings, folder: Path) -> Tuple[Path, Log]:
    settings.update({"run_id": settings.run_id or new_run_id()}, "generated")
    if settings.run_name is None:
        settings.update({"run_name": new_run_name(count_run_folders(folder) + 1)}, "generated")
    if settings.project is None:
        settings.update({"project": DEFAULT_PROJECT}, DEFAULT)
    assert settings.run_id is not None
    path = new_run_folder(folder, settings.run_id, settings.mode == "offline")
    return path, create_log(path, settings)


def _run_start(settings: Settings, start: float, restored: Restored) -> RunStart:
    from wandb import __version__

    program = program_path(settings)
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
        settings=dump_json({"base_url": settings.base_url, "mode": settings.mode, **_writer(settings)}),
        environment=dump_json(describe_environment(program, settings, start)),
        resumed=restored.resumed or restored.elsewhere,
        first_step=restored.step,
        branch_run=restored.branch_run,
        branch_step=restored.branch_step,
        runtime_before=restored.runtime if restored.elsewhere else 0.0,
    )


def _writer(settings: Settings) -> Dict[str, Any]:
    """What the log says of its writer, where it isn't one that writes a run alone, without a label, and whole."""
    said = {"shared": settings.shared, "x_label": settings.x_label, "ignore_globs": list(settings.ignore_globs)}
    allowed = {name: getattr(settings, name) for name in ("x_primary", "x_update_finish_state")}
    return {
        **{name: value for name, value in said.items() if value},
        **{name: value for name, value in allowed.items() if not value},
    }

"""Going on with a run that isn't in this folder, but at the server: its own, or another one from a step on.

The server is asked for `resume_timeout` seconds at most. Where it can't be asked the run begins all the same, and the
upload joins it with what the server has: nothing of that is needed here to log rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, Optional

from .._terminal import termlog, termwarn
from ..errors import CommError, UsageError
from ._branch import Branch
from ._restored import Restored
from ._settings._sources import DEFAULT
from ._upload import look_up_run
from .wandb_settings import Settings

if TYPE_CHECKING:
    from wandb_uploader import HeldRun


def resume_from_server(settings: Settings) -> Restored:
    """What the server has of the run that is to be resumed. Raises UsageError where `resume` forbids to go on."""
    resume, run_id = settings.resume, settings.run_id
    assert run_id is not None
    try:
        held = look_up_run(settings, run_id)
    except CommError as error:
        termwarn(
            f"the run {run_id} is not in this folder, and the server can't be asked for it: {error}. "
            "It begins at step 0 here; the upload joins it with what the server has"
        )
        # Without the mark, an uploader that finds rows there would take them for those of somebody else's run.
        return Restored(elsewhere=resume != "never")
    if held is None:
        if resume == "must":
            raise UsageError(f'there is no run {run_id} here or at {settings.base_url}, and resume="must"')
        return Restored()
    if resume == "never":
        raise UsageError(f'the run {run_id} exists at {settings.base_url}, and resume="never"')
    _take_labels(settings, held, name=True)
    termlog(f"The run {run_id} is not in this folder. It goes on from the server's copy, with step {held.next_step}")
    return Restored(
        resumed=True, elsewhere=True, step=held.next_step, runtime=held.runtime, config=held.config,
        summary=held.summary,
    )  # fmt: skip


def branch_at_server(settings: Settings, branch: Branch, argument: str) -> Restored:
    """What a run begins with that goes on from a step of a run at the server, which gives it the rows up to there.

    Raises UsageError where there is no such run or step.
    """
    rewound = argument == "resume_from"
    held: Optional[HeldRun] = None
    try:
        held = look_up_run(settings, branch.run_id, branch.step)
    except CommError as error:
        termwarn(
            f"{argument}: the run {branch.run_id} is not in this folder, and the server can't be asked: {error}. "
            f"The run begins with step {branch.step + 1}, without the config of {branch.run_id}; the upload joins them"
        )
    else:
        if held is None:
            raise UsageError(f"{argument}: there is no run {branch.run_id} here or at {settings.base_url}")
        if held.next_step <= branch.step:
            raise UsageError(
                f"the run {branch.run_id} has no step {branch.step}: it ends with step {held.next_step - 1}"
            )
        _take_labels(settings, held, name=rewound)
        termlog(
            f"The run {branch.run_id} is at the server. This one goes on from {branch}, with step {branch.step + 1}"
        )
    if rewound:
        settings.update({"run_id": branch.run_id}, "init(resume_from=)")
    return Restored(
        resumed=rewound, elsewhere=True, step=branch.step + 1, config=held.config if held else {},
        summary=held.summary if held else {}, branch_run=branch.run_id, branch_step=branch.step,
    )  # fmt: skip


def _take_labels(settings: Settings, held: HeldRun, name: bool) -> None:
    """What the server calls the run, where nobody says otherwise; its own name and notes are not those of a fork."""
    known = {"entity": held.entity, "project": held.project, "run_tags": held.tags}
    if name:
        known.update(run_name=held.name, run_notes=held.notes)
    fill(settings, known)


def fill(settings: Settings, known: Mapping[str, object]) -> None:
    """Take what is known of a run that goes on, where nobody says otherwise."""
    settings.update(
        {name: value for name, value in known.items() if value and settings.source(name) == DEFAULT},
        "the resumed run",
    )

"""`wandb replay`: a run from its log alone, for people and for programs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

import click

from . import FAILED, complain, warn
from ._help import RUN, command, option
from ._replay_branch import make_fork, make_rewind, send
from ._replay_diff import show_difference, side
from ._replay_follow import follow
from ._replay_output import Output, load, mirrored, write
from ._replay_view import view
from ._times import MOMENT, Moment

if TYPE_CHECKING:
    from wandb.replay import Replay
    from wandb.replay._mirror import Mirror
    from wandb.replay._selection import Selection

_THEN = "The run as it was: by log record, step, or time (12:30, +10m, -10m)."
_TEXTS = "As text, to stdout or -o FILE."
_FILES = "As a file or a folder."
_ROWS = "Only these keys; only rows of these steps and times."
_LIVE = "As it goes on; in a full-screen view with charts."
_BRANCH = "A branch of the run, made here at once: another run, or the same one."
_SEND = "Upload to another server, whole or a range."
_FILE: Any = click.Path(dir_okay=False, path_type=Path)
_FOLDER: Any = click.Path(file_okay=False, path_type=Path)
_KEYS_LISTED_MAX = 5
_ADVICE = "Restore the file from a copy if there is one; no later record can be trusted without it."


@command(
    "replay",
    [
        "wandb replay                                 the newest run here",
        "wandb replay a1b2c3d4 --at-step 100          as it was then",
        "wandb replay latest --csv --keys loss,acc -o history.csv",
        "wandb replay 'wandb/run-202601*' --sqlite january.db",
        "wandb replay a1b2c3d4 --json | jq .ended",
    ],
)
@click.argument("runs", nargs=-1, type=RUN, metavar="[RUN]...")
@option(
    "--at", type=click.IntRange(min=0), metavar="SEQ", together=_THEN,
    help="The run as it was after its log's record SEQ.",
)  # fmt: skip
@option("--at-step", type=int, metavar="N", together=_THEN, help="The run as it was when step N was complete.")
@option(
    "--at-time", type=MOMENT, metavar="T", together=_THEN,
    help="The run as it was at a time: 2026-01-05T12:30, 12:30 on the day of its start, +10m behind its start, -10m "
    "before its end, seconds since 1970.",
)  # fmt: skip
@option(
    "--json", "form", flag_value="json", together=_TEXTS,
    help="One JSON document of all that the log tells; NaN and infinities as strings.",
)  # fmt: skip
@option("--csv", "form", flag_value="csv", together=_TEXTS, help="The history as CSV, a column a key.")
@option("--notebook", "form", flag_value="notebook", together=_TEXTS, help="A Jupyter notebook that opens the run.")
@option("--records", "form", flag_value="records", together=_TEXTS, help="Each record of the log as JSON, a line each.")
@option(
    "--parquet", "form", flag_value="parquet", together=_TEXTS,
    help="The history as Parquet, a column a key; needs `wandb[parquet]`.",
)  # fmt: skip
@option(
    "--html", type=_FILE, metavar="FILE", together=_FILES,
    help="One page with charts, config, summary, machine and console, which opens anywhere.",
)  # fmt: skip
@option(
    "--sqlite", type=_FILE, metavar="FILE", together=_FILES,
    help="A SQLite database of everything, the history a column a key.",
)  # fmt: skip
@option(
    "--tensorboard", type=_FOLDER, metavar="DIR", together=_FILES,
    help="An event file for TensorBoard, of several runs a folder each.",
)  # fmt: skip
@option("--keys", metavar="A,B", together=_ROWS, help="Of the history, _step and these keys only.")
@option("--from-step", type=int, metavar="N", together=_ROWS, help="Only rows from this step on.")
@option("--to-step", type=int, metavar="N", together=_ROWS, help="Only rows up to this step.")
@option("--from-time", type=MOMENT, metavar="T", together=_ROWS, help="Only rows from this time on.")
@option("--to-time", type=MOMENT, metavar="T", together=_ROWS, help="Only rows up to this time.")
@option("--follow", is_flag=True, together=_LIVE, help="Show the run as it goes on, with small plots, until it ends.")
@option("--view", is_flag=True, together=_LIVE, help="A full-screen view of any run, with charts; needs `wandb[view]`.")
@option(
    "--diff", nargs=2, metavar="A B",
    help="What two sides don't have in common: step=N, seq=N, time=T, another run, log or server.",
)  # fmt: skip
@option(
    "--fork-at",
    type=click.IntRange(min=0),
    metavar="STEP",
    together=_BRANCH,
    help="Make a new run that begins as this one up to STEP.",
)
@option(
    "--rewind-to", type=click.IntRange(min=0), metavar="STEP", together=_BRANCH,
    help="Let the run go back to STEP: a new log without the later rows takes the place of the old one.",
)  # fmt: skip
@option("--to", "url", metavar="URL", together=_SEND, help="Upload to this server: all of it, or the rows of a range.")
@option("-p", "--project", together=_SEND, help="With --to: into this project instead of its own.")
@option("-e", "--entity", together=_SEND, help="With --to: to this entity instead of its own.")
@option("--id", "run_id", together=_SEND, help="With --to or --fork-at: under this id.")
@option("-o", "--output", type=_FILE, metavar="FILE", help="Write to a file, all or nothing.")
@option("--dir", "directory", type=click.Path(path_type=Path), help="Look for runs here, not in ./wandb.")
def replay(runs: Sequence[str], **given: Any) -> None:
    """Tell a run from its log: config, summary, history, plots, console, how it ended and how we know.

    RUN is an id, a folder, any file in it, a pattern of these, `latest` (the default), or `entity/project/id` on a
    server. It may be finished, killed or still running: nothing is written and nothing is disturbed. A damaged log is
    told up to the damage, with exit code 1.
    """
    asked = _Asked(**given)
    asked.check()
    if asked.follow or asked.view:
        _look_on(runs, asked)
        return
    found = _find(runs, asked)
    selection = asked.selection()
    if asked.diff:
        left, right = (side(text, runs[0] if runs else None, asked.directory) for text in asked.diff)
        show_difference(left, right, selection, asked.form == "json")
        found = [left.run, right.run]
    elif asked.fork_at is not None or asked.rewind_to is not None:
        if len(found) > 1:
            raise click.UsageError(f"a branch is one run's, and these are {len(found)}; name the one that you mean")
        _branch(found[0], asked)
    elif asked.url:
        send(found, asked.url, selection, {"run_id": asked.run_id, "project": asked.project, "entity": asked.entity})
    else:
        output = asked.output_form()
        if output.form:
            _tell_unknown_keys(found, asked.key_list or ())
        write(found, selection, output)
    _tell_damage(found)


@dataclasses.dataclass
class _Asked:
    """The options, as they were given."""

    at: Optional[int]
    at_step: Optional[int]
    at_time: Optional[Moment]
    form: Optional[str]
    html: Optional[Path]
    sqlite: Optional[Path]
    tensorboard: Optional[Path]
    keys: Optional[str]
    from_step: Optional[int]
    to_step: Optional[int]
    from_time: Optional[Moment]
    to_time: Optional[Moment]
    follow: bool
    view: bool
    diff: Optional[Tuple[str, str]]
    fork_at: Optional[int]
    rewind_to: Optional[int]
    url: Optional[str]
    project: Optional[str]
    entity: Optional[str]
    run_id: Optional[str]
    output: Optional[Path]
    directory: Optional[Path]

    @property
    def paths(self) -> Dict[str, Optional[Path]]:
        """The forms that name their own place."""
        return {"html": self.html, "sqlite": self.sqlite, "tensorboard": self.tensorboard}

    @property
    def actions(self) -> Dict[str, Any]:
        return {
            "--follow": self.follow or None, "--view": self.view or None, "--diff": self.diff or None,
            "--fork-at": self.fork_at, "--rewind-to": self.rewind_to, "--to": self.url,
        }  # fmt: skip

    @property
    def moments(self) -> Dict[str, Any]:
        return {"--at": self.at, "--at-step": self.at_step, "--at-time": self.at_time}

    @property
    def rows(self) -> Dict[str, Any]:
        return {
            "--from-step": self.from_step, "--to-step": self.to_step, "--from-time": self.from_time,
            "--to-time": self.to_time,
        }  # fmt: skip

    def check(self) -> None:
        """Raises UsageError where the options contradict each other."""
        # A difference, and rows that come in, have a form for programs, too.
        form = f"--{self.form}" if self.form and not (self.form == "json" and (self.diff or self.follow)) else ""
        forms = {**{f"--{name}": path for name, path in self.paths.items()}, form: form or None}
        _one_of({**forms, **self.actions})
        _one_of(self.moments)
        given = _given({"--keys": self.keys, **self.rows})
        takes_some = self.diff or (self.url and self.keys is None) or (self.follow and given == ["--keys"])
        if given and not _given(forms) and not takes_some:
            raise click.UsageError(f"{given[0]} goes with a form, --json or --csv say")
        if self.from_step is not None and self.to_step is not None and self.from_step > self.to_step:
            raise click.UsageError(f"--from-step {self.from_step} is behind --to-step {self.to_step}")
        alone = _given(self.actions)
        if alone and _given(self.moments):
            raise click.UsageError(f"{alone[0]} and {_given(self.moments)[0]} exclude each other")
        if self.output is not None and (_given(self.paths) or alone):
            raise click.UsageError(f"{(*_given(forms), *alone)[0]} has its own place; -o is for stdout")

    def selection(self) -> Selection:
        from wandb.replay._range import Range
        from wandb.replay._selection import Selection

        def range_of(run: Replay) -> Range:
            times = [time if time is None else time.of(run) for time in (self.from_time, self.to_time)]
            return Range(self.from_step, self.to_step, *times)

        return Selection(self.key_list, range_of)

    @property
    def key_list(self) -> Optional[List[str]]:
        return None if self.keys is None else list(dict.fromkeys(key for key in self.keys.split(",") if key))

    def output_form(self) -> Output:
        for name, path in self.paths.items():
            if path is not None:
                return Output(name, path)
        return Output(self.form or "", self.output)


def _given(options: Dict[str, Any]) -> List[str]:
    return [name for name, value in options.items() if value is not None]


def _one_of(options: Dict[str, Any]) -> None:
    if len(_given(options)) > 1:
        raise click.UsageError(f"{' and '.join(_given(options))} exclude each other; give one")


def _find(runs: Sequence[str], asked: _Asked) -> List[Replay]:
    if asked.diff and not runs:
        return []
    found = load(runs or ["latest"], asked.directory)
    if not _given(asked.moments):
        return found
    return [
        run.at(sequence=asked.at, step=asked.at_step, time=None if asked.at_time is None else asked.at_time.of(run))
        for run in found
    ]


def _look_on(runs: Sequence[str], asked: _Asked) -> None:
    from wandb.replay import find_runs
    from wandb.replay._fetch import server_path
    from wandb.replay._replay import open_run

    elsewhere = server_path(runs[0]) if len(runs) == 1 else None
    if elsewhere is not None:
        with mirrored(elsewhere) as mirror:
            _look_at(mirror.folder, asked, mirror, mirror.origin)
        return
    folders = find_runs(runs or ["latest"], asked.directory)
    if len(folders) > 1:
        raise click.UsageError(f"one run is looked at, and these are {len(folders)}; name the one that you mean")
    run = open_run(folders[0])
    _look_at(run.folder, asked, origin=run.origin)


def _look_at(folder: Path, asked: _Asked, mirror: Optional[Mirror] = None, origin: str = "") -> None:
    if asked.view:
        view(folder, mirror, origin)
    else:
        follow(folder, asked.key_list, asked.form == "json", mirror)


def _branch(run: Replay, asked: _Asked) -> None:
    if asked.fork_at is not None:
        make_fork(run, asked.fork_at, asked.run_id, asked.directory)
    elif asked.rewind_to is not None:
        make_rewind(run, asked.rewind_to, asked.directory)


def _tell_unknown_keys(runs: Sequence[Replay], keys: Sequence[str]) -> None:
    import difflib

    known = list(dict.fromkeys(key for run in runs for key in run.keys))
    for key in keys:
        if key not in known:
            near = difflib.get_close_matches(key, known) or known[:_KEYS_LISTED_MAX]
            warn(f"no row has {key}" + (f"; there are {', '.join(near)}" if near else ": there is no row"))


def _tell_damage(runs: Sequence[Replay]) -> None:
    damaged = [run for run in runs if run.damage is not None]
    for run in damaged:
        complain(f"{run.damage}\nEverything before the damage was told. {_ADVICE}")
    if damaged:
        raise click.exceptions.Exit(FAILED)

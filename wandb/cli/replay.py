"""`wandb replay`: a run from its log alone, for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

import click

from . import FAILED, complain
from ._help import RUN, command, option
from ._replay_output import Output, load, write
from ._times import MOMENT, Moment

if TYPE_CHECKING:
    from wandb.replay import Replay

_THEN = "The run as it was: by log record, step, or time (12:30, +10m, -10m)."
_TEXTS = "As text, to stdout or -o FILE."
_FILES = "As a file or a folder."
_ROWS = "Only these keys; only rows of these steps and times."
_FILE: Any = click.Path(dir_okay=False, path_type=Path)
_FOLDER: Any = click.Path(file_okay=False, path_type=Path)
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
    help="The run as it was at a time: 2026-01-05T12:30, seconds since 1970, +10m behind its start, -10m before its "
    "end.",
)  # fmt: skip
@option(
    "--json", "form", flag_value="json", together=_TEXTS,
    help="One JSON document of all that the log tells; NaN and infinities as strings.",
)  # fmt: skip
@option("--csv", "form", flag_value="csv", together=_TEXTS, help="The history as CSV, a column a key.")
@option("--notebook", "form", flag_value="notebook", together=_TEXTS, help="A Jupyter notebook that opens the run.")
@option(
    "--parquet", "form", flag_value="parquet", together=_TEXTS,
    help="The history as Parquet, a column a key; needs `wandb[parquet]`.",
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
@option("-o", "--output", type=_FILE, metavar="FILE", help="Write to a file, all or nothing.")
@option("--dir", "directory", type=click.Path(path_type=Path), help="Look for runs here, not in ./wandb.")
def replay(
    runs: Sequence[str], at: Optional[int], at_step: Optional[int], at_time: Optional[Moment], form: Optional[str],
    sqlite: Optional[Path], tensorboard: Optional[Path], keys: Optional[str], from_step: Optional[int],
    to_step: Optional[int], from_time: Optional[Moment], to_time: Optional[Moment], output: Optional[Path],
    directory: Optional[Path],
) -> None:  # fmt: skip
    """Tell a run from its log: config, summary, history, plots, console, how it ended and how we know.

    RUN is an id, a run's folder, any file in it, a pattern of these, or `latest`, the default. It may be finished,
    killed or still running: nothing is written and nothing is disturbed. A damaged log is told up to the damage, with
    exit code 1.
    """
    wanted = _output(form, {"sqlite": sqlite, "tensorboard": tensorboard}, output)
    moments = {"--at": at, "--at-step": at_step, "--at-time": at_time}
    _one_of(moments)
    bounds: Dict[str, Any] = {
        "from_step": from_step, "to_step": to_step, "from_time": from_time, "to_time": to_time
    }  # fmt: skip
    _check_rows(wanted, keys, bounds)

    from wandb.replay import find_runs
    from wandb.replay._range import Range
    from wandb.replay._selection import Selection

    found = load(find_runs(runs or ["latest"], directory))
    found = [_then(run, at, at_step, at_time) for run in found]
    for name in ("from_time", "to_time"):
        if bounds[name] is not None:
            bounds[name] = bounds[name].of(found[0])
    write(found, Selection(_split(keys), Range(**bounds)), wanted)
    _tell_damage(found)


def _output(form: Optional[str], paths: Dict[str, Optional[Path]], output: Optional[Path]) -> Output:
    """The one form that is wanted."""
    _one_of({**{f"--{name}": path for name, path in paths.items()}, f"--{form}": form})
    for name, path in paths.items():
        if path is not None:
            if output is not None:
                raise click.UsageError(f"--{name} names its own place; -o is for stdout")
            return Output(name, path)
    return Output(form or "", output)


def _one_of(options: Dict[str, Any]) -> None:
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other; give one")


def _check_rows(output: Output, keys: Optional[str], bounds: Dict[str, Any]) -> None:
    """A story tells a whole run."""
    given = [f"--{name.replace('_', '-')}" for name, value in {"keys": keys, **bounds}.items() if value is not None]
    if given and not output.form:
        raise click.UsageError(f"{given[0]} goes with a form, --json or --csv say")


def _then(run: Replay, at: Optional[int], at_step: Optional[int], at_time: Optional[Moment]) -> Replay:
    if at is None and at_step is None and at_time is None:
        return run
    return run.at(sequence=at, step=at_step, time=None if at_time is None else at_time.of(run))


def _split(keys: Optional[str]) -> Optional[List[str]]:
    return None if keys is None else list(dict.fromkeys(key for key in keys.split(",") if key))


def _tell_damage(runs: Sequence[Replay]) -> None:
    damaged = [run for run in runs if run.damage is not None]
    for run in damaged:
        complain(f"{run.damage}\nEverything before the damage was told. {_ADVICE}")
    if damaged:
        raise click.exceptions.Exit(FAILED)

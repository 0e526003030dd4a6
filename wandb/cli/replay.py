"""`wandb replay`: a run from its log alone, for people and for programs."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Iterator, List, Optional

import click

from . import fail

if TYPE_CHECKING:
    from wandb.replay import Replay

_EXAMPLES = """\b
Examples:
  wandb replay                                 the newest run here
  wandb replay a1b2c3d4 --at-step 100          as it was then
  wandb replay latest --csv --keys loss,acc -o history.csv
  wandb replay wandb/run-20260105_120311-a1b2c3d4 --json | jq .ended
"""
# Where no terminal tells its width.
_PLAIN_WIDTH = 100


@click.command("replay", epilog=_EXAMPLES)
@click.argument("run", default="latest")
@click.option("--json", "form", flag_value="json", help="One JSON document; NaN and infinities as strings.")
@click.option("--csv", "form", flag_value="csv", help="The history as CSV, a column a key.")
@click.option("--keys", metavar="A,B", help="Of the history, _step and these keys only; with --json or --csv.")
@click.option("--at-step", type=int, metavar="N", help="The run as it was when step N was complete.")
@click.option("--at", type=click.IntRange(min=0), metavar="SEQ", help="The run as it was after its log's record SEQ.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file, all or nothing."
)
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Look for the run here, not in ./wandb.")
def replay(
    run: str, form: Optional[str], keys: Optional[str], at_step: Optional[int], at: Optional[int],
    output: Optional[Path], directory: Optional[Path],
) -> None:  # fmt: skip
    """Tell RUN from its log: config, summary, history, plots, console, how it ended and how we know.

    RUN is an id, a run's folder, any file in it, or `latest`. It may be finished, killed or still running: nothing is
    written and nothing is disturbed. A damaged log is told up to the damage, with exit code 1.
    """
    if at_step is not None and at is not None:
        raise click.UsageError("--at-step and --at name two moments; give one")
    if keys is not None and form is None:
        raise click.UsageError("--keys goes with --json or --csv")

    from wandb.replay import Replay, find_run

    found = Replay(find_run(run, directory))
    if at_step is not None or at is not None:
        found = found.at(step=at_step, sequence=at)
    with _opened(output) as file:
        _write(found, form, _split(keys), file, on_terminal=output is None)
    if found.damage is not None:
        fail(f"{found.damage}\nEverything before the damage was told. {_ADVICE}")


_ADVICE = "Restore the file from a copy if there is one; no later record can be trusted without it."


def _write(found: Replay, form: Optional[str], keys: Optional[List[str]], file: IO[str], on_terminal: bool) -> None:
    if form == "json":
        from wandb.replay._export import write_json

        write_json(found, keys, file)
    elif form == "csv":
        from wandb.replay._export import write_csv

        write_csv(found, keys, file)
    elif on_terminal and file.isatty():
        from rich.console import Console

        from wandb.replay._story import print_story

        print_story(found, Console(file=file, highlight=False))
    else:
        file.write(found.story(_PLAIN_WIDTH))


def _split(keys: Optional[str]) -> Optional[List[str]]:
    return None if keys is None else list(dict.fromkeys(key for key in keys.split(",") if key))


@contextlib.contextmanager
def _opened(output: Optional[Path]) -> Iterator[IO[str]]:
    """Stdout, or a file that gets its name when it is complete."""
    if output is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A run's texts may hold what the terminal's encoding doesn't; a question mark is better than an error.
            sys.stdout.reconfigure(errors="replace")
        yield sys.stdout
        return
    descriptor, temporary = tempfile.mkstemp(dir=output.absolute().parent, prefix=f".{output.name}-")
    try:
        with open(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
            yield file
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # as a file that this command had just created
        os.replace(temporary, output)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise

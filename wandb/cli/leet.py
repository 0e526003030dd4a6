"""`wandb leet`: what the official client's terminal viewer is called by, here the same as `wandb replay`."""

from __future__ import annotations

import time
from typing import Dict, List, Optional, Tuple

import click

from ._help import RUN, Command, examples, option

_SAMPLE_SECONDS = 1.0
_SAMPLES = 3600  # what the monitor remembers


class _Leet(click.Group):
    """A group whose default is to view a run."""

    def resolve_command(
        self, ctx: click.Context, args: List[str]
    ) -> Tuple[Optional[str], Optional[click.Command], List[str]]:
        if args and args[0] not in self.commands:
            args = ["run", *args]
        return super().resolve_command(ctx, args)


@click.group("leet", cls=_Leet, invoke_without_command=True, epilog=examples(["wandb leet", "wandb leet a1b2c3d4"]))
@click.pass_context
def leet(context: click.Context) -> None:
    """View a run on the whole terminal, as `wandb replay --view`."""
    if context.invoked_subcommand is None:
        context.invoke(run, path="latest")


@leet.command("run", cls=Command, epilog=examples(["wandb leet run a1b2c3d4"]))
@click.argument("path", default="latest", type=RUN, metavar="[RUN]")
def run(path: str) -> None:
    """View RUN: `wandb replay RUN --view`."""
    _replay([path, "--view"])


@leet.command("inspect", cls=Command, epilog=examples(["wandb leet inspect", "wandb leet inspect latest --summary"]))
@click.argument("path", default="latest", type=RUN, metavar="[RUN]")
@option("--follow", is_flag=True, help="Rows as they come: `wandb replay RUN --follow`.")
@option("--json", "as_json", is_flag=True, help="With --follow: each row as a JSON document.")
@option("--summary", is_flag=True, help="The run's story: `wandb replay RUN`.")
def inspect(path: str, follow: bool, as_json: bool, summary: bool) -> None:
    """Print each record of a log as a JSON document: `wandb replay RUN --records`."""
    if follow:
        _replay([path, "--follow", *(["--json"] if as_json else [])])
    else:
        _replay([path] if summary else [path, "--records"])


@leet.command("symon", cls=Command, epilog=examples(["wandb leet symon"]))
@option("--seconds", type=click.FloatRange(min=0.0), metavar="N", help="End after so long [at Ctrl-C].")
def symon(seconds: Optional[float]) -> None:
    """Show this machine's metrics as they go, as a run would record them."""
    from rich.console import Console, Group
    from rich.live import Live

    from wandb.replay._plot_panels import sparklines
    from wandb.replay._series import Series, plottable
    from wandb.sdk._accelerators import find_accelerators
    from wandb.sdk._machine_metrics import Machine
    from wandb.sdk.wandb_settings import merged

    settings = merged()
    machine = Machine(settings, find_accelerators(settings.x_stats_gpu_device_ids))
    console, began = Console(highlight=False), time.monotonic()
    series: Dict[str, Series] = {}
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for step in range(_SAMPLES):
            for name, value in machine.sample().items():
                number = plottable(value)
                if number is not None:
                    series.setdefault(name, Series()).add(step, number)
            shown = list(series.items())[: console.size.height - 1]
            live.update(Group(*sparklines(shown, (0, max(1, step)), console.size.width)), refresh=True)
            if seconds is not None and time.monotonic() - began >= seconds:
                return
            time.sleep(_SAMPLE_SECONDS)


def _replay(arguments: List[str]) -> None:
    from .replay import replay

    replay.main(arguments, standalone_mode=False, prog_name="wandb replay")

"""`wandb sweep`, `wandb agent` and `wandb controller`."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

import click

from . import DONE

_SWEEP_EXAMPLES = """\b
Examples:
  wandb sweep config.yaml
  wandb sweep config.yaml --offline
  wandb sweep my-team/digits/k3j9x2ab --pause
"""
_AGENT_EXAMPLES = """\b
Examples:
  wandb agent my-team/digits/k3j9x2ab
  wandb agent k3j9x2ab --project digits --count 10
"""
_CONTROLLER_EXAMPLES = """\b
Examples:
  wandb controller my-team/digits/k3j9x2ab
"""
_STATES = {"pause": "PAUSED", "resume": "RUNNING", "stop": "FINISHED", "cancel": "CANCELED"}


@click.command("sweep", epilog=_SWEEP_EXAMPLES)
@click.argument("config_or_sweep", metavar="CONFIG|SWEEP")
@click.option("-p", "--project", help="The project [that of the configuration].")
@click.option("-e", "--entity", help="The entity [that of the configuration].")
@click.option("--name", help="What the sweep is called.")
@click.option("--program", help="The program that trials run.")
@click.option("--offline", is_flag=True, help="In this folder, without a server.")
@click.option("--controller", is_flag=True, help="Control it from here too, until it is over.")
@click.option("--prior_run", "-R", "prior_runs", multiple=True, metavar="RUN", help="Learn from this run too.")
@click.option("--update", metavar="SWEEP", help="Give this sweep the configuration.")
@click.option("--pause", "change", flag_value="pause", help="Begin no more trials of SWEEP for now.")
@click.option("--resume", "change", flag_value="resume", help="Begin trials of SWEEP again.")
@click.option("--stop", "change", flag_value="stop", help="Begin no more trials of SWEEP; let those end that run.")
@click.option("--cancel", "change", flag_value="cancel", help="Stop SWEEP and its trials.")
@click.option("--verbose", is_flag=True, help="Say more.")
def sweep(
    config_or_sweep: str, project: Optional[str], entity: Optional[str], name: Optional[str], program: Optional[str],
    offline: bool, controller: bool, prior_runs: Sequence[str], update: Optional[str], change: Optional[str],
    verbose: bool,
) -> None:  # fmt: skip
    """Make a sweep of a configuration in YAML, or change one that there is.

    A configuration says what is searched and how: docs/sweeps.md. SWEEP is [[ENTITY/]PROJECT/]ID, or an offline
    sweep's id or folder.
    """
    from wandb.errors import UsageError
    from wandb.sweeps import Controller, RemoteSweep, create, find, read_config

    if change is not None:
        home = find(config_or_sweep, entity, project)
        home.set_state(_STATES[change])
        click.echo(f"The sweep {home.id} is {_STATES[change].lower()} now.")
        return
    more: Dict[str, Any] = {key: value for key, value in (("name", name), ("program", program)) if value}
    if controller:
        more["controller"] = {"type": "local"}
    config = {**read_config(config_or_sweep), **more}
    if update is not None:
        home = find(update, entity, project)
        if not isinstance(home, RemoteSweep):
            raise UsageError("an offline sweep is changed in its file sweep.yaml")
        home.change_config(config)
        click.echo(f"The sweep {home.id} has a new configuration.")
        return
    home, warnings = create(config, entity, project, prior_runs, offline=offline)
    for warning in warnings:
        click.echo(warning, err=True)
    click.echo(f"Created sweep {home.id}: {home.label}")
    click.echo(f"Run trials of it with: wandb agent {home.path}")
    if controller:
        Controller(home).run(verbose=verbose)


@click.command("agent", epilog=_AGENT_EXAMPLES)
@click.argument("sweep", metavar="SWEEP")
@click.option("-p", "--project", help="The sweep's project.")
@click.option("-e", "--entity", help="The sweep's entity.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after so many trials.")
@click.option("-f", "--forward-signals", is_flag=True, help="Pass signals on to trials.")
@click.option(
    "--term-timeout", type=click.FloatRange(min=0), metavar="SECONDS",
    help="What trials have to end after SIGTERM [30].",
)  # fmt: skip
@click.option(
    "--max-consecutive-failed-runs", type=click.IntRange(min=1), metavar="N",
    help="Give up after so many failures in a row.",
)  # fmt: skip
def agent(
    sweep: str, project: Optional[str], entity: Optional[str], count: Optional[int], forward_signals: bool,
    term_timeout: Optional[float], max_consecutive_failed_runs: Optional[int],
) -> None:  # fmt: skip
    """Run trials of a sweep, one after the other, until it is over.

    Ctrl-C once waits for the trial, which gets it too; twice ends it. Exit code 1 where the first trials all fail.
    """
    from wandb.sweeps import ProcessAgent, find

    home = find(sweep, entity, project)
    code = ProcessAgent(home, count, forward_signals, term_timeout, max_consecutive_failed_runs).run()
    if code != DONE:
        raise click.exceptions.Exit(code)


@click.command("controller", epilog=_CONTROLLER_EXAMPLES)
@click.argument("sweep", metavar="SWEEP")
@click.option("-p", "--project", help="The sweep's project.")
@click.option("-e", "--entity", help="The sweep's entity.")
@click.option("--verbose", is_flag=True, help="Say what is begun and stopped.")
def controller(sweep: str, project: Optional[str], entity: Optional[str], verbose: bool) -> None:
    """Decide what a sweep tries, in the place of its server, until it is over.

    For sweeps whose configuration says `controller: {type: local}`.
    """
    from wandb.sweeps import Controller, find

    Controller(find(sweep, entity, project)).run(verbose=verbose)

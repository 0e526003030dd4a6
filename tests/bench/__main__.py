"""python -m tests.bench"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import List, Optional

import click

from ._bench import QUICK, Bench, Sizes
from ._machine import describe
from ._report import Section, render

_HERE = Path(__file__).resolve().parent
_TOX = _HERE.parent.parent / ".tox"
# What is measured, and the module whose `measure` does it.
MEASUREMENTS = {
    "log": "log_call",
    "kinds": "kinds",
    "around": "around",
    "floor": "floor",
    "start": "start",
    "kept": "kept",
    "disk": "disk",
    "memory": "memory",
    "media": "media",
    "appends": "appends",
    "busy": "busy",
    "long": "many_rows",
    "replay": "replay",
    "uploader": "uploader",
    "server": "server",
    "dashboard": "dashboard",
    "api": "api",
    "artifacts": "artifacts",
    "search": "sweep_search",
}


def _measure(name: str, bench: Bench) -> Section:
    section: Section = importlib.import_module(f".{MEASUREMENTS[name]}", __package__).measure(bench)
    return section


def _names(context: click.Context, parameter: click.Parameter, value: Optional[str]) -> List[str]:
    names = [name.strip() for name in value.split(",")] if value else list(MEASUREMENTS)
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(MEASUREMENTS)}")
    return names


@click.command(help="Measure this client beside its peers.")
@click.option("--quick", is_flag=True, help="Small sizes: to see that it runs, not for figures.")
@click.option("--only", callback=_names, metavar="NAME,...", help=f"Of {', '.join(MEASUREMENTS)}.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for RESULTS.md and results.json. Default: tests/bench, and for a quick or partial run none.",
)
def main(quick: bool, only: List[str], output: Optional[Path]) -> None:
    began = time.monotonic()
    whole = not quick and only == list(MEASUREMENTS)
    with Bench(QUICK if quick else Sizes(), _TOX) as bench:
        bench.prepare()
        sections = [_measure(name, bench) for name in only]
        machine = describe(bench.scratch, bench.peers())
        failures, failed = bench.failures, bench.ours_failed
    options = (" --quick" if quick else "") + ("" if only == list(MEASUREMENTS) else f" --only {','.join(only)}")
    command = "tox -e bench" + (f" --{options}" if options else "")
    text = render(sections, machine, failures, command, time.monotonic() - began)
    print(text)
    folder = output or (_HERE if whole else None)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "RESULTS.md").write_text(text, encoding="utf-8")
        data = {"machine": machine, "command": command, "failures": failures}
        data.update({section.name: section.data for section in sections})
        (folder / "results.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

"""python -m tests.bench"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional

import click

from . import (
    api,
    appends,
    busy,
    dashboard,
    disk,
    floor,
    kept,
    kinds,
    log_call,
    many_rows,
    media,
    memory,
    server,
    start,
    uploader,
)
from ._bench import QUICK, Bench, Sizes
from ._machine import describe
from ._report import Section, render

_HERE = Path(__file__).resolve().parent
_TOX = _HERE.parent.parent / ".tox"
MEASUREMENTS: Dict[str, Callable[[Bench], Section]] = {
    "log": log_call.measure,
    "kinds": kinds.measure,
    "floor": floor.measure,
    "start": start.measure,
    "kept": kept.measure,
    "disk": disk.measure,
    "memory": memory.measure,
    "media": media.measure,
    "appends": appends.measure,
    "busy": busy.measure,
    "long": many_rows.measure,
    "uploader": uploader.measure,
    "server": server.measure,
    "dashboard": dashboard.measure,
    "api": api.measure,
}


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
        sections = [MEASUREMENTS[name](bench) for name in only]
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

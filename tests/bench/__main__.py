"""python -m tests.bench"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Dict, List, Optional

import click

from ._bench import QUICK, Bench, Sizes
from ._machine import describe
from ._peers import OURS
from ._report import Part, Section, render

_HERE = Path(__file__).resolve().parent
_TOX = _HERE.parent.parent / ".tox"
# What is measured, and the module whose `measure` does it.
MEASUREMENTS = {
    "log": "log_call",
    "kinds": "kinds",
    "around": "around",
    "training": "training",
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
@click.option("--write", is_flag=True, help="Put a partial run too into tests/bench/RESULTS.md.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for RESULTS.md and results.json, whose other parts stay. Default: tests/bench, and for a quick or "
    "partial run none.",
)
def main(quick: bool, only: List[str], write: bool, output: Optional[Path]) -> None:
    folder = output or (_HERE if (write or only == list(MEASUREMENTS)) and not quick else None)
    parts = _read(folder)
    measured: List[Part] = []
    with Bench(QUICK if quick else Sizes(), _TOX) as bench:
        bench.prepare()
        missing = bench.failures
        for name in only:
            began = time.monotonic()
            bench.failures = {client: list(reasons) for client, reasons in missing.items()}
            section = _measure(name, bench)
            about = {**describe(bench.scratch, bench.peers()), "minutes": f"{(time.monotonic() - began) / 60:.1f}"}
            measured.append(Part(section, about, bench.failures))
            parts[name] = measured[-1]
            _write(folder, parts)
    print(render(measured))
    sys.exit(1 if any(OURS in part.failures for part in measured) else 0)


def _read(folder: Optional[Path]) -> Dict[str, Part]:
    path = folder / "results.json" if folder is not None else None
    if path is None or not path.exists():
        return {}
    return {name: Part.from_json(raw) for name, raw in json.loads(path.read_text(encoding="utf-8")).items()}


def _write(folder: Optional[Path], parts: Dict[str, Part]) -> None:
    """At once after each part: a run that is broken off leaves what it has measured."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    ordered = {name: parts[name] for name in MEASUREMENTS if name in parts}
    data = {name: part.to_json() for name, part in ordered.items()}
    (folder / "results.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    (folder / "RESULTS.md").write_text(render(list(ordered.values())), encoding="utf-8")


if __name__ == "__main__":
    main()

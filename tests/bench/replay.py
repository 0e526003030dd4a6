"""Replay: rows a second into each form, memory over many rows; how soon commands answer."""

from __future__ import annotations

import shutil
from typing import Any, Dict, List

from ._bench import Bench, spread
from ._peers import OFFICIAL, OURS
from ._report import NONE, Aim, Section, Table, megabytes
from .drivers._replay import FORMS

# A form of many rows may take so much more memory than one of a tenth of them and still be called constant.
_FLAT_BYTES = 30e6
_START_SECONDS = 0.15
_RUNS = 50
_COMMANDS = (["--help"], ["--version"], ["ls"], ["replay", "--help"])


def measure(bench: Bench) -> Section:
    rows = bench.sizes.replay_rows
    figures = {count: _forms(bench, count) for count in (rows // 10, rows)}
    commands = _commands(bench)
    return Section(
        "replay",
        "Replay, and how soon commands answer",
        "A closed log of ten random scalars a row, replayed into each form on one core, each in a process of its own. "
        "The figures hold the interpreter's start and both passes: the one that looks and the one that writes. "
        "`moment` is the run as it was at half of its steps, one key of it as CSV; `diff` compares it with itself. "
        "Memory is the largest that was resident, in megabytes. Commands: milliseconds from the shell, median (least "
        f"to largest) of {bench.sizes.start_rounds} rounds, `ls` in a folder of {_RUNS} runs.",
        [_table(figures), _command_table(bench, commands)],
        {"forms": {str(count): own for count, own in figures.items()}, "commands": commands},
        [*_memory_aims(figures), *_start_aims(commands)],
    )


def _forms(bench: Bench, rows: int) -> Dict[str, Any]:
    figures: Dict[str, Any] = {}
    for peer in bench.peers([OURS]):
        folder = bench.new_folder(peer.name)
        bench.say(f"replay: writing {rows:,} rows")
        if bench.run(peer, "replay_write", folder, rows=rows) is None:
            continue
        for form in FORMS:
            bench.say(f"replay: {form} of {rows:,} rows")
            result = bench.run(peer, "replay_export", folder, form=form, rows=rows)
            if result is not None:
                figures[form] = result
        shutil.rmtree(folder, ignore_errors=True)
    return figures


def _table(figures: Dict[int, Dict[str, Any]]) -> Table:
    counts = list(figures)
    few, many = counts[0], counts[-1]
    table = Table(
        ("form", f"rows a second, of {many:,}", "and a second of CPU", f"memory at {few:,}", f"at {many:,}", "MB")
    )
    for form, own in figures[many].items():
        before = figures[few].get(form, {}).get("memory")
        table.rows.append((
            form, f"{many / own['seconds']:,.0f}", f"{many / own['cpu_seconds']:,.0f}", megabytes(before),
            megabytes(own["memory"]), megabytes(own["bytes"]),
        ))  # fmt: skip
    return table


def _memory_aims(figures: Dict[int, Dict[str, Any]]) -> List[Aim]:
    few, many = figures.values()
    growths = [own["memory"] - few[form]["memory"] for form, own in many.items() if form in few]
    largest = max(growths, default=None)
    reached = NONE if largest is None else f"{largest / 1e6:+.1f} MB at most, of all forms"
    met = None if largest is None else largest < _FLAT_BYTES
    return [Aim("memory of replay over ten times the rows", "constant", reached, met)]


# --- commands ---------------------------------------------------------------------------------------------------------


def _commands(bench: Bench) -> Dict[str, Dict[str, Any]]:
    figures: Dict[str, Dict[str, Any]] = {}
    for peer in bench.peers([OURS, OFFICIAL]):
        folder = bench.new_folder(peer.name)
        if peer.name == OURS:
            bench.run(peer, "runs_of_a_row", folder, runs=_RUNS)
        for arguments in _COMMANDS:
            if peer.name != OURS and arguments[0] in ("ls", "replay"):
                continue
            name = f"wandb {' '.join(arguments)}"
            bench.say(f"replay: {name}, {peer.title}")
            result = bench.run(peer, "command_start", folder, arguments=arguments, rounds=bench.sizes.start_rounds)
            if result is not None:
                figures.setdefault(name, {})[peer.name] = spread(result["seconds"])
        shutil.rmtree(folder, ignore_errors=True)
    return figures


def _command_table(bench: Bench, commands: Dict[str, Dict[str, Any]]) -> Table:
    peers = bench.peers([OURS, OFFICIAL])
    table = Table(("command", *(peer.title for peer in peers)))
    for name, own in commands.items():
        cells = []
        for peer in peers:
            if peer.name not in own:
                cells.append(NONE)
                continue
            middle, least, largest = (value * 1e3 for value in own[peer.name])
            cells.append(f"{middle:.0f} ({least:.0f} to {largest:.0f})")
        table.rows.append((f"`{name}`", *cells))
    return table


def _start_aims(commands: Dict[str, Dict[str, Any]]) -> List[Aim]:
    own = commands.get("wandb --help", {}).get(OURS)
    reached = NONE if own is None else f"{own[0] * 1e3:.0f} ms"
    return [Aim("`wandb --help`", "under 150 ms", reached, None if own is None else own[0] < _START_SECONDS)]

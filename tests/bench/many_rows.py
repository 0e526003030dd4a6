"""A run of many rows: memory of writer and readers, rows read a second, recovery."""

from __future__ import annotations

import shutil
from typing import Any, Dict, List

from ._bench import Bench
from ._peers import OURS, Peer
from ._report import NONE, Aim, Section, Table, megabytes

_AIMS = {"columns": 500_000, "dictionaries": 100_000}
# A reader may hold so much more at the end than at the first mark and still be called flat.
_FLAT_BYTES = 16e6
_WHO = {"writer": "writer", "columns": "reader, into columns", "dictionaries": "reader, into dictionaries"}


def measure(bench: Bench) -> Section:
    figures: Dict[str, Any] = {}
    marks = bench.sizes.long_marks
    for peer in bench.peers([OURS]):
        figures = _measure(bench, peer)
    tables = [_memory(figures, marks), _rest(figures)] if figures else []
    return Section(
        "long",
        "A long run",
        f"A log of {marks[-1]:,} rows of ten random scalars, written back to back and read on one core, each in a "
        "process of its own. Memory in megabytes: private, and in brackets resident with the pages of LMDB's map and "
        "of files, which the system takes back when it needs them. Recovery: of a log whose writer died with so much "
        "in its tail.",
        tables,
        figures,
        [*_reading_aims(figures), *_memory_aims(figures)],
    )


def _measure(bench: Bench, peer: Peer) -> Dict[str, Any]:
    figures: Dict[str, Any] = {}
    marks = list(bench.sizes.long_marks)
    folder = bench.new_folder(peer.name)
    bench.say(f"long: writing {marks[-1]:,} rows")
    written = bench.run(peer, "write_long", folder, marks=marks)
    if written is not None:
        figures["writer"] = written
        for into in _AIMS:
            bench.say(f"long: reading into {into}")
            result = bench.run(peer, "read_long", folder, marks=marks, into=into)
            if result is not None:
                figures[into] = result
    shutil.rmtree(folder, ignore_errors=True)
    bench.say("long: recovery")
    result = bench.run(peer, "recovery", megabytes=bench.sizes.recovery_megabytes)
    if result is not None:
        figures["recovery"] = result
    return figures


def _memory(figures: Dict[str, Any], marks: Any) -> Table:
    table = Table(("memory", *(f"after {mark:,}" for mark in marks)))
    for name, who in _WHO.items():
        if name in figures:
            memory = figures[name]["memory"]
            cells = (f"{megabytes(one.get('private'))} ({megabytes(one.get('resident'))})" for one in memory)
            table.rows.append((who, *cells))
    return table


def _rest(figures: Dict[str, Any]) -> Table:
    table = Table(("what", "figure"))
    for into in _AIMS:
        if into in figures:
            own = figures[into]
            text = f"{own['rows_a_second']:,.0f}, or {own['rows_a_cpu_second']:,.0f} a second of CPU"
            table.rows.append((f"rows read into {into} a second", text))
    if "recovery" in figures:
        own = figures["recovery"]
        table.rows.append((f"recovery of a tail of {megabytes(own['tail_bytes'])} MB", f"{own['seconds']:.2f} s"))
    return table


def _reading_aims(figures: Dict[str, Any]) -> List[Aim]:
    aims = []
    for into, least in _AIMS.items():
        rows = figures[into]["rows_a_second"] if into in figures else None
        reached = NONE if rows is None else f"{rows:,.0f}"
        aims.append(Aim(f"rows read into {into} a second", f"over {least:,}", reached, rows and rows > least))
    return aims


def _memory_aims(figures: Dict[str, Any]) -> List[Aim]:
    aims = []
    for name, who in _WHO.items():
        memory = [one["private"] for one in figures[name]["memory"] if one] if name in figures else []
        growth = memory[-1] - memory[0] if memory else None
        reached = NONE if growth is None else f"{growth / 1e6:+.1f} MB from the first mark to the last"
        met = None if growth is None else growth < _FLAT_BYTES
        aims.append(Aim(f"private memory of a long run's {who}", "flat", reached, met))
    return aims

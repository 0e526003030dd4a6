"""What logging takes in memory."""

from __future__ import annotations

from typing import Any, Dict

from ._bench import Bench
from ._peers import OFFICIAL, OURS
from ._report import Section, Table, megabytes


def measure(bench: Bench) -> Section:
    figures: Dict[str, Any] = {}
    for peer in bench.peers([OURS, OFFICIAL]):
        bench.say(f"memory: {bench.sizes.memory_rows:,} rows, {peer.title}")
        result = bench.run(peer, "memory", count=bench.sizes.memory_rows)
        if result is not None:
            figures[peer.name] = result
    moments = ("at the first row", "at the last")
    table = Table(("client", *(f"{who}, {when}" for who in ("process", "helpers") for when in moments), "together"))
    for peer in bench.peers(figures):
        before, after = figures[peer.name]["before"], figures[peer.name]["after"]
        figures_of_peer = (before["own"], after["own"], before["helpers"], after["helpers"], sum(after.values()))
        table.rows.append((peer.title, *(megabytes(value) for value in figures_of_peer)))
    return Section(
        "memory",
        "Memory",
        f"Resident megabytes of the logging process and of its helpers, over {bench.sizes.memory_rows:,} rows of ten "
        "scalars logged back to back, before the run finishes.",
        [table],
        figures,
    )

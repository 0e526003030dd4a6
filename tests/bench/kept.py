"""Which rows are still there when a run and all its helpers are killed the moment its last `log` has returned."""

from __future__ import annotations

import shutil
from typing import Dict, List, Optional

from ._bench import Bench
from ._peers import OURS, Peer
from ._report import NONE, Aim, Section, Table

_PACED_SECONDS = 0.02
# Name, rows, seconds between them.
_CASES = (
    ("1,000 rows in a burst", 1000, 0.0),
    (f"50 rows at {1 / _PACED_SECONDS:.0f} a second", 50, _PACED_SECONDS),
)


def measure(bench: Bench) -> Section:
    kept: Dict[str, Dict[str, List[int]]] = {name: {} for name, _, _ in _CASES}
    for name, count, interval in _CASES:
        for number in range(1, bench.sizes.kept_rounds + 1):
            bench.say(f"kept: {name}, round {number} of {bench.sizes.kept_rounds}")
            for peer in bench.peers():
                left = _once(bench, peer, count, interval)
                if left is not None:
                    kept[name].setdefault(peer.name, []).append(left)
    table = Table(("client", *(name for name, _, _ in _CASES)))
    for peer in bench.peers():
        table.rows.append((peer.title, *(_words(kept[name].get(peer.name)) for name, _, _ in _CASES)))
    return Section(
        "kept",
        "Rows kept after SIGKILL",
        "Rows of five scalars that the client's own reader finds after the logging process and all its helpers were "
        "killed at once, right after the last `log` returned: the least and the most of "
        f"{bench.sizes.kept_rounds} rounds.",
        [table],
        kept,
        [_aim(kept[name].get(OURS), name, count) for name, count, _ in _CASES],
    )


def _once(bench: Bench, peer: Peer, count: int, interval: float) -> Optional[int]:
    folder = bench.new_folder(peer.name)
    killed = bench.run(peer, "kept", folder, count=count, interval=interval) is not None
    counted = bench.run(peer, "count", folder) if killed else None
    shutil.rmtree(folder, ignore_errors=True)
    return None if counted is None else int(counted["rows"])


def _words(counts: Optional[List[int]]) -> str:
    if not counts:
        return NONE
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _aim(counts: Optional[List[int]], name: str, count: int) -> Aim:
    return Aim(f"rows kept of {name}", f"{count:,}", _words(counts), None if not counts else min(counts) == count)

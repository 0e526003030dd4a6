"""How long a script waits before its first row is logged."""

from __future__ import annotations

import json
from typing import Dict, List, Optional, Tuple

from ._bench import Bench, ratio, spread
from ._peers import OFFICIAL, OURS, Peer
from ._report import Aim, Section, Table, part

_AIM = 10
_PARTS = ("import", "init to first log", "both")
# In front of the figures, among whatever else a client prints.
_MARK = "seconds: "
# A plain script, without this benchmark's modules: what they import would be missing from the figure.
_SCRIPT = """\
import time
start = time.perf_counter()
{imports}
imported = time.perf_counter()
{first_log}
logged = time.perf_counter()
{finish}
print(f"\\n{mark}[{{imported - start}}, {{logged - imported}}]")
"""


def measure(bench: Bench) -> Section:
    seconds: Dict[str, List[Tuple[float, float]]] = {peer.name: [] for peer in bench.peers()}
    # The first round fills the page cache and is not counted.
    for number in range(bench.sizes.start_rounds + 1):
        bench.say(f"start: round {number} of {bench.sizes.start_rounds}")
        for peer in bench.peers():
            taken = _once(bench, peer)
            if taken is not None and number:
                seconds[peer.name].append(taken)
    figures = {name: _spreads(own) for name, own in seconds.items() if own}
    return Section(
        "start",
        "Import, and `init` to the first `log`",
        f"Milliseconds in a fresh interpreter: median (least to largest) of {bench.sizes.start_rounds} interleaved "
        "rounds, after one that is not counted.",
        [_table(bench, figures)],
        {"seconds": figures, "rounds": seconds},
        [_aim(figures, name) for name in _PARTS],
    )


def _once(bench: Bench, peer: Peer) -> Optional[Tuple[float, float]]:
    script = _SCRIPT.format(imports=peer.imports, first_log=peer.first_log, finish=peer.finish, mark=_MARK)
    output = bench.run_script(peer, script)
    if output is None:
        return None
    [line] = [line for line in output.splitlines() if line.startswith(_MARK)]
    imported, logged = json.loads(line[len(_MARK) :])
    return imported, logged


def _spreads(seconds: List[Tuple[float, float]]) -> Dict[str, Tuple[float, float, float]]:
    imports, logs = [one[0] for one in seconds], [one[1] for one in seconds]
    return dict(zip(_PARTS, (spread(imports), spread(logs), spread([sum(one) for one in seconds]))))


def _table(bench: Bench, figures: Dict[str, Dict[str, Tuple[float, float, float]]]) -> Table:
    table = Table(("client", *_PARTS))
    for peer in bench.peers(figures):
        cells = [
            f"{middle * 1e3:.0f} ({least * 1e3:.0f} to {largest * 1e3:.0f})"
            for middle, least, largest in (figures[peer.name][name] for name in _PARTS)
        ]
        table.rows.append((peer.title, *cells))
    return table


def _aim(figures: Dict[str, Dict[str, Tuple[float, float, float]]], name: str) -> Aim:
    reached = None
    if OURS in figures and OFFICIAL in figures:
        reached = ratio(figures[OFFICIAL][name][0], figures[OURS][name][0])
    met = None if reached is None else reached >= _AIM
    return Aim(f"{name}, of the official client's", f"at most 1/{_AIM}", part(reached), met)

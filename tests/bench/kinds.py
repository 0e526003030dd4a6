"""What calls cost that are more than a row of floats."""

from __future__ import annotations

from typing import Any, Dict

from ._bench import TORCH, Bench, ratio
from ._peers import OFFICIAL, OURS
from ._report import Aim, Section, Table, microseconds, times

_AIM = 20
_CALLS = 2_000
_PEERS = (OURS, OFFICIAL)


def measure(bench: Bench) -> Section:
    figures: Dict[str, Dict[str, Any]] = {}
    libraries = bench.torch_place()
    for peer in bench.peers():
        if peer.name in _PEERS:
            bench.say(f"kinds: {peer.title}")
            # The official client looks for NumPy when it is imported.
            beside = bench.with_libraries(peer, TORCH) if libraries is not None else None
            found = bench.run(beside or peer, "kinds", calls=_CALLS, libraries=str(libraries or ""))
            if found is not None:
                figures[peer.name] = found
    names = list(figures.get(OURS, {}))
    table = Table(("a call", *(f"{peer.title}, p50 (p99)" for peer in bench.peers(figures))))
    for name in names:
        cells = [_cell(figures[peer.name].get(name)) for peer in bench.peers(figures)]
        table.rows.append((name, *cells))
    return Section(
        "kinds",
        "Other values, and the config",
        f"Microseconds of one call, p50 (p99) of {_CALLS:,}, offline. A dash: there is no PyTorch here.",
        [table],
        {"figures": figures},
        [_aim(figures, name) for name in names],
    )


def _cell(figure: Any) -> str:
    return f"{microseconds(figure['p50_ns'])} ({microseconds(figure['p99_ns'])})" if figure else "—"


def _aim(figures: Dict[str, Dict[str, Any]], name: str) -> Aim:
    own, other = figures.get(OURS, {}).get(name), figures.get(OFFICIAL, {}).get(name)
    reached = ratio(other["p50_ns"], own["p50_ns"]) if own and other else None
    met = None if reached is None else reached >= _AIM
    return Aim(f"{name}: p50 of the official client's", f"{_AIM} times less", times(reached), met)

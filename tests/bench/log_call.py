"""What one `log` call costs."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from ._bench import SCALARS, Bench, medians, ratio
from ._peers import OFFICIAL, OURS, Peer
from ._report import Aim, Section, Table, microseconds, part, times

_P50_AIM, _P99_AIM = 50, 20
# A quick training step.
_PACED_SECONDS = 0.005
_PACED_TEXT = f" The second table: after {_PACED_SECONDS * 1e3:.0f} ms of sleep, which leaves caches cold."

Rounds = Dict[str, List[Any]]


def measure(bench: Bench) -> Section:
    rounds: Rounds = {peer.name: [] for peer in bench.peers()}
    paced_rounds: Rounds = {peer.name: [] for peer in bench.peers()}
    for number in range(1, bench.sizes.rounds + 1):
        for peer in bench.peers():
            bench.say(f"log: round {number} of {bench.sizes.rounds}, {peer.title}")
            _round(bench, peer, rounds, paced_rounds)
    figures, paced = _medians(rounds, SCALARS), _medians(paced_rounds, (10,))
    tables = [_table(bench, figures, SCALARS)]
    if paced:
        tables.append(_table(bench, paced, (10,)))
    return Section(
        "log",
        "One `log` call",
        "Microseconds a call, calls back to back, each row a new dictionary of random doubles. p50, p99 and CPU are "
        f"medians of {bench.sizes.rounds} interleaved rounds, max is the worst of all. CPU is that of all threads, and "
        "of helper processes, from the first call to the end of `finish`, so that work which is put off counts too."
        + _PACED_TEXT
        * bool(paced),
        tables,
        {"median": figures, "rounds": rounds, "paced_median": paced, "paced_rounds": paced_rounds},
        _aims(figures),
    )


def _round(bench: Bench, peer: Peer, rounds: Rounds, paced: Rounds) -> None:
    count = bench.sizes.slow_calls if peer.slow else bench.sizes.calls
    result = bench.run(peer, "log", calls={str(scalars): count for scalars in SCALARS})
    if result is not None:
        rounds[peer.name].append(result)
    if bench.sizes.paced_calls:
        result = bench.run(peer, "log", calls={"10": bench.sizes.paced_calls}, interval=_PACED_SECONDS)
        if result is not None:
            paced[peer.name].append(result)


def _medians(rounds: Rounds, sizes: Sequence[int]) -> Dict[str, Any]:
    return {
        name: {scalars: medians([result[str(scalars)] for result in results]) for scalars in sizes}
        for name, results in rounds.items()
        if results
    }


def _table(bench: Bench, figures: Dict[str, Any], sizes: Sequence[int]) -> Table:
    beside = ("p50, ours = 1", "p99, ours = 1")
    table = Table(("client", "scalars", "calls a round", "p50", "p99", "max", "CPU", "CPU of helpers", *beside))
    for scalars in sizes:
        ours = figures.get(OURS, {}).get(scalars, {})
        for peer in bench.peers(figures):
            own = figures[peer.name][scalars]
            table.rows.append(
                (
                    peer.title,
                    str(scalars),
                    f"{own['calls']:,.0f}",
                    *(microseconds(own[f"{name}_ns"]) for name in ("p50", "p99", "max", "cpu_own", "cpu_helpers")),
                    *(times(ratio(own[name], ours.get(name))) for name in ("p50_ns", "p99_ns")),
                )
            )
    return table


def _aims(figures: Dict[str, Any]) -> List[Aim]:
    aims = []
    for name, bound in (("p50", _P50_AIM), ("p99", _P99_AIM)):
        reached = ratio(_at_ten(figures, OFFICIAL, f"{name}_ns"), _at_ten(figures, OURS, f"{name}_ns"))
        aims.append(
            Aim(
                f"`log` of 10 scalars, {name}, of the official client's",
                f"at most 1/{bound}",
                part(reached),
                None if reached is None else reached >= bound,
            )
        )
    return aims


def _at_ten(figures: Dict[str, Any], client: str, name: str) -> Optional[float]:
    value: Optional[float] = figures.get(client, {}).get(10, {}).get(name)
    return value

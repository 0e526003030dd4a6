"""How good the search of a sweep is."""

from __future__ import annotations

import statistics
from typing import Any, Dict, List, Optional

from ._bench import Bench
from ._peers import SEARCHES
from ._report import NONE, Aim, Section, Table
from .drivers._searches import PROBLEMS

_OURS, _CHANCE = "search_ours", "search_chance"
_PROPOSAL_MS_MAX = 100.0
_PROPOSAL_TRIALS = 200
# So long may a search of all seeds take.
_SECONDS = 3600.0


def measure(bench: Bench) -> Section:
    sizes = bench.sizes
    found: Dict[str, Dict[str, List[float]]] = {name: {} for name in PROBLEMS}
    times: Dict[str, Dict[str, float]] = {}
    searches = [one for one in (bench.with_libraries(peer, peer.libraries) for peer in SEARCHES) if one is not None]
    for peer in searches:
        for name in PROBLEMS:
            bench.say(f"search: {peer.title}, {name}")
            best = bench.run(
                peer, "search", seconds_max=_SECONDS, name=name, trials=sizes.search_trials, seeds=sizes.search_seeds
            )
            if best is not None:
                found[name][peer.name] = best
        spent = bench.run(peer, "propose", trials=_PROPOSAL_TRIALS, calls=sizes.search_calls)
        if spent is not None:
            times[peer.name] = spent
    titles = {peer.name: peer.title for peer in searches}
    return Section(
        "search",
        "What a sweep's search finds",
        f"The lowest value of {sizes.search_trials} trials: the mean over {sizes.search_seeds} seeds, and how far off "
        "it may be (one standard error). Each search with its defaults. Below: milliseconds of one proposal behind "
        f"{_PROPOSAL_TRIALS} trials of six parameters.",
        [_table(found, titles), _time_table(times, titles)],
        {"best": found, "proposal": times},
        [_aim(name, best) for name, best in found.items()] + [_time_aim(times)],
    )


def _summary(best: List[float]) -> List[float]:
    error = statistics.stdev(best) / len(best) ** 0.5 if len(best) > 1 else 0.0
    return [statistics.mean(best), error]


def _table(found: Dict[str, Dict[str, List[float]]], titles: Dict[str, str]) -> Table:
    table = Table(("function", *titles.values()))
    for name, best in found.items():
        cells = []
        for peer in titles:
            if peer in best:
                mean, error = _summary(best[peer])
                cells.append(f"{mean:.4g} ± {error:.2g}")
            else:
                cells.append(NONE)
        table.rows.append((name, *cells))
    return table


def _time_table(times: Dict[str, Dict[str, float]], titles: Dict[str, str]) -> Table:
    table = Table(("search", "p50", "max"))
    table.rows = [(titles[name], f"{spent['p50_ms']:.1f}", f"{spent['max_ms']:.1f}") for name, spent in times.items()]
    return table


def _aim(name: str, best: Dict[str, List[float]]) -> Aim:
    what, aim = f"Bayesian search on {name}", "no worse than the better peer, within the errors"
    peers = {peer: _summary(values) for peer, values in best.items() if peer not in (_OURS, _CHANCE)}
    if _OURS not in best or not peers:
        return Aim(what, aim, NONE, None)
    mean, error = _summary(best[_OURS])
    other, other_error = min(peers.values())
    met = mean - error <= other + other_error
    return Aim(what, aim, f"{mean:.4g} against {other:.4g}", met)


def _time_aim(times: Dict[str, Dict[str, float]]) -> Aim:
    spent: Optional[Dict[str, Any]] = times.get(_OURS)
    what, aim = f"a proposal behind {_PROPOSAL_TRIALS} trials, p50", f"under {_PROPOSAL_MS_MAX:.0f} ms"
    if spent is None:
        return Aim(what, aim, NONE, None)
    return Aim(what, aim, f"{spent['p50_ms']:.0f} ms", spent["p50_ms"] < _PROPOSAL_MS_MAX)

"""How far the log is from the one system call that it can't do without."""

from __future__ import annotations

from typing import Any, Dict, List

from ._bench import SCALARS, Bench, medians, ratio
from ._peers import OURS
from ._report import Aim, Section, Table, microseconds, times

_AIM = 4
_WAYS = {"write": "bare `write`", "append_row": "`Log.append_row`", "run_log": "`run.log`"}


def measure(bench: Bench) -> Section:
    results: List[Any] = []
    for peer in bench.peers([OURS]):
        for number in range(1, bench.sizes.rounds + 1):
            bench.say(f"floor: round {number} of {bench.sizes.rounds}")
            result = bench.run(peer, "floor", calls={str(scalars): bench.sizes.calls for scalars in SCALARS})
            if result is not None:
                results.append(result)
    figures: Dict[int, Any] = {}
    for scalars in SCALARS if results else ():
        own = [result[str(scalars)] for result in results]
        figures[scalars] = {way: medians([one[way] for one in own]) for way in _WAYS}
        figures[scalars]["frame_bytes"] = own[0]["frame_bytes"]
    return Section(
        "floor",
        "The floor: the same bytes through one `write`",
        "Microseconds a call. The floor is `os.write` of one row's bytes, as the log itself hands them to the system, "
        f"to a file opened with `O_APPEND`, {bench.sizes.calls:,} times in the same process and round as the others.",
        [_table(figures)],
        {"median": figures, "rounds": results},
        _aims(figures),
    )


def _table(figures: Dict[int, Any]) -> Table:
    table = Table(("what", "scalars", "bytes a row", "p50", "p99", "max", "p50, floor = 1", "p99, floor = 1"))
    for scalars, own in figures.items():
        for way, words in _WAYS.items():
            table.rows.append(
                (
                    words,
                    str(scalars),
                    str(own["frame_bytes"]),
                    *(microseconds(own[way][f"{name}_ns"]) for name in ("p50", "p99", "max")),
                    *(times(ratio(own[way][name], own["write"][name])) for name in ("p50_ns", "p99_ns")),
                )
            )
    return table


def _aims(figures: Dict[int, Any]) -> List[Aim]:
    aims = []
    for way in ("run_log", "append_row"):
        own = figures.get(10)
        reached = ratio(own[way]["p50_ns"], own["write"]["p50_ns"]) if own else None
        aims.append(
            Aim(
                f"{_WAYS[way]} of 10 scalars, p50, over a bare `write` of its bytes",
                f"at most {_AIM} x",
                times(reached),
                None if reached is None else reached <= _AIM,
            )
        )
    return aims

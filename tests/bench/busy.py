"""What logging costs a training loop that leaves no processor idle."""

from __future__ import annotations

from typing import Any, Dict, List

from ._bench import Bench
from ._peers import OURS
from ._report import NONE, Aim, Section, Table

_PERCENT_MAX = 0.5


def measure(bench: Bench) -> Section:
    sizes = bench.sizes
    figures: Dict[str, Any] = {}
    for peer in bench.peers([OURS]):
        bench.say("busy: a pure-Python loop with and without logging")
        figures = (
            bench.run(
                peer,
                "busy",
                pairs=sizes.busy_pairs,
                slice_seconds=sizes.busy_slice_seconds,
                steady_seconds=sizes.busy_steady_seconds,
            )
            or {}
        )
    return Section(
        "busy",
        "A busy pure-Python loop that logs at 100 Hz",
        "How much more CPU the loop takes for its work when it logs ten scalars a hundred times a second. Of its own "
        f"thread: the median over {sizes.busy_pairs} pairs of slices of {sizes.busy_slice_seconds * 1e3:.0f} ms, one "
        "with and one without logging, in random order, and between which two values the median lies with a "
        f"probability of 95 %. Of the log's thread: over {sizes.busy_steady_seconds:.0f} s of steady logging.",
        [_table(figures)] if figures else [],
        figures,
        [_aim(figures)],
    )


def _table(figures: Dict[str, Any]) -> Table:
    table = Table(("what", "percent"))
    table.rows = [
        ("the loop's thread, with logging against without", _interval(figures, 0.0)),
        ("the calls alone, by the clock around them", f"{figures['calls_percent']:.2f}"),
        ("the log's thread, which commits", f"{figures['committer_percent']:.2f}"),
    ]
    return table


def _interval(figures: Dict[str, Any], more: float) -> str:
    middle, low, high = (figures[f"loop_{name}"] + more for name in ("percent", "low", "high"))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _aim(figures: Dict[str, Any]) -> Aim:
    what, aim = "CPU that logging at 100 Hz adds to a busy pure-Python loop, both threads", f"under {_PERCENT_MAX} %"
    if not figures:
        return Aim(what, aim, NONE, None)
    committer = figures["committer_percent"]
    bounds: List[float] = [figures["loop_low"] + committer, figures["loop_high"] + committer]
    # Where the aim lies between the bounds, nobody can tell.
    met = True if bounds[1] < _PERCENT_MAX else False if bounds[0] >= _PERCENT_MAX else None
    return Aim(what, aim, f"{_interval(figures, committer)} %", met)

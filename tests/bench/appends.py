"""The log's appends and commits, alone and beside what makes them wait."""

from __future__ import annotations

from typing import Any, Dict, Tuple

from ._bench import Bench
from ._peers import OURS
from ._report import Section, Table, microseconds

_BESIDE = {"nothing": "nothing", "interpreter": "a busy thread of pure Python", "disk": "a busy disk"}
_THREADS = (1, 8, 32)
_COMMITS_BESIDE = ("nothing", "disk")

Figures = Dict[str, Dict[str, Any]]


def measure(bench: Bench) -> Section:
    figures: Figures = {"appends": {}, "commits": {}}
    for peer in bench.peers([OURS]):
        for beside in _BESIDE:
            for threads, bare in ((1, True), *((count, False) for count in _THREADS)):
                bench.say(f"appends: {threads} threads, beside {beside}")
                result = bench.run(
                    peer,
                    "appends",
                    threads=threads,
                    beside=beside,
                    calls=bench.sizes.append_calls,
                    at_most_seconds=bench.sizes.append_seconds,
                    bare=bare,
                )
                if result is not None:
                    figures["appends"][f"{beside}, {'write' if bare else threads}"] = result
        for beside in _COMMITS_BESIDE:
            bench.say(f"commits, beside {beside}")
            result = bench.run(peer, "commits", beside=beside, count=bench.sizes.commits)
            if result is not None:
                figures["commits"][beside] = result
    return Section(
        "appends",
        "Appends and commits",
        f"Microseconds of an append of ten scalars as each thread saw them, {bench.sizes.append_calls:,} calls in all "
        f"or as many as {bench.sizes.append_seconds:.0f} s allow. Beside them, for the second group: a thread that "
        "never waits: who waits for the interpreter, gets it after Python's switch interval of 5 ms. For the third: a "
        "process that writes files of 256 MiB and syncs each. The second table: milliseconds from asking for a commit "
        "of fifty rows until they survive a power loss.",
        [_appends(figures), _commits(figures)],
        figures,
    )


def _appends(figures: Figures) -> Table:
    table = Table(("beside", "what", "threads", "calls", "p50", "p99", "p99.99", "max"))
    for name, own in figures["appends"].items():
        beside, what, threads = _words(name)
        cells = (microseconds(own[f"{one}_ns"]) for one in ("p50", "p99", "p9999", "max"))
        table.rows.append((beside, what, threads, f"{own['calls']:,}", *cells))
    return table


def _words(name: str) -> Tuple[str, str, str]:
    beside, _, threads = name.partition(", ")
    return _BESIDE[beside], "bare `write`" if threads == "write" else "append", "1" if threads == "write" else threads


def _commits(figures: Figures) -> Table:
    table = Table(("beside", "commits", "p50", "p99", "max"))
    for beside, own in figures["commits"].items():
        cells = (f"{own[f'{one}_ns'] / 1e6:,.2f}" for one in ("p50", "p99", "max"))
        table.rows.append((_BESIDE[beside], f"{own['calls']:,}", *cells))
    return table

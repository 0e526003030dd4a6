"""The log by itself, beside nobody."""

from __future__ import annotations

from typing import Any, Dict, List

from ._bench import Bench
from ._peers import OURS
from ._report import NONE, Aim, Section, Table, megabytes, microseconds

_BUSY_PERCENT_MAX = 0.5
_ROWS_A_SECOND_MIN = 100_000


def measure(bench: Bench) -> Section:
    sizes = bench.sizes
    figures: Dict[str, Any] = {}
    for peer in bench.peers([OURS]):
        bench.say("alone: threads, a busy interpreter, reading, recovery")
        figures = (
            bench.run(
                peer,
                "alone",
                calls=sizes.alone_calls,
                rows=sizes.alone_rows,
                megabytes=sizes.alone_megabytes,
                rounds=sizes.rounds,
            )
            or {}
        )
    return Section(
        "alone",
        "The log alone",
        f"Appends of ten scalars: microseconds as each thread saw them, {sizes.alone_calls:,} calls in all. A busy "
        "interpreter: how much more CPU a pure-Python loop takes for its work, all threads together, when it logs ten "
        "scalars a hundred times a second. "
        f"Reading: {sizes.alone_rows:,} rows of ten scalars from a sealed log into dictionaries, on one core. Memory: "
        "resident megabytes of the process. Recovery: of a log whose writer died with so much in its tail.",
        [_threads(figures), _rest(figures)] if figures else [],
        figures,
        _aims(figures),
    )


def _threads(figures: Dict[str, Any]) -> Table:
    table = Table(("threads", "p50", "p99", "p99.99", "max"))
    for count, own in figures["threads"].items():
        table.rows.append((count, *(microseconds(own[f"{name}_ns"]) for name in ("p50", "p99", "p9999", "max"))))
    return table


def _rest(figures: Dict[str, Any]) -> Table:
    busy, reading, recovery = figures["busy"], figures["reading"], figures["recovery"]
    table = Table(("what", "figure"))
    table.rows = [
        (
            "CPU that logging at 100 Hz adds to a busy loop",
            f"{busy['percent']:.2f} % ({busy['least']:.2f} to {busy['most']:.2f})",
        ),
        ("rows read into dictionaries a second", f"{reading['rows_a_second']:,.0f}"),
        ("memory of the writer after a tenth of the rows", f"{megabytes(reading['writer_early'])} MB"),
        ("memory of the writer after all", f"{megabytes(reading['writer_late'])} MB"),
        ("memory after reading them all in the same process", f"{megabytes(reading['reader'])} MB"),
        (f"recovery of a tail of {megabytes(recovery['tail_bytes'])} MB", f"{recovery['seconds']:.2f} s"),
    ]
    return table


def _aims(figures: Dict[str, Any]) -> List[Aim]:
    busy = figures.get("busy")
    rows = figures["reading"]["rows_a_second"] if figures else None
    return [
        Aim(
            "CPU that logging at 100 Hz adds to a busy pure-Python loop",
            f"under {_BUSY_PERCENT_MAX} %",
            NONE if busy is None else f"{busy['percent']:.2f} % ({busy['least']:.0f} to {busy['most']:.0f})",
            # Where the rounds differ by more than the aim, the neighbours were measured, not the log.
            None
            if busy is None or busy["most"] - busy["least"] > _BUSY_PERCENT_MAX
            else busy["percent"] < _BUSY_PERCENT_MAX,
        ),
        Aim(
            "rows read into dictionaries a second",
            f"over {_ROWS_A_SECOND_MIN:,}",
            NONE if rows is None else f"{rows:,.0f}",
            None if rows is None else rows > _ROWS_A_SECOND_MIN,
        ),
    ]

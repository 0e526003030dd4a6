"""What a row takes on disk."""

from __future__ import annotations

from typing import Any, Dict, List

from ._bench import Bench
from ._peers import OFFICIAL, OURS
from ._report import NONE, Aim, Section, Table, times

_AIM = 100
_KINDS = {
    "random": "random in every row",
    "walk": "a small random step in every row",
    "held": "new random values every 100 rows",
    "constant": "constant",
}


def measure(bench: Bench) -> Section:
    figures: Dict[str, Dict[str, Any]] = {kind: {} for kind in ("random", *bench.sizes.disk_others)}
    for kind in figures:
        rows = bench.sizes.disk_rows if kind == "random" else bench.sizes.disk_other_rows
        for peer in (*bench.peers(), *bench.formats()):
            bench.say(f"disk: {rows:,} rows, {_KINDS[kind]}, {peer.title}")
            result = bench.run(peer, "disk", kind=kind, count=rows)
            if result is not None:
                figures[kind][peer.name] = result
    return Section(
        "disk",
        "Bytes on disk",
        "Bytes a row of ten doubles, after the run has finished: what is allocated to the log's files, and to "
        f"everything in the run's folder. Random: {bench.sizes.disk_rows:,} rows, the others "
        f"{bench.sizes.disk_other_rows:,}. Seconds are those of logging and finishing. Parquet holds the same columns "
        "with step, time and runtime, written at once from memory at the end, which no log can do.",
        [_table(bench, figures)],
        figures,
        _aims(figures["random"]),
    )


def _table(bench: Bench, figures: Dict[str, Dict[str, Any]]) -> Table:
    table = Table(("values", "client", "log", "whole folder", "seconds", "log, ours = 1"))
    for kind, results in figures.items():
        for peer in (*bench.peers(results), *bench.formats()):
            if peer.name not in results:
                continue
            own = results[peer.name]
            share = times(own["log_bytes"] / results[OURS]["log_bytes"]) if OURS in results else NONE
            table.rows.append(
                (
                    _KINDS[kind],
                    peer.title,
                    f"{own['log_bytes'] / own['rows']:,.1f}",
                    f"{own['folder_bytes'] / own['rows']:,.1f}",
                    f"{own['seconds']:.1f}",
                    share,
                )
            )
    return table


def _aims(results: Dict[str, Any]) -> List[Aim]:
    if OURS not in results:
        return [Aim("bytes a row of ten random doubles", f"under {_AIM}", NONE, None)]
    reached = results[OURS]["folder_bytes"] / results[OURS]["rows"]
    beside = ""
    if OFFICIAL in results:
        beside = f" (official: {results[OFFICIAL]['folder_bytes'] / results[OFFICIAL]['rows']:,.0f})"
    return [
        Aim(
            "bytes a row of ten random doubles, whole folder",
            f"under {_AIM}",
            f"{reached:.1f}{beside}",
            reached < _AIM,
        )
    ]

"""What images and tables cost beside the official client."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ._bench import Bench, medians, ratio
from ._peers import OFFICIAL, OURS
from ._report import Aim, Section, Table, megabytes, milliseconds, part, seconds

_LIBRARIES = ("numpy", "pillow")
_SIDE = 256
_CALLER_AIM = 5
_KINDS = {
    "noise": "images of random pixels",
    "picture": "images like photographs",
    "table": "a table",
}


def measure(bench: Bench) -> Section:
    rounds: Dict[str, Dict[str, List[Dict[str, float]]]] = {}
    for _ in range(bench.sizes.media_rounds):
        for peer in bench.peers([OURS, OFFICIAL]):
            beside = bench.with_libraries(peer, _LIBRARIES)
            if beside is None:
                continue
            for kind in _KINDS:
                bench.say(f"media: {_KINDS[kind]}, {peer.title}")
                result = bench.run(beside, "media", **_parameters(bench, kind))
                if result is not None:
                    rounds.setdefault(kind, {}).setdefault(peer.name, []).append(result)
    figures = {kind: {name: medians(found) for name, found in by.items()} for kind, by in rounds.items()}
    table = Table(("", "client", "a call, p50", "caller, all calls", "total", "CPU", "peak memory", "files"))
    for kind, by in figures.items():
        for peer in bench.peers(by):
            table.rows.append((_named(bench, kind), peer.title, *_cells(by[peer.name])))
    return Section(
        "media",
        "Images and tables",
        f"{bench.sizes.media_images:,} images of {_SIDE} x {_SIDE} pixels in three channels, a `log` call for each, "
        f"and a table of {bench.sizes.table_rows:,} rows of four cells. The caller's time is that in which an object "
        "is made and logged; total is to the end of `finish`, offline. CPU and peak memory (over that before) are "
        f"those of all processes. Medians of {bench.sizes.media_rounds} rounds.",
        [table],
        {"median": figures, "rounds": rounds},
        [aim for kind in _KINDS for aim in _aims(bench, kind, figures.get(kind, {}))],
    )


def _parameters(bench: Bench, kind: str) -> Dict[str, Any]:
    if kind == "table":
        return {"what": "table", "rows": bench.sizes.table_rows}
    return {"what": "images", "kind": kind, "count": bench.sizes.media_images, "side": _SIDE}


def _named(bench: Bench, kind: str) -> str:
    count = bench.sizes.table_rows if kind == "table" else bench.sizes.media_images
    return f"{_KINDS[kind]}, {count:,}{' rows' * (kind == 'table')}"


def _cells(figures: Dict[str, float]) -> List[str]:
    return [
        milliseconds(figures["p50_ns"]),
        seconds(figures["caller_seconds"]),
        seconds(figures["total_seconds"]),
        seconds(figures["cpu_seconds"]),
        megabytes(figures["peak_bytes"]),
        megabytes(figures["file_bytes"]),
    ]


def _aims(bench: Bench, kind: str, by: Dict[str, Dict[str, float]]) -> List[Aim]:
    caller, total = (_reached(by, name) for name in ("caller_seconds", "total_seconds"))
    return [
        Aim(
            f"{_KINDS[kind]}: the caller's time, of the official client's",
            f"at most 1/{_CALLER_AIM}",
            part(caller),
            None if caller is None else caller >= _CALLER_AIM,
        ),
        Aim(
            f"{_KINDS[kind]}: the total, of the official client's",
            "no more",
            part(total),
            None if total is None else total >= 1,
        ),
    ]


def _reached(by: Dict[str, Dict[str, float]], name: str) -> Optional[float]:
    return ratio(by.get(OFFICIAL, {}).get(name), by.get(OURS, {}).get(name))

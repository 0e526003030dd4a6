"""Reading back: `scan_history` and `history` from a server, beside the official client, and from the log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

from ._bench import Bench, ratio
from ._peers import OFFICIAL, OURS
from ._report import NONE, Aim, Section, Table, megabytes
from ._uploads import Server, environment, serving, watch

_READ = """
import json, sys, time, wandb
path, what, stop, local = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
run = (wandb.Api(local=local) if local else wandb.Api()).run(path)
start, cpu = time.perf_counter(), time.process_time()
if what == "rows":
    rows = sum(1 for _ in run.scan_history(max_step=stop))
elif what == "one key":
    rows = sum(1 for _ in run.scan_history(keys=["train/m00"], max_step=stop))
else:
    rows = len(run.history(samples=10_000, pandas=False))
print(json.dumps({"rows": rows, "seconds": time.perf_counter() - start}))
"""

_WAYS = ("rows", "one key", "sample")
_TITLES = {
    "rows": "`scan_history()`", "one key": '`scan_history(keys=["train/m00"])`', "sample": "`history(samples=10_000)`"
}  # fmt: skip
_RATE_AIM, _FLAT_BYTES = 3.0, 20e6


def measure(bench: Bench) -> Section:
    rows, compared = bench.sizes.read_rows, bench.sizes.read_compared_rows
    data: Dict[str, Any] = {"compared": {}, "whole": {}, "local": {}}
    with serving(bench.scratch / "api-server") as server:
        run = _logged(bench, server, rows)
        if run is not None:
            for peer in bench.peers([OURS, OFFICIAL]):
                for what in _WAYS:
                    data["compared"].setdefault(peer.name, {})[what] = _read(
                        bench, server, peer.name, run, what, compared
                    )
            for stop in (rows // 10, rows):
                data["whole"][str(stop)] = _read(bench, server, OURS, run, "rows", stop)
            for what in _WAYS:
                data["local"][what] = _read(bench, server, OURS, run, what, rows, local=True)
    return Section(
        "api",
        "Reading back",
        f"A run of {rows:,} rows of ten random doubles, read through `wandb.Api`: the first {compared:,} rows by each "
        "client from one `wandb server` on the same machine, whose cores both share; all rows by this one; and from "
        "the log, without a server. Memory is the most that the client and its helpers held.",
        [_compared_table(bench, data["compared"]), _whole_table(data)],
        data,
        _aims(data),
    )


def _logged(bench: Bench, server: Server, rows: int) -> Optional[Path]:
    """The folder of a run that is also at the server."""
    bench.say(f"api: {rows:,} rows are written and uploaded")
    place = bench.new_folder(OURS)
    [ours] = bench.peers([OURS])
    if bench.run(ours, "write", folder=place, seconds_max=1200.0, count=rows) is None:
        return None
    [run] = place.glob("wandb/offline-run-*")
    synced = subprocess.run(
        [sys.executable, "-m", "wandb", "sync", str(run)], env=environment(server, place), cwd=place,
        capture_output=True, check=False,
    )  # fmt: skip
    if synced.returncode:
        bench.fail(OURS, f"api: the upload failed: {synced.stderr.decode()[-200:]}")
        return None
    return run


def _read(
    bench: Bench, server: Server, name: str, run: Path, what: str, stop: int, local: bool = False
) -> Optional[Dict[str, float]]:
    bench.say(f"api: {name} reads {what}{' from the log' if local else ''}, up to {stop:,}")
    place = bench.new_folder(name)
    python = bench.environments[name].python
    path = f"bench/{run.name.rpartition('-')[2]}"
    command = [str(python), "-c", _READ, path, what, str(stop), str(run.parent) if local else ""]
    cost = watch(command, environment(server, place), place)
    try:
        said = json.loads(cost.output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        bench.fail(name, f"api: {what}: {cost.output[-200:]}")
        return None
    return {
        "rows": said["rows"], "seconds": said["seconds"], "rows_per_second": said["rows"] / said["seconds"],
        "cpu_seconds": cost.cpu_seconds, "peak_bytes": cost.peak_bytes,
    }  # fmt: skip


def _compared_table(bench: Bench, compared: Dict[str, Any]) -> Table:
    titles = {peer.name: peer.title for peer in bench.peers([OURS, OFFICIAL])}
    table = Table(("what", "client", "rows a second", "seconds", "CPU, s", "memory, MB"))
    for what in _WAYS:
        for name, ways in compared.items():
            table.rows.append((_TITLES[what], titles[name], *_cells(ways[what])))
    return table


def _whole_table(data: Dict[str, Any]) -> Table:
    table = Table(("what", "from", "rows a second", "seconds", "CPU, s", "memory, MB"))
    for stop, found in data["whole"].items():
        table.rows.append((f"`scan_history()`, {int(stop):,} rows", "the server", *_cells(found)))
    for what, found in data["local"].items():
        table.rows.append((_TITLES[what], "the log", *_cells(found)))
    return table


def _cells(found: Optional[Dict[str, float]]) -> List[str]:
    if found is None:
        return [NONE] * 4
    return [
        f"{found['rows_per_second']:,.0f}", f"{found['seconds']:.2f}", f"{found['cpu_seconds']:.1f}",
        megabytes(found["peak_bytes"]),
    ]  # fmt: skip


def _aims(data: Dict[str, Any]) -> List[Aim]:
    def rate(name: str) -> Optional[float]:
        found = (data["compared"].get(name) or {}).get("rows")
        return found["rows_per_second"] if found else None

    times = ratio(rate(OURS), rate(OFFICIAL))
    peaks = [found["peak_bytes"] for found in data["whole"].values() if found]
    growth = peaks[-1] - peaks[0] if len(peaks) == 2 else None
    return [
        Aim(
            "rows of `scan_history()` a second, beside the official client", f"at least {_RATE_AIM:g} x",
            NONE if times is None else f"{times:.1f} x", None if times is None else times >= _RATE_AIM,
        ),
        Aim(
            "memory of `scan_history()` for ten times the rows", f"at most {megabytes(_FLAT_BYTES)} MB more",
            NONE if growth is None else f"{megabytes(growth)} MB", None if growth is None else growth <= _FLAT_BYTES,
        ),
    ]  # fmt: skip

"""Bringing runs to a server: `wandb sync` beside that of the official client, and the uploader while a run logs."""

from __future__ import annotations

from typing import Any, Dict, Optional

from . import _upload_jobs as jobs
from ._bench import Bench, ratio
from ._peers import OFFICIAL, OURS
from ._report import NONE, Aim, Section, Table, megabytes
from ._uploads import serving, sinking

_RATE_AIM = 5.0
_LAG_AIM_SECONDS, _IDLE_AIM, _REST_AIM_BYTES, _BACKLOG_AIM_BYTES, _DESCRIPTORS_AIM = 1.5, 0.002, 60e6, 120e6, 3.0
_SERVER, _SINK = "wandb server", "the sink"


def measure(bench: Bench) -> Section:
    data: Dict[str, Any] = {"sync": {}, "files": {}, "lag": {}, "rest": []}
    sizes = bench.sizes
    with serving(bench.scratch / "upload-server") as server, sinking(bench.scratch / "upload-sink") as sink:
        for rows in (sizes.upload_rows, sizes.upload_many_rows):
            for peer in bench.peers([OURS, OFFICIAL]) if rows else []:
                for into, figures in jobs.sync_rows(bench, {_SERVER: server, _SINK: sink}, peer, rows).items():
                    data["sync"].setdefault(str(rows), {}).setdefault(into, {})[peer.name] = figures
        data["backlog"] = {"rows": sizes.upload_backlog_rows, **jobs.backlog(bench, sink, sizes.upload_backlog_rows)}
        many, size = sizes.upload_files
        for count, each in ((many, size), (1, sizes.upload_large_bytes)):
            for into, one in ((_SERVER, server), (_SINK, sink)):
                data["files"].setdefault(f"{count:,} x {each:,}", {})[into] = jobs.sync_files(bench, one, count, each)
        for rate in sizes.lag_rates:
            data["lag"][str(rate)] = jobs.lag(bench, server, rate)
        data["rest"] = [jobs.at_rest(bench, server, runs) for runs in sizes.idle_runs]
    return Section(
        "uploader",
        "Uploading",
        "`wandb sync` of a finished offline run of ten random doubles a row, each client its own log, into `wandb "
        "server` on the same machine, whose cores both share, and into a sink: a server that takes everything and does "
        "nothing with it. CPU and memory are those of the client with all of its helper processes, its start included. "
        "The lag is from a row's time in the log to its being counted by `wandb server`. At rest: the uploader of runs "
        "that live and log nothing.",
        [_sync_table(bench, data["sync"]), _backlog_table(data["backlog"]), _files_table(data["files"]),
         _lag_table(data["lag"]), _rest_table(data["rest"])],
        data,
        _aims(data),
    )  # fmt: skip


# --- the report -------------------------------------------------------------------------------------------------------


def _sync_table(bench: Bench, data: Dict[str, Any]) -> Table:
    table = Table(("client, rows", "into", "seconds", "rows/s", "CPU µs a row", "peak MB"))
    for rows, places in data.items():
        for into, clients in places.items():
            for peer in bench.peers(clients):
                table.rows.append((f"{peer.title}, {int(rows):,}", into, *_costs(clients[peer.name])))
    return table


def _costs(one: Dict[str, float]) -> tuple[str, ...]:
    return (
        f"{one['seconds']:.1f}", f"{one['rows_per_second']:,.0f}", f"{one['cpu_us_per_row']:.1f}",
        megabytes(one["peak_bytes"]),
    )  # fmt: skip


def _backlog_table(one: Dict[str, float]) -> Table:
    table = Table(("the uploader's backlog, into the sink", "seconds", "rows/s", "CPU µs a row", "peak MB"))
    table.rows.append((f"{int(one['rows']):,} rows", *_costs(one)))
    return table


def _files_table(data: Dict[str, Dict[str, Dict[str, float]]]) -> Table:
    table = Table(("files x bytes, this client", "into", "seconds", "files/s", "MB/s", "peak MB"))
    for what, places in data.items():
        for into, one in places.items():
            table.rows.append(
                (
                    what, into, f"{one['seconds']:.1f}", f"{one['files_per_second']:,.0f}",
                    megabytes(one["bytes_per_second"]), megabytes(one["peak_bytes"]),
                )
            )  # fmt: skip
    return table


def _lag_table(data: Dict[str, Dict[str, float]]) -> Table:
    table = Table(("rows logged a second", "lag p50, s", "p99, s", "max, s"))
    for rate, one in data.items():
        table.rows.append((rate, *(f"{one[name]:.2f}" if one else NONE for name in ("p50", "p99", "max"))))
    return table


def _rest_table(data: list[Dict[str, float]]) -> Table:
    table = Table(("runs, at rest", "CPU, % of a core", "resident MB", "file descriptors"))
    for one in data:
        table.rows.append(
            (
                f"{one['runs']:.0f}", f"{one['cpu_share'] * 100:.2f}", megabytes(one["resident_bytes"]),
                f"{one['descriptors']:.0f}",
            )
        )  # fmt: skip
    return table


def _aims(data: Dict[str, Any]) -> list[Aim]:
    aims = []
    for rows, places in data["sync"].items():
        for into, clients in places.items():
            ours, official = clients.get(OURS, {}), clients.get(OFFICIAL, {})
            speed = ratio(ours.get("rows_per_second"), official.get("rows_per_second"))
            cpu = ratio(official.get("cpu_us_per_row"), ours.get("cpu_us_per_row"))
            what = f"sync of {int(rows):,} rows into {into}"
            aims.append(_at_least(f"{what}, rows/s, of the official client's", speed))
            aims.append(_at_least(f"{what}, CPU of the official client by ours", cpu))
    backlog = data["backlog"]
    what = f"peak memory with a backlog of {int(backlog['rows']):,} rows, MB"
    aims.append(_at_most(what, backlog["peak_bytes"] / 1e6, _BACKLOG_AIM_BYTES / 1e6))
    for rate, one in data["lag"].items():
        if one:
            aims.append(_at_most(f"lag p50 at {rate} rows a second, s", one["p50"], _LAG_AIM_SECONDS))
    first, last = data["rest"][0], data["rest"][-1]
    aims.append(_at_most("CPU at rest with one run, % of a core", first["cpu_share"] * 100, _IDLE_AIM * 100))
    aims.append(_at_most("memory at rest with one run, MB", first["resident_bytes"] / 1e6, _REST_AIM_BYTES / 1e6))
    if last["runs"] > first["runs"]:
        each = (last["descriptors"] - first["descriptors"]) / (last["runs"] - first["runs"])
        aims.append(_at_most("file descriptors at rest for each further run", each, _DESCRIPTORS_AIM))
    return aims


def _at_least(what: str, value: Optional[float]) -> Aim:
    reached = NONE if value is None else f"{value:.1f} x"
    return Aim(what, f"at least {_RATE_AIM:g} x", reached, None if value is None else value >= _RATE_AIM)


def _at_most(what: str, value: float, bound: float) -> Aim:
    return Aim(what, f"at most {bound:g}", f"{value:.2f}", value <= bound)

"""`wandb verify`: is every byte of a run's log what was written, and if not, what can be saved?"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import click

from . import FAILED, NO_RUN, complain
from ._help import RUN, command, option
from ._progress import shown

if TYPE_CHECKING:
    from wandb_storage import SalvageReport, VerifyReport

# What is listed one by one; --json has all.
_LISTED_MAX = 10


@command(
    "verify",
    [
        "wandb verify                            the newest run here",
        "wandb verify a1b2c3d4 --json | jq .severity",
        "wandb verify a1b2c3d4 --salvage rescued/run-20260105_120311-a1b2c3d4",
        "wandb verify --host https://wandb.example.com",
    ],
)
@click.argument("run", default="latest", type=RUN)
@option("--json", "as_json", is_flag=True, help="One JSON document with every figure.")
@option(
    "--salvage", "out", type=click.Path(path_type=Path), metavar="OUT",
    help="Write every intact record to a new log in the folder OUT.",
)  # fmt: skip
@option("--host", metavar="URL", help="Check that server instead: log a run there, read it back, delete it.")
@option("--dir", "directory", type=click.Path(path_type=Path), help="Look for the run here, not in ./wandb.")
def verify(run: str, as_json: bool, out: Optional[Path], host: Optional[str], directory: Optional[Path]) -> None:
    """Check the log of RUN: every checksum, every number, every record; nothing is changed.

    RUN is an id, a run's folder, any file in it, or `latest`. The exit code is 0 for an intact log, 1 where a
    recovery is due (`wandb sync` does it), 2 for damage or missing records, 3 where there is no log.
    """
    if host is not None:
        _verify_server(host, as_json)
        return
    import wandb_storage
    from wandb.replay import find_run

    try:
        folder = find_run(run, directory)
        with shown("verifying") as progress:
            report = wandb_storage.verify(folder, progress)
    except (wandb_storage.LogNotFound, wandb_storage.ForeignFile, wandb_storage.NewerFormat) as error:
        complain(str(error))
        raise click.exceptions.Exit(NO_RUN) from None
    if not as_json:
        _tell(report)
    salvaged: Optional[SalvageReport] = None
    if out is not None:
        with shown("verifying") as progress:
            salvaged = wandb_storage.salvage(folder, out, progress)
    if as_json:
        click.echo(json.dumps({**_fields(report), "salvaged": _salvage_fields(salvaged)}, indent=2))
    elif salvaged is not None:
        _tell_salvage(salvaged)
    if report.severity:
        raise click.exceptions.Exit(report.severity)


def _verify_server(host: str, as_json: bool) -> None:
    from wandb.sdk.wandb_settings import merged

    from ._verify_server import verify_server

    steps = []
    for step in verify_server(merged(("--host", {"base_url": host}))):
        steps.append(step)
        if not as_json:
            mark = click.style("✔", fg="green") if step.good else click.style("✖", fg="red")
            click.echo(f"{mark} {step.what:<8} {step.text}")
    good = all(step.good for step in steps)
    if as_json:
        click.echo(json.dumps({"ok": good, "steps": [step._asdict() for step in steps]}, indent=2))
    if not good:
        raise click.exceptions.Exit(FAILED)


def _fields(report: VerifyReport) -> Dict[str, Any]:
    return {"severity": report.severity, "missing": report.missing, **_plain(report)}


def _salvage_fields(report: Optional[SalvageReport]) -> Optional[Dict[str, Any]]:
    if report is None:
        return None
    return {
        "out": str(report.out), "records": report.records, "rows": report.rows, "missing": report.missing,
        "first_sequence": report.first_sequence, "last_sequence": report.last_sequence,
        "gaps": _plain(report.gaps),
    }  # fmt: skip


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        value = value._asdict()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


# --- for people -------------------------------------------------------------------------------------------------------


def _tell(report: VerifyReport) -> None:
    from wandb.replay._words import clean, count, size

    click.echo(f"{clean(str(report.folder))}: {_verdict(report)}")
    numbers = f", number {report.first_sequence:,} to {report.last_sequence:,}" if report.records else ""
    click.echo(f"  records    {report.records:,}{numbers}, {count(report.rows, 'row')}")
    files = count(len(report.segments), "segment")
    click.echo(f"  stored     {files}, {count(report.blocks, 'block')}, {size(report.bytes)}")
    click.echo(f"  checksums  {report.checksums:,} right, over {size(report.raw_bytes)} of records")
    for line in _remarks(report):
        click.echo(f"  {clean(line)}")
    for damage in report.damages[:_LISTED_MAX]:
        position = "" if damage.position is None else f" at {damage.position}"
        complain(clean(f"{damage.path}{position}: {damage.message}"))
    if len(report.damages) > _LISTED_MAX:
        complain(f"and {count(len(report.damages) - _LISTED_MAX, 'damage')} more; --json lists them")


def _verdict(report: VerifyReport) -> str:
    if report.damages or report.gaps:
        return "damaged"
    if report.writer is not None:
        return f"intact so far, and being written by {report.writer}"
    if not report.closed:
        return "intact, and nobody closed it: its end waits for a recovery"
    return "intact, and what child processes logged waits to be merged" if report.lane_records else "intact"


def _remarks(report: VerifyReport) -> List[str]:
    from wandb.replay._words import count

    lines: List[str] = []
    if report.first_sequence > 1 and not any(gap.first == 1 for gap in report.gaps):
        lines.append(f"begins     with record {report.first_sequence:,}: older segments were removed")
    if report.gaps:
        listed = ", ".join(f"{gap.first:,} to {gap.last:,}" for gap in report.gaps[:_LISTED_MAX])
        more = ", …" if len(report.gaps) > _LISTED_MAX else ""
        lines.append(f"missing    {count(report.missing, 'record')}: {listed}{more}")
    if report.tail_records:
        lines.append(f"tail       {count(report.tail_records, 'record')} not yet in a segment")
    if report.lanes:
        wait = "waits" if report.lane_records == 1 else "wait"
        lines.append(f"lanes      {count(report.lane_records, 'record')} {wait} in {count(report.lanes, 'lane')}")
    if report.torn_bytes and report.writer is None:
        lines.append(
            f"torn       {count(report.torn_bytes, 'byte')} at the end of the tail: an append that didn't return"
        )
    if report.lost_records:
        lines.append(f"lost       {count(report.lost_records, 'record')}, found missing before and told in the log")
    if report.unknown_kinds:
        lines.append(f"unknown    {count(report.unknown_kinds, 'record')} of kinds that a later version added")
    if report.leftovers:
        lines.append(f"leftovers  {', '.join(path.name for path in report.leftovers)}")
    return lines


def _tell_salvage(report: SalvageReport) -> None:
    from wandb.replay._words import clean, count

    missing = f", without {report.missing:,} that are missing" if report.missing else ""
    click.echo(f"{clean(str(report.out))}: {count(report.records, 'record')} and {count(report.rows, 'row')} of them "
               f"saved{missing}")  # fmt: skip

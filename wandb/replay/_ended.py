"""How a run ended, and how that is known.

A program that ends says so in its log: exit code, exception. One that is killed says nothing, and then the log's own
evidence speaks: the record that a recovery left, or a log that nobody closed and no process holds.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import List, Optional

from wandb_storage import Exit, RunStart, Writer, WriterLost, boot_id, is_log_file, log_folder

from ._scan import Scan, Session, Until
from ._words import clean, moment


@dataclasses.dataclass(frozen=True)
class Ended:
    """The end of a run, or that there is none yet.

    `state` is one of

    * `running`: a living process writes the log, or the replay stops before the end;
    * `finished`: the program ended with exit code 0;
    * `failed`: it ended by an exception or with another exit code;
    * `crashed`: it ended without a word, killed say, or with its machine;
    * `unknown`: the log doesn't tell, and `evidence` says why.
    """

    state: str
    evidence: str
    exit_code: Optional[int] = None
    exception: str = ""
    message: str = ""
    time: Optional[float] = None

    def __str__(self) -> str:
        return f"{self.state}: {self.evidence}"


def explain(folder: Path, run_id: str, scan: Scan, until: Until) -> Ended:
    """What the log and the lock on it say."""
    state = scan.state
    if state.exit is not None:
        return _by_exit(state.exit, state.writer_lost)
    if state.writer_lost is not None:
        lost = state.writer_lost
        return Ended("crashed", lost.evidence or lost.cause, time=state.last_time or None)
    if scan.stopped:
        return Ended("running", f"{_place(until)} the run still went on: its log has later records")
    if scan.damage is not None:
        return Ended("unknown", f"the log can't be read beyond record {scan.last_sequence:,}", time=None)
    if scan.writer is not None:
        return Ended("running", f"{_process(scan.writer)} holds the log open")
    return _by_absence(folder, run_id, scan)


def _place(until: Until) -> str:
    if until.sequence is not None:
        return f"at record {until.sequence:,}"
    return f"at step {until.step}" if until.step is not None else f"at {moment(until.time or 0.0)}"


def _by_exit(exit: Exit, lost: Optional[WriterLost]) -> Ended:
    then = f"; then {lost.evidence}" if lost is not None else ""
    if exit.exception:
        said = f"{exit.exception}: {exit.message}" if exit.message else exit.exception
        return Ended(
            "failed", f"the program recorded exit code {exit.code}, {clean(said)}{then}",
            exit.code, exit.exception, exit.message, exit.time,
        )  # fmt: skip
    state = "finished" if exit.code == 0 else "failed"
    return Ended(state, f"the program recorded exit code {exit.code}{then}", exit.code, time=exit.time)


def _by_absence(folder: Path, run_id: str, scan: Scan) -> Ended:
    """No word of an end, and no process that holds the log."""
    last = scan.state.last_time or None
    if not any(f"run-{run_id}.tail-" in path.name and is_log_file(path.name) for path in log_folder(folder).iterdir()):
        return Ended("unknown", "the log was closed in order, without a word on how the program ended", time=last)
    start = scan.sessions[-1].start if scan.sessions else None
    if start is None:
        return Ended("crashed", "the log was not closed and no process holds it: its writer ended at once", time=last)
    here = Writer.current()
    writer = f"process {start.pid} on {clean(start.host)}, started {moment(start.time)},"
    if start.host != here.host:
        evidence = f"the log was not closed and no process on this machine holds it; its writer was {writer}"
        return Ended("unknown", f"{evidence} and can't be seen from here", time=last)
    was = "has ended: the machine has been restarted since" if _rebooted(start) else "was killed"
    return Ended("crashed", f"the log was not closed and no process holds it: its writer, {writer} {was}", time=last)


def _rebooted(start: RunStart) -> bool:
    return bool(start.boot_id) and start.boot_id != boot_id()


def _process(writer: Writer) -> str:
    return f"process {writer.pid} on {clean(writer.host)}" if writer.pid else "a living process"


def session_end(session: Session, last: bool, ended: Ended) -> str:
    """In a few words, how a session ended."""
    parts: List[str] = []
    if session.exit is not None:
        parts.append(session.exit.exception or f"exit code {session.exit.code}")
    if session.writer_lost is not None:
        parts.append("crashed" if session.writer_lost.cause != "rebooted" else "the machine went down")
    return ", ".join(parts) or (ended.state if last else "no end recorded")

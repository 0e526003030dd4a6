"""Processes, as /proc shows them: helpers' CPU time and memory, and ending all of a tree at once.

Where there is no /proc, a client is taken to have no helpers; the report says so.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Dict, List, NamedTuple

_PROC = Path("/proc")
SEES_HELPERS = (_PROC / "self" / "stat").exists()
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Fields of /proc/PID/stat behind the name in brackets, which may hold anything.
_PARENT, _USER_TICKS, _SYSTEM_TICKS, _RESIDENT_PAGES = 1, 11, 12, 21


class Process(NamedTuple):
    pid: int
    parent: int
    cpu_seconds: float
    resident_bytes: int


def processes() -> Dict[int, Process]:
    """All that run now."""
    found = {}
    if SEES_HELPERS:
        for entry in os.listdir(_PROC):
            if entry.isdigit():
                # A process may end while it is looked at.
                with contextlib.suppress(OSError):
                    found[int(entry)] = process(int(entry))
    return found


def process(pid: int) -> Process:
    fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    ticks = int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
    return Process(pid, int(fields[_PARENT]), ticks / _TICKS, int(fields[_RESIDENT_PAGES]) * _PAGE_BYTES)


def helpers() -> List[Process]:
    """The descendants of this process."""
    everything = processes()
    family = {os.getpid()}
    grown = True
    while grown:
        more = {process.pid for process in everything.values() if process.parent in family}
        grown = not more <= family
        family |= more
    return [everything[pid] for pid in sorted(family - {os.getpid()})]


def helpers_cpu_seconds() -> float:
    """What all descendants have used so far, those that have ended included."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + sum(process.cpu_seconds for process in helpers())


def own_cpu_seconds() -> float:
    return time.process_time()


def own_resident_bytes() -> int:
    return process(os.getpid()).resident_bytes if SEES_HELPERS else 0


def own_peak_bytes() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def helpers_peak_bytes() -> int:
    """The most memory that each of its descendants has had, together."""
    peaks = 0
    for helper in helpers():
        with contextlib.suppress(OSError):
            lines = (_PROC / str(helper.pid) / "status").read_text().splitlines()
            peaks += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return peaks


def own_memory() -> Dict[str, int]:
    """Bytes of this process's memory: `private` is its own, `resident` also what it shares with the page cache. LMDB's
    map is in that part, which the system takes back when it needs it."""
    names = {"RssAnon": "private", "VmRSS": "resident"}
    lines = (_PROC / "self" / "status").read_text().splitlines() if SEES_HELPERS else []
    fields = (line.partition(":") for line in lines)
    return {names[name]: int(value.split()[0]) * 1024 for name, _, value in fields if name in names}


def kill(pids: List[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def marked(variable: str, value: str) -> List[int]:
    """The processes that were started with an environment variable of this value."""
    mark = f"{variable}={value}".encode()
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            if mark in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                found.append(pid)
    return found

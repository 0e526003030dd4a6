"""Processors, memory, disks, network and the process, through psutil: the names are those that dashboards expect.

Accelerators are added by `_accelerators`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import psutil

from ._accelerators import Accelerators, Number
from .wandb_settings import Settings

_MIB = 1 << 20


class Machine:
    """What is measured. Counters count from here."""

    def __init__(self, settings: Settings, accelerators: Sequence[Accelerators] = ()) -> None:
        self._process = psutil.Process(settings.x_stats_pid or os.getpid())
        self._with_children = settings.x_stats_track_process_tree
        self._processors = settings.x_stats_cpu_logical_count or psutil.cpu_count() or 1
        self._paths = settings.x_stats_disk_paths or ()
        self._devices = {device for device in map(_device_of, self._paths) if device}
        self._accelerators = accelerators
        self._known: Dict[int, psutil.Process] = {}  # CPU time is measured between two looks at the same object
        self._counters_before = self._counters()
        self._processes()

    def sample(self) -> Dict[str, Number]:
        """What there is to tell now; a part that can't be measured is left out."""
        values: Dict[str, Number] = {}
        parts: Tuple[Callable[[], Dict[str, Number]], ...] = (
            self._memory, self._processes, self._disks, self._counted, self._accelerated,
        )  # fmt: skip
        for part in parts:
            try:
                values.update(part())
            except (OSError, psutil.Error, ValueError):
                continue  # a container without some of /proc, a disk that is gone
        return values

    def _memory(self) -> Dict[str, Number]:
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        values: Dict[str, Number] = {
            "memory_percent": memory.percent, "proc.memory.availableMB": memory.available / _MIB,
        }  # fmt: skip
        if swap.total:
            values.update({"swap.used": swap.used, "swap.used_percent": swap.percent})
        return values

    def _processes(self) -> Dict[str, Number]:
        processor = threads = resident = 0.0
        for process in self._watched():
            try:
                with process.oneshot():
                    processor += process.cpu_percent()
                    threads += process.num_threads()
                    resident += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue  # a child that has ended since
        return {
            "cpu": processor / self._processors,
            "proc.cpu.threads": int(threads),
            "proc.memory.rssMB": resident / _MIB,
            "proc.memory.percent": 100 * resident / psutil.virtual_memory().total,
        }

    def _watched(self) -> List[psutil.Process]:
        """The process, with its children where they are wanted."""
        found = [self._process, *(self._process.children(recursive=True) if self._with_children else ())]
        self._known = {process.pid: self._known.get(process.pid, process) for process in found}
        return list(self._known.values())

    def _disks(self) -> Dict[str, Number]:
        values: Dict[str, Number] = {}
        for path in self._paths:
            usage = psutil.disk_usage(path)
            values[f"disk.{path}.usagePercent"] = usage.percent
            values[f"disk.{path}.usageGB"] = usage.used / (1 << 30)
        return values

    def _counted(self) -> Dict[str, Number]:
        return {
            name: value - self._counters_before[name]
            for name, value in self._counters().items()
            if name in self._counters_before
        }

    def _counters(self) -> Dict[str, Number]:
        """What only grows."""
        values: Dict[str, Number] = {}
        network = psutil.net_io_counters()
        if network is not None:
            values.update({"network.sent": network.bytes_sent, "network.recv": network.bytes_recv})
        retransmitted = _tcp_retransmits()
        if retransmitted is not None:
            values["network.tcpRetransmits"] = retransmitted
        disks: Dict[str, Any] = psutil.disk_io_counters(perdisk=True) if self._devices else {}
        for device in self._devices & set(disks):
            values[f"disk.{device}.in"] = disks[device].read_bytes / _MIB
            values[f"disk.{device}.out"] = disks[device].write_bytes / _MIB
        return values

    def _accelerated(self) -> Dict[str, Number]:
        values: Dict[str, Number] = {}
        if self._accelerators:
            pids = {self._process.pid, *(child.pid for child in self._process.children(recursive=True))}
            for accelerators in self._accelerators:
                with contextlib.suppress(Exception):  # a kind that fails leaves the others
                    values.update(accelerators.sample(pids))
        return values


def _device_of(path: str) -> str:
    """The name of the disk that a path is on, as the kernel counts its traffic; empty where there is none."""
    try:
        number = os.stat(path).st_dev
        device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve(strict=True)
    except OSError:
        return ""  # not Linux, or a filesystem without a disk
    return device.parent.name if (device / "partition").exists() else device.name


def _tcp_retransmits() -> Optional[int]:
    try:
        lines = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:")]
        return int(dict(zip(*lines))["RetransSegs"])
    except (OSError, KeyError, ValueError, TypeError):
        return None

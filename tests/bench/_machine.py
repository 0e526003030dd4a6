"""What the figures were measured on."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from pathlib import Path
from typing import Dict, List

from ._peers import PEERS, Peer
from .drivers import _processes


def describe(scratch: Path, peers: List[Peer]) -> Dict[str, str]:
    """Words for the report; `scratch` is where the clients wrote."""
    running = {peer.name for peer in peers}
    return {
        "measured": time.strftime("%Y-%m-%d"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "filesystem": _filesystem(scratch),
        "processes that wanted to run": f"{os.getloadavg()[2]:.1f}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "clients": ", ".join(peer.title for peer in PEERS if peer.name in running),
        "helper processes": "counted" if _processes.SEES_HELPERS else "not counted on this system",
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _filesystem(path: Path) -> str:
    """The type of the filesystem that holds `path`: that of its longest mount point."""
    best, kind = "", "unknown"
    with contextlib.suppress(OSError):
        for line in Path("/proc/mounts").read_text().splitlines():
            mount, mount_kind = line.split()[1:3]
            inside = mount == "/" or str(path.resolve()).startswith(f"{mount}/")
            if inside and len(mount) >= len(best):
                best, kind = mount, mount_kind
    return kind

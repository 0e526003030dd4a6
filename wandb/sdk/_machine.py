"""The machine in `wandb-metadata.json`: processors, memory, disks, GPUs and the job of the scheduler.

Numbers of bytes are strings there, as dashboards expect.
"""

from __future__ import annotations

import os
import platform
from typing import Any, Dict

import psutil

from ._accelerators import find_accelerators
from ._environment import has_secret_name
from .wandb_settings import Settings


def describe_machine(settings: Settings) -> Dict[str, Any]:
    """What can be found out; takes tens of milliseconds."""
    described: Dict[str, Any] = {"os": _system()}
    if settings.x_disable_machine_info:
        return described
    described.update(
        cpu_count=settings.x_stats_cpu_count or psutil.cpu_count(logical=False) or os.cpu_count(),
        cpu_count_logical=settings.x_stats_cpu_logical_count or os.cpu_count(),
        memory={"total": str(psutil.virtual_memory().total)},
        disk=_disks(settings),
    )
    for accelerators in reversed(find_accelerators(settings.x_stats_gpu_device_ids)):
        described.update(accelerators.describe())
    if settings.x_stats_gpu_type:
        described["gpu"] = settings.x_stats_gpu_type
    if settings.x_stats_gpu_count:
        described["gpu_count"] = settings.x_stats_gpu_count
    job = {name[6:].lower(): value for name, value in os.environ.items() if _tells_of_a_job(name)}
    if job:
        described["slurm"] = job
    return described


def _tells_of_a_job(name: str) -> bool:
    return name.startswith("SLURM_") and not has_secret_name(name)


def _disks(settings: Settings) -> Dict[str, Dict[str, str]]:
    found = {}
    for path in settings.x_stats_disk_paths or ():
        try:
            usage = psutil.disk_usage(path)
        except OSError:
            continue
        found[path] = {"total": str(usage.total), "used": str(usage.used)}
    return found


def _system() -> str:
    """What `platform.platform` says; on Linux without the process that it asks for the processor, which it doesn't
    tell: see `_git` for what a process can do to a program."""
    if platform.system() != "Linux":
        return platform.platform()
    library = "".join(platform.libc_ver())
    return "-".join(["Linux", platform.release(), platform.machine(), *(("with", library) if library else ())])

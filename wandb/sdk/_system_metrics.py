"""The machine and the process, sampled every 15 seconds in a thread: the names are those that dashboards expect.

NVIDIA GPUs are read through NVML where the `pynvml` module is installed (`pip install nvidia-ml-py`).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import time
from typing import Any, Callable, Dict, Optional

from wandb_storage import Record, SystemMetrics

from ._periodic import Periodic

_MIB = 1 << 20


def system_sampler(append: Callable[[Record], object], interval: float) -> Periodic:
    """Appends a SystemMetrics record at the start, and then one every `interval` seconds."""
    sensors: Dict[str, Any] = {}

    def sample() -> bool:
        try:
            if not sensors:  # made in the thread: finding them takes longer than `init` may
                sensors.update(machine=_Machine(), gpus=_NvidiaGpus.find())
            values = sensors["machine"].sample()
            if sensors["gpus"] is not None:
                values.update(sensors["gpus"].sample())
            append(SystemMetrics(time=time.time(), json=json.dumps(values)))
        except Exception:  # a machine that can't be measured trains all the same
            return False
        return True

    return Periodic("wandb-system", interval, sample, at_once=True)


class _Machine:
    """CPU, memory, disk, network and this process, through psutil."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first call sets the mark that the next one measures from
        self._network = psutil.net_io_counters()

    def sample(self) -> Dict[str, float]:
        memory, disk = self._psutil.virtual_memory(), self._psutil.disk_usage("/")
        network = self._psutil.net_io_counters()
        with self._process.oneshot():
            resident = self._process.memory_info().rss
            values = {
                "cpu": self._process.cpu_percent() / (self._psutil.cpu_count() or 1),
                "proc.cpu.threads": self._process.num_threads(),
                "proc.memory.rssMB": resident / _MIB,
                "proc.memory.percent": 100 * resident / memory.total,
            }
        values.update(
            {
                "proc.memory.availableMB": memory.available / _MIB,
                "memory_percent": memory.percent,
                "disk./.usagePercent": disk.percent,
                "disk./.usageGB": disk.used / (1 << 30),
            }
        )
        if network is not None and self._network is not None:
            values["network.sent"] = network.bytes_sent - self._network.bytes_sent
            values["network.recv"] = network.bytes_recv - self._network.bytes_recv
        return values


class _NvidiaGpus:
    """All NVIDIA GPUs that NVML shows."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]

    @classmethod
    def find(cls) -> Optional[_NvidiaGpus]:
        """The GPUs, or None where there is no library or no driver."""
        try:
            nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
            return cls(nvml)
        except Exception:  # NVML's errors are classes of a module that may not be there
            return None

    def sample(self) -> Dict[str, float]:
        values: Dict[str, float] = {}
        for index, handle in enumerate(self._handles):
            for read in (self._utilization, self._memory, self._temperature, self._power):
                with contextlib.suppress(Exception):  # a card that lacks one sensor still shows the others
                    values.update({f"gpu.{index}.{name}": value for name, value in read(handle).items()})
        return values

    def _utilization(self, handle: Any) -> Dict[str, float]:
        rates = self._nvml.nvmlDeviceGetUtilizationRates(handle)
        return {"gpu": rates.gpu, "memory": rates.memory}

    def _memory(self, handle: Any) -> Dict[str, float]:
        memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
        return {"memoryAllocated": 100 * memory.used / memory.total, "memoryAllocatedBytes": memory.used}

    def _temperature(self, handle: Any) -> Dict[str, float]:
        return {"temp": self._nvml.nvmlDeviceGetTemperature(handle, 0)}

    def _power(self, handle: Any) -> Dict[str, float]:
        watts = self._nvml.nvmlDeviceGetPowerUsage(handle) / 1000
        limit = self._nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000
        return {"powerWatts": watts, "powerPercent": 100 * watts / limit, "enforcedPowerLimitWatts": limit}

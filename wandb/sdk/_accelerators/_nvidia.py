"""NVIDIA GPUs, through NVML where the `pynvml` module is installed (`pip install nvidia-ml-py`)."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple, Union

from .._loading import loading
from ._kind import Number

# Constants of NVML's interface.
_TEMPERATURE_OF_THE_CHIP = 0
_CLOCKS = {"graphicsClock": 0, "smClock": 1, "memoryClock": 2}
_ERRORS = {"correctedMemoryErrors": 0, "uncorrectedMemoryErrors": 1}
_SINCE_THE_DRIVER_STARTED, _DEVICE_MEMORY = 0, 2
# What a GPU shows is told again under `gpu.process` where the program uses it.
_OF_THE_PROCESS = (
    "gpu", "memory", "memoryAllocated", "memoryAllocatedBytes", "temp", "powerWatts", "powerPercent",
    "enforcedPowerLimitWatts",
)  # fmt: skip


class NvidiaGpus:
    """The GPUs that NVML shows, or those with the given numbers. `nvml` is the module, or what behaves like it."""

    def __init__(self, nvml: Any, numbers: Optional[Sequence[int]] = None) -> None:
        self._nvml = nvml
        count = nvml.nvmlDeviceGetCount()
        wanted = range(count) if numbers is None else [number for number in numbers if 0 <= number < count]
        self._handles: List[Tuple[int, Any]] = [(number, nvml.nvmlDeviceGetHandleByIndex(number)) for number in wanted]

    @classmethod
    def find(cls, numbers: Optional[Sequence[int]] = None) -> Optional[NvidiaGpus]:
        """The GPUs, or None where there is no library, no driver or no GPU."""
        try:
            with loading:
                nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
            found = cls(nvml, numbers)
        except Exception:  # NVML's errors are classes of a module that may not be there
            return None
        return found if found._handles else None

    # --- samples ------------------------------------------------------------------------------------------------------

    def sample(self, pids: Set[int]) -> Dict[str, Number]:
        """Every sensor of every GPU, under the names that dashboards expect. `pids` are the program's processes."""
        values: Dict[str, Number] = {}
        sensors: Tuple[Callable[[Any], Dict[str, Number]], ...] = (
            self._rates, self._memory, self._temperature, self._power, self._clocks, self._errors, self._fan,
            self._encoder, self._link, self._throughput,
        )  # fmt: skip
        for number, handle in self._handles:
            found: Dict[str, Number] = {}
            for sensor in sensors:
                with contextlib.suppress(Exception):  # a card that lacks one sensor still shows the others
                    found.update(sensor(handle))
            values.update({f"gpu.{number}.{name}": value for name, value in found.items()})
            if self._is_used_by(handle, pids):
                shared = {name: found[name] for name in _OF_THE_PROCESS if name in found}
                values.update({f"gpu.process.{number}.{name}": value for name, value in shared.items()})
        return values

    def _is_used_by(self, handle: Any, pids: Set[int]) -> bool:
        for processes in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses"):
            with contextlib.suppress(Exception):
                if any(process.pid in pids for process in getattr(self._nvml, processes)(handle)):
                    return True
        return False

    def _rates(self, handle: Any) -> Dict[str, Number]:
        rates = self._nvml.nvmlDeviceGetUtilizationRates(handle)
        return {"gpu": rates.gpu, "memory": rates.memory}

    def _memory(self, handle: Any) -> Dict[str, Number]:
        memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
        return {"memoryAllocated": 100 * memory.used / memory.total, "memoryAllocatedBytes": memory.used}

    def _temperature(self, handle: Any) -> Dict[str, Number]:
        return {"temp": self._nvml.nvmlDeviceGetTemperature(handle, _TEMPERATURE_OF_THE_CHIP)}

    def _power(self, handle: Any) -> Dict[str, Number]:
        values: Dict[str, Number] = {"powerWatts": self._nvml.nvmlDeviceGetPowerUsage(handle) / 1000}
        with contextlib.suppress(Exception):
            limit = self._nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000
            values.update(enforcedPowerLimitWatts=limit, powerPercent=100 * values["powerWatts"] / limit)
        return values

    def _clocks(self, handle: Any) -> Dict[str, Number]:
        return {name: self._nvml.nvmlDeviceGetClockInfo(handle, clock) for name, clock in _CLOCKS.items()}

    def _errors(self, handle: Any) -> Dict[str, Number]:
        count = self._nvml.nvmlDeviceGetMemoryErrorCounter
        return {name: count(handle, kind, _SINCE_THE_DRIVER_STARTED, _DEVICE_MEMORY) for name, kind in _ERRORS.items()}

    def _fan(self, handle: Any) -> Dict[str, Number]:
        return {"fanSpeed": self._nvml.nvmlDeviceGetFanSpeed(handle)}

    def _encoder(self, handle: Any) -> Dict[str, Number]:
        return {"encoderUtilization": self._nvml.nvmlDeviceGetEncoderUtilization(handle)[0]}

    def _link(self, handle: Any) -> Dict[str, Number]:
        return {
            "pcieLinkGen": self._nvml.nvmlDeviceGetCurrPcieLinkGeneration(handle),
            "pcieLinkWidth": self._nvml.nvmlDeviceGetCurrPcieLinkWidth(handle),
        }

    def _throughput(self, handle: Any) -> Dict[str, Number]:
        return {"pcieLinkSpeed": self._nvml.nvmlDeviceGetPcieSpeed(handle) << 20}

    # --- the description ----------------------------------------------------------------------------------------------

    def describe(self) -> Dict[str, Any]:
        """For `wandb-metadata.json`."""
        cards = [self._describe_card(handle) for _, handle in self._handles]
        described: Dict[str, Any] = {"gpu_count": len(cards), "gpu_nvidia": cards}
        if cards and "name" in cards[0]:
            described["gpu"] = cards[0]["name"]
        with contextlib.suppress(Exception):
            version = self._nvml.nvmlSystemGetCudaDriverVersion()
            described["cudaVersion"] = f"{version // 1000}.{version % 1000 // 10}"
        return described

    def _describe_card(self, handle: Any) -> Dict[str, Any]:
        questions: Dict[str, Callable[[], Any]] = {
            "name": lambda: _text(self._nvml.nvmlDeviceGetName(handle)),
            "memoryTotal": lambda: str(self._nvml.nvmlDeviceGetMemoryInfo(handle).total),
            "cudaCores": lambda: self._nvml.nvmlDeviceGetNumGpuCores(handle),
            "uuid": lambda: _text(self._nvml.nvmlDeviceGetUUID(handle)),
        }
        card: Dict[str, Any] = {}
        for name, ask in questions.items():
            with contextlib.suppress(Exception):
                card[name] = ask()
        return card


def _text(value: Union[str, bytes]) -> str:
    """Older versions of the module answer in bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

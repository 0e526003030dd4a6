"""The GPU of Apple's chips, through `ioreg`, which every macOS has; its sensors of power and heat need root."""

from __future__ import annotations

import plistlib
import subprocess
from typing import Any, Callable, Dict, List, Optional, Set

from ._kind import Number

_COMMAND = ("/usr/sbin/ioreg", "-r", "-d", "1", "-a", "-c", "IOAccelerator")
_SECONDS = 5.0
# From the names of the registry to those that dashboards expect.
_SENSORS = {
    "Device Utilization %": "gpu", "In use system memory": "memoryAllocatedBytes",
}  # fmt: skip


def _ask() -> bytes:
    return subprocess.run(_COMMAND, capture_output=True, timeout=_SECONDS, check=True).stdout


class AppleGpu:
    """The GPU that the registry tells of. `ask` returns what the command prints."""

    def __init__(self, ask: Callable[[], bytes] = _ask) -> None:
        self._ask = ask
        self._accelerators()

    @classmethod
    def find(cls) -> Optional[AppleGpu]:
        """The GPU, or None where the registry tells of none."""
        try:
            found = cls()
            return found if found._accelerators() else None
        except Exception:  # no command, no answer, or one that makes no sense
            return None

    def sample(self, pids: Set[int]) -> Dict[str, Number]:
        """How busy it is and what it has of the memory, all programs together."""
        values: Dict[str, Number] = {}
        for number, accelerator in enumerate(self._accelerators()):
            statistics = accelerator.get("PerformanceStatistics") or {}
            for name, ours in _SENSORS.items():
                value = statistics.get(name)
                if isinstance(value, (int, float)):
                    values[f"gpu.{number}.{ours}"] = value
        return values

    def describe(self) -> Dict[str, Any]:
        """For `wandb-metadata.json`."""
        found = self._accelerators()
        names = [_text(accelerator.get("model")) or "Apple GPU" for accelerator in found]
        cards = [
            {"name": name, "gpuCores": accelerator.get("gpu-core-count")} for name, accelerator in zip(names, found)
        ]
        return {"gpu": names[0], "gpu_count": len(cards), "gpu_apple": cards[0]}

    def _accelerators(self) -> List[Dict[str, Any]]:
        found = plistlib.loads(self._ask() or plistlib.dumps([]))
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(value: Any) -> str:
    """Names in the registry are bytes that end with a zero."""
    return value.rstrip(b"\0").decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")

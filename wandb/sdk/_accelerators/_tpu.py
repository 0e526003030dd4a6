"""Google's TPUs, through the monitoring of `libtpu`, which is there where JAX or PyTorch can use one."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any, Dict, List, Optional, Set

from .._loading import loading
from ._kind import Number

_DUTY, _USED, _TOTAL, _CORE = "duty_cycle_pct", "hbm_capacity_usage", "hbm_capacity_total", "tensorcore_util"


class Tpus:
    """The chips that the library tells of. `monitoring` is `libtpu.sdk.tpumonitoring`, or what behaves like it."""

    def __init__(self, monitoring: Any) -> None:
        self._monitoring = monitoring

    @classmethod
    def find(cls) -> Optional[Tpus]:
        """The chips, or None where there is no library or no chip."""
        try:
            with loading:
                library = importlib.import_module("libtpu.sdk")
            found = cls(library.tpumonitoring)
        except Exception:  # the library raises what it likes on a machine without a TPU
            return None
        return found if found._read(_TOTAL) else None

    def sample(self, pids: Set[int]) -> Dict[str, Number]:
        """How busy each chip is, and what is in its memory. The library tells only of the process that uses them."""
        values: Dict[str, Number] = {}
        used, total = self._read(_USED), self._read(_TOTAL)
        for name, readings in (("dutyCycle", self._read(_DUTY)), ("tensorcoreUtilization", self._read(_CORE))):
            values.update({f"tpu.{chip}.{name}": value for chip, value in enumerate(readings)})
        values.update({f"tpu.{chip}.memoryUsageBytes": value for chip, value in enumerate(used)})
        values.update(
            {
                f"tpu.{chip}.memoryUsage": 100 * part / whole
                for chip, (part, whole) in enumerate(zip(used, total))
                if whole
            }
        )
        return values

    def describe(self) -> Dict[str, Any]:
        """For `wandb-metadata.json`."""
        total = self._read(_TOTAL)
        return {"tpu": {"count": len(total), "memoryTotal": str(int(sum(total)))}}

    def _read(self, metric: str) -> List[float]:
        """One reading a chip; none for a metric that this version or chip doesn't have."""
        with contextlib.suppress(Exception):
            return [float(value) for value in self._monitoring.get_metric(metric).data()]
        return []

"""The machine and the process, sampled every 15 seconds in a thread."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Callable, List

from wandb_storage import Record, SystemMetrics

from ._loading import loading
from ._periodic import Periodic
from .wandb_settings import Settings

if TYPE_CHECKING:
    from ._machine_metrics import Machine


def system_sampler(append: Callable[[Record], object], settings: Settings) -> Periodic:
    """Appends a SystemMetrics record at the start, and then one at each sampling interval."""
    machines: List[Machine] = []

    def sample() -> bool:
        try:
            if not machines:  # made in the thread: finding what there is takes longer than `init` may
                with loading:
                    from ._accelerators import find_accelerators
                    from ._machine_metrics import Machine

                machines.append(Machine(settings, find_accelerators(settings.x_stats_gpu_device_ids)))
            append(SystemMetrics(time=time.time(), json=json.dumps(machines[0].sample())))
        except Exception:  # a machine that can't be measured trains all the same
            return False
        return True

    return Periodic("wandb-system", settings.x_stats_sampling_interval, sample, at_once=True)

"""The GPUs of a machine, and who has which of them."""

from __future__ import annotations

import os
import subprocess
from typing import Dict, List, Mapping, Optional, Sequence

from ..errors import UsageError

_VISIBLE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
_SECONDS = 20.0


def find_gpus(wanted: str, environment: Mapping[str, str] = os.environ) -> List[str]:
    """What the option `--gpus` means: `auto` for all that this machine shows, `none`, or numbers such as `0,2`.

    >>> find_gpus("0,2")
    ['0', '2']

    Raises UsageError.
    """
    if wanted == "none":
        return []
    if wanted == "auto":
        for name in _VISIBLE:
            if name in environment:
                return [each.strip() for each in environment[name].split(",") if each.strip() not in ("", "-1")]
        return _listed()
    found = [each.strip() for each in wanted.split(",")]
    if not all(found) or len(set(found)) < len(found):
        raise UsageError(f"--gpus is auto, none, or numbers such as 0,1: not {wanted!r}")
    return found


def _listed() -> List[str]:
    """The NVIDIA or AMD GPUs that the driver's own tool, or the system, lists."""
    words = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=True)
        return done.stdout.split()
    except (OSError, subprocess.SubprocessError):
        pass  # no driver of NVIDIA's
    from ..sdk._accelerators._amd import AmdGpus

    amd = AmdGpus.find(None)
    return [] if amd is None else [str(number) for number in range(amd.describe()["gpu_count"])]


class Gpus:
    """Gives GPUs to jobs, those of the lowest number first."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._given: Dict[str, List[str]] = {}

    @property
    def count(self) -> int:
        return len(self._names)

    def take(self, job: str, count: int) -> Optional[List[str]]:
        """So many for a job; None where they aren't free."""
        taken = {name for names in self._given.values() for name in names}
        free = [name for name in self._names if name not in taken]
        if len(free) < count:
            return None
        self._given[job] = free[:count]
        return self._given[job]

    def keep(self, job: str, names: Sequence[str]) -> None:
        """They are a job's already, which another agent began."""
        self._given[job] = list(names)

    def give_back(self, job: str) -> None:
        self._given.pop(job, None)


def environment_of(names: Sequence[str]) -> Dict[str, str]:
    """Variables that show a job its GPUs and no others."""
    return dict.fromkeys(_VISIBLE, ",".join(names))

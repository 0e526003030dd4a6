"""The accelerators of this machine: whatever kinds of them there are, a module a kind."""

from __future__ import annotations

import sys
from typing import Callable, List, Optional, Sequence, Tuple

from .._loading import loading
from ._kind import Accelerators as Accelerators
from ._kind import Number as Number


def find_accelerators(numbers: Optional[Sequence[int]] = None) -> List[Accelerators]:
    """All that this machine has; of the GPUs those with the given numbers. None of their libraries has to be there."""
    with loading:
        from ._amd import AmdGpus
        from ._apple import AppleGpu
        from ._nvidia import NvidiaGpus
        from ._tpu import Tpus

    kinds: Tuple[Callable[[], Optional[Accelerators]], ...] = (
        lambda: NvidiaGpus.find(numbers),
        lambda: AmdGpus.find(numbers) if sys.platform == "linux" else None,
        lambda: AppleGpu.find() if sys.platform == "darwin" else None,
        Tpus.find,
    )
    return [found for found in (find() for find in kinds) if found is not None]

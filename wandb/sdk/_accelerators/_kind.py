"""What a kind of accelerator has to tell."""

from __future__ import annotations

from typing import Any, Dict, Protocol, Set, Union

Number = Union[int, float]


class Accelerators(Protocol):
    """Those of one kind."""

    def sample(self, pids: Set[int]) -> Dict[str, Number]:
        """What their sensors say, under the names that dashboards expect. `pids` are the program's processes."""

    def describe(self) -> Dict[str, Any]:
        """What they are, for `wandb-metadata.json`."""

"""What `wandb.setup` was given: it holds for everything in this process that asks for settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Tuple

if TYPE_CHECKING:
    from ..wandb_settings import Settings

# (source, values), at most one.
layers: List[Tuple[str, Settings]] = []

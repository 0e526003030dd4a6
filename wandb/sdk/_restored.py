"""What a resumed run knows of its earlier sessions."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Optional

from wandb_storage import MetricRules


@dataclasses.dataclass
class Restored:
    """What a resumed run knows of its earlier sessions."""

    sessions: int = 0
    step: int = 0
    runtime: float = 0.0
    config: Dict[str, Any] = dataclasses.field(default_factory=dict)
    summary: Dict[str, Any] = dataclasses.field(default_factory=dict)
    metrics: Optional[MetricRules] = None

"""Lightning Fabric: a logger.

from wandb.integration.lightning.fabric import WandbLogger

logger = WandbLogger(project="digits")
fabric = lightning.Fabric(loggers=[logger])
fabric.log_dict({"loss": 0.5})
"""

from __future__ import annotations

import os
from typing import Any, List, Optional

from ...data_types import Html
from .._library import library

_LightningLogger: Any = library("lightning.pytorch.loggers", "lightning").WandbLogger
_rank_zero_only: Any = library("lightning.fabric.utilities.rank_zero", "lightning").rank_zero_only

__all__ = ["WandbLogger"]


class WandbLogger(_LightningLogger):  # type: ignore[misc] # a class of a library that has no types
    """Lightning's `WandbLogger`, with what Fabric's users expect of it: the project `lightning_fabric_logs`, and HTML.

    log_checkpoint_on: "success", or "all" to log the last checkpoint of a training that failed as well. The other
    arguments are those of `lightning.pytorch.loggers.WandbLogger`.
    """

    def __init__(
        self, *arguments: Any, project: Optional[str] = None, log_checkpoint_on: str = "success", **named: Any
    ) -> None:
        super().__init__(
            *arguments, project=project or os.environ.get("WANDB_PROJECT", "lightning_fabric_logs"), **named
        )
        self._log_checkpoint_on = log_checkpoint_on

    def finalize(self, status: str) -> None:
        """Log the last checkpoint, where the training has ended as it should."""
        super().finalize("success" if self._log_checkpoint_on == "all" else status)

    @property
    def log_dir(self) -> Optional[str]:
        """Where the run's files are."""
        directory: Optional[str] = self.save_dir
        return directory

    @_rank_zero_only  # type: ignore[untyped-decorator] # of a library that has no types
    def log_html(self, key: str, htmls: List[Any], step: Optional[int] = None, **kwargs: List[Any]) -> None:
        """Log pages, as texts or files; more arguments are lists with one item a page.

        Raises TypeError for what is no list, and ValueError for lists of another length.
        """
        if not isinstance(htmls, list):
            raise TypeError(f"log_html: a list of pages is expected, not {type(htmls).__name__}")
        for name, values in kwargs.items():
            if len(values) != len(htmls):
                raise ValueError(f"log_html: {name} has {len(values)} items for {len(htmls)} pages")
        pages = [
            Html(page, **{name: values[place] for name, values in kwargs.items()}) for place, page in enumerate(htmls)
        ]
        self.log_metrics({key: pages}, step)

"""Names that other libraries import from here."""

from ..wandb_run import RunDisabled

__all__ = ["RunDisabled"]

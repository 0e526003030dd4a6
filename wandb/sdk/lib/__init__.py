"""Names that other libraries import from here."""

from .disabled import RunDisabled

__all__ = ["RunDisabled"]

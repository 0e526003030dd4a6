"""scikit-learn: the charts of `wandb.sklearn`, under the path that callers of the official client import."""

from __future__ import annotations

from ..sklearn import *  # noqa: F403
from ..sklearn import __all__ as __all__

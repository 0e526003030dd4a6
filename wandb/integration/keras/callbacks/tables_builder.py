"""`WandbEvalCallback`, by the official client's path."""

from .._eval_callback import WandbEvalCallback

__all__ = ["WandbEvalCallback"]
